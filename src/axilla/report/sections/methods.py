"""The methods section: how the study was done and evaluated, from its configuration."""

from dataclasses import dataclass

import pandas as pd

from axilla.config.study import StudyConfig
from axilla.report.number_format import (
    LEVEL,
    inside_sentence,
    join_items,
    percent,
    pluralise,
    sentence,
)
from axilla.report.reported_models import model_label
from axilla.report.study_results import StudyResults

_DATA = {"clinical": "clinical data"}


@dataclass(frozen=True, slots=True)
class Method:
    """One part of the methods: what it is about, and what was done."""

    topic: str
    text: str


def methods_of(config: StudyConfig, *, metrics: pd.DataFrame) -> tuple[Method, ...]:
    """Return the methods, part by part; parts that this study did not use are left out."""
    parts = (
        Method("Outcome", _outcome(config)),
        Method("Validation", _validation(config)),
        Method("Preprocessing", _preprocessing(config)),
        Method("Models", _models(config)),
        Method("Fusion", _fusion(config)),
        Method("Baselines", _baselines(config)),
        Method("Clinical model", _clinical(config)),
        Method("Reader", _reader(config)),
        Method("Training", _training(config)),
        Method("Search", _search(config)),
        Method("Recalibration", _recalibration(config)),
        Method("Operating threshold", _threshold(config)),
        Method("Statistics", _statistics(config, metrics)),
        Method("Randomness", f"One seed everywhere: {config.study.seed}."),
    )
    return tuple(part for part in parts if part.text)


def has_images(config: StudyConfig) -> bool:
    """Tell whether the study has image models at all."""
    return bool(config.models.ultrasound or config.models.pathology)


def _outcome(config: StudyConfig) -> str:
    study = config.study
    return f"Column {study.outcome} of the cohort table; {study.positive} means positive."


def _validation(config: StudyConfig) -> str:
    validation = config.validation
    chosen = ["hyperparameters", "operating threshold"]
    chosen += ["the models that fusion builds on"] if config.models.fusion else []
    inner = (
        f"Inside each training part, up to {pluralise(validation.inner_folds, 'inner fold')} made "
        f"every choice ({join_items(chosen)}), so no patient had a part in a choice that its own "
        "prediction rests on."
    )
    outer = {
        "nested_cv": f"Nested cross-validation with {pluralise(validation.folds, 'outer fold')}; "
        "every prediction reported is out-of-fold.",
        "holdout": f"One random split, {percent(validation.test_share)} of the patients held out; "
        "only their predictions are reported.",
        "site": f"Leave one site out, by column {config.cohort.site}; each site is predicted by "
        "models trained on the others.",
    }[validation.scheme]
    repeats = f" The whole was repeated {validation.repeats} times with new splits."
    split = "Splits are by patient."
    if config.cohort.group:
        columns = join_items(list(config.cohort.group))
        split = f"Splits are by patient; equal values of {columns} never stand on both sides."
    return f"{outer}{repeats if validation.repeats > 1 else ''} {split} {inner}"


def _preprocessing(config: StudyConfig) -> str:
    if not has_images(config):
        return ""
    settings = config.preprocessing
    side = settings.image_size_px
    text = f"Images enter the networks at {side} by {side} px."
    if config.models.ultrasound:
        text += (
            " Ultrasound is cut to the bounding box of the lesion, with "
            f"{percent(settings.roi_margin)} of its sides as context."
        )
        if settings.harmonise:
            text += " It is then z-scored per image and its histogram equalised."
        if settings.outside_mask < 1:
            text += (
                f" Outside the lesion it keeps {percent(settings.outside_mask)} of its brightness"
            )
            ulnet = "ulnet" in config.models.ultrasound
            text += "; ULNet gets the lesion mask as a channel instead." if ulnet else "."
    if config.models.pathology and settings.stain != "none":
        text += (
            f" The stain of pathology is normalised ({settings.stain.capitalize()}) towards a "
            "fixed reference, which is not of this study."
        )
    if settings.crops:
        text += (
            f" {pluralise(settings.crops, 'random crop')} of at least "
            f"{percent(settings.crop_min_area)} of the area join each training image."
        )
    return text


def _models(config: StudyConfig) -> str:
    parts = [
        f"{modality}: {join_items([model_label(name) for name in names])}"
        for modality, names in (
            ("Ultrasound", config.models.ultrasound),
            ("Pathology", config.models.pathology),
        )
        if names
    ]
    if not parts:
        return ""
    start = "random weights" if config.models.weights == "none" else "pretrained weights"
    how = (
        "Networks that have pretrained weights were kept fixed and heads were trained on their "
        "embeddings; networks without were trained on the images."
        if config.models.training == "frozen"
        else f"Networks were trained from {start}."
    )
    if config.models.pooling == "attention":
        how += " Several images of one patient are pooled by gated attention, learnt in the head."
    return f"{'. '.join(parts)}. {how}"


def _fusion(config: StudyConfig) -> str:
    if not config.models.fusion:
        return ""
    names = join_items([inside_sentence(model_label(name)) for name in config.models.fusion])
    fused = join_items([_DATA.get(modality, modality) for modality in config.models.fuse])
    return (
        f"{sentence(fused)} were fused by {names}. In each fold, fusion builds on the one model "
        "of each modality that was best on the inner folds."
    )


def _baselines(config: StudyConfig) -> str:
    if not (config.models.trivial and has_images(config)):
        return ""
    return (
        "Per image modality, a model of colour, brightness and size alone: what a network does "
        "not exceed, it need not have learnt from tissue."
    )


def _clinical(config: StudyConfig) -> str:
    if not (config.clinical and config.models.clinical):
        return ""
    names = join_items([inside_sentence(model_label(name)) for name in config.models.clinical])
    columns = join_items([f"{column} ({kind})" for column, kind in config.clinical.items()])
    return f"{sentence(names)} on {columns}."


def _reader(config: StudyConfig) -> str:
    if config.reader is None:
        return ""
    values = join_items(list(config.reader.positive), word="or")
    return (
        f"Column {config.reader.column}; {values} counts as suspicious. The AUC of a yes-or-no "
        "reading is the mean of sensitivity and specificity."
    )


def _training(config: StudyConfig) -> str:
    if not has_images(config):
        return ""
    training = config.training
    size = training.network_size_px or config.preprocessing.image_size_px
    epochs = pluralise(training.network_epochs, "epoch")
    networks = f"networks trained on images, for up to {epochs} at {size} px"
    if config.models.training == "finetune":
        return f"{sentence(networks)}."
    return (
        f"Heads were trained for {pluralise(training.head_epochs, 'epoch')} on at most "
        f"{training.reduce_to} principal components, fitted on each training fold; {networks}."
    )


def _search(config: StudyConfig) -> str:
    rates, sizes = config.search.rate_factors, config.search.batch_sizes
    trials = len(rates) * len(sizes)
    if not has_images(config):
        return ""
    if trials == 1:
        return "No search: each model's own learning rate and one batch size."
    factors = join_items([f"{rate:g}" for rate in rates], word="or")
    batches = join_items([str(size) for size in sizes], word="or")
    return (
        f"A grid of up to {trials} settings per model: {factors} times the model's own learning "
        f"rate, batches of {batches}; judged on inner folds only."
    )


def _recalibration(config: StudyConfig) -> str:
    kind = config.validation.recalibration
    if kind == "none":
        return ""
    name = "Platt's logistic map" if kind == "platt" else "An isotonic map"
    return (
        f"{name} from probabilities to calibrated ones, per model and fold, fitted on the "
        "predictions of the inner folds before the threshold was chosen."
    )


def _threshold(config: StudyConfig) -> str:
    name, _, share = config.validation.threshold.partition("=")
    if name == "half":
        return "0.5 for every model."
    chosen = {
        "youden": "the threshold with the highest Youden index",
        "sensitivity": f"the highest threshold with a sensitivity of at least {share}",
        "specificity": f"the lowest threshold with a specificity of at least {share}",
        "net_benefit": f"the threshold with the highest net benefit at a probability of {share}",
    }
    return f"Per fold, {chosen[name]} on the inner folds."


def _statistics(config: StudyConfig, metrics: pd.DataFrame) -> str:
    area = _interval_method(metrics, ("auc",))
    shares = _interval_method(metrics, ("accuracy", "precision", "recall", "specificity"))
    parts = [
        f"{what} by {method}"
        for what, method in (("AUC", area), ("shares of patients", shares))
        if method
    ]
    text = f"{LEVEL} intervals: {'; '.join(parts)}." if parts else f"{LEVEL} intervals."
    text += " They hold the fitted models fixed."
    if config.cohort.group and is_clustered(metrics):
        columns = join_items(list(config.cohort.group))
        text += (
            f" Patients who share {columns} are not independent, so intervals are clustered by it, "
            "as a rule wider than an analysis by patient would claim."
        )
    return text


def is_clustered(metrics: pd.DataFrame) -> bool:
    """Tell whether the intervals of metrics.csv take groups of patients into account."""
    return bool(metrics["method"].astype(str).str.contains("group|cluster", case=False).any())


def _interval_method(metrics: pd.DataFrame, names: tuple[str, ...]) -> str:
    """The method most of these metrics used, without what differs from model to model."""
    methods = metrics.loc[metrics["metric"].isin(names), "method"].dropna().astype(str)
    general = methods.str.replace(r"\s*\(.*?\)|;.*", "", regex=True)
    return str(general.mode().iloc[0]) if len(general) else ""


def methods_of_evaluation(results: StudyResults) -> tuple[Method, ...]:
    """Return the parts that this study's tables stand for; none for a table it does not have."""
    parts = (
        Method("Missing data", _missing(results)),
        Method("Comparisons", _comparisons(results)),
        Method("Calibration", _calibration(results)),
        Method("Decision curve", _decision(results)),
        Method("Subgroups", _subgroups(results)),
    )
    return tuple(part for part in parts if part.text)


def _missing(results: StudyResults) -> str:
    if results.from_elsewhere:
        return ""
    models = results.config.models
    said = ["Each model is measured in the patients who have its data."]
    if models.fusion:
        said.append("Fusion predicts from the modalities that a patient has.")
    if models.clinical and results.config.clinical:
        said.append(
            "In the clinical model a missing number becomes the median of the training patients, "
            "and a missing category belongs to no category."
        )
    return " ".join(said)


def _comparisons(results: StudyResults) -> str:
    table = results.comparisons
    if table.empty:
        return ""
    tests = [
        f"{what} by {_prose(method)}"
        for test, what in (("delong", "AUCs"), ("mcnemar", "accuracies"))
        if (method := _usual_method(table, test=test))
    ]
    families = table["family"].nunique()
    return (
        f"Pairs of models were laid down before any result was seen, in "
        f"{pluralise(families, 'family', plural='families')}; each pair is compared in the "
        f"patients that both predict: {', '.join(tests)}, other measures by a bootstrap of the "
        "difference. "
        "Within a family p-values are corrected by Holm's method, separately for each test."
    )


def _calibration(results: StudyResults) -> str:
    if results.calibration.empty:
        return ""
    return (
        "Intercept and slope of a logistic regression of the outcome on the logit of the "
        "probability (0 and 1 are right), and the curve of a local linear regression of the "
        "outcome on the probability, beside the shares in bins."
    )


def _decision(results: StudyResults) -> str:
    if results.decision_curve.empty:
        return ""
    low, high = results.config.evaluation.decision_range
    return (
        f"Net benefit (Vickers & Elkin, Med Decis Making 2006;26:565) at threshold probabilities "
        f"from {percent(low)} to {percent(high)}, beside treating everybody and nobody."
    )


def _subgroups(results: StudyResults) -> str:
    table = results.subgroups
    if table.empty:
        return ""
    columns = list(dict.fromkeys(table["column"].astype(str)))
    bands = [
        f"{column} is cut at {join_items([f'{cut:g}' for cut in cuts])}"
        for column, cuts in results.config.evaluation.bands.items()
        if column in columns
    ]
    cut = f" ({'; '.join(bands)})" if bands else ""
    fewest = results.config.evaluation.smallest_subgroup
    return (
        f"AUC, sensitivity and specificity at each level of {join_items(columns)}{cut}. A test of "
        f"interaction asks whether levels differ; levels with fewer than {fewest} patients of a "
        "class are marked as small and take no part in it. It is not corrected for how many such "
        "tests there are."
    )


def _usual_method(table: pd.DataFrame, *, test: str) -> str:
    """The method that most rows of a test used, without what differs from row to row."""
    methods = table.loc[table["test"] == test, "method"].dropna().astype(str)
    general = methods.str.replace(r"\s*\(.*?\)|[,;].*", "", regex=True)
    return str(general.mode().iloc[0]) if len(general) else ""


def _prose(method: str) -> str:
    return {
        "DeLong": "DeLong's paired test",
        "DeLong clustered by group": "DeLong's paired test, clustered by group",
        "McNemar exact": "McNemar's exact test",
        "paired t between groups": "a paired t test between groups",
        "paired t between patients": "a paired t test between patients",
    }.get(method, method)
