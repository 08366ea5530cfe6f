"""Predictions of a bundle with images: against the arithmetic written out, case by case."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made import COMPONENTS, SIDE_PX, make_bundle
from PIL import Image

from axilla.inference.bundle import Bundle
from axilla.inference.predictor import Predictor
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.preprocessing.clinical import ClinicalEncoder
from axilla.preprocessing.prepare import PixelSettings, prepare
from axilla.records.errors import BundleError, UnreadableImage
from axilla.records.patients import ImageFile, Patient
from axilla.records.roi_rectangle import Roi

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Return complete cases, bags, and cases that lack one or two modalities."""
    folder = tmp_path_factory.mktemp("images")

    def image(name, shape):
        path = folder / f"{name}.png"
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path)
        return path

    def case(number, ultrasound=1, pathology=1, clinical=None):
        scans = (image(f"us{number}-{n}", (50, 70)) for n in range(ultrasound))
        return Patient(
            f"P{number}",
            label=None,
            group=f"P{number}",
            ultrasound=tuple(ImageFile(scan, roi=Roi(10, 5, 30, 30)) for scan in scans),
            pathology=tuple(
                ImageFile(image(f"he{number}-{n}", (40, 40, 3))) for n in range(pathology)
            ),
            clinical={"age": 50.0 + number, "er": "positive"} if clinical is None else clinical,
        )

    return [
        case(0),
        case(1, ultrasound=3, pathology=2),
        case(2, ultrasound=0),
        case(3, pathology=0),
        case(4, clinical={"age": None}),
        case(5, ultrasound=0, pathology=0),
        case(6, ultrasound=0, clinical={}),
        *(case(number) for number in range(7, 21)),
    ]


def embed(bundle, modality, files):
    """Average a bag's embeddings over images, original and mirror image, by hand."""
    backbone = find_backbone("plnet").build().eval()
    backbone.load_state_dict(bundle.part(f"{modality}.backbone"))
    rows = []
    for file in files:
        settings = PixelSettings(SIDE_PX, roi_margin=0.25, harmonise=True)
        planes = prepare(file, modality, settings=settings).float() / 255
        if modality == "ultrasound":
            planes = (planes[0] * (0.4 + 0.6 * planes[1])).expand(3, -1, -1)
        shown = (planes - 0.5) / 0.5
        rows += [backbone(view[None])[0] for view in (shown, torch.flip(shown, [2]))]
    return torch.stack(rows).mean(0)


@torch.no_grad()
def by_hand(bundle, case):
    """Return a case's fused logit and unimodal logits, None where a modality is missing."""
    components, logits = [], []
    for part in bundle.manifest.modalities:
        name = part.modality
        classifier, projection = (
            bundle.part(f"{name}.classifier"),
            bundle.part(f"{name}.projection"),
        )
        if not case.has(name):
            width = COMPONENTS if projection else classifier["weight"].shape[1]
            components.append(torch.zeros(width))
            logits.append(None)
            continue
        if name == "clinical":
            raw = torch.from_numpy(ClinicalEncoder.from_json(part.encoder)([case.clinical]))[0]
            components.append(raw)
        else:
            raw = embed(bundle, name, case.images(name))
            components.append((raw - projection["mean"]) @ projection["axes"])
        logits.append(float(classifier["weight"][0] @ raw + classifier["bias"][0]))
    head = fusions[bundle.manifest.strategy]([len(z) for z in components])
    head.load_state_dict(bundle.part("fusion"))
    fused = head.eval()(
        [z[None] for z in components],
        torch.tensor([[logit or 0.0 for logit in logits]]),
        torch.tensor([[logit is not None for logit in logits]]),
    )
    return float(fused), logits


def chance(logit):
    return float(1 / (1 + np.exp(-np.float64(logit))))


@pytest.mark.parametrize("strategy", fusions.names())
def test_predictions_are_the_arithmetic_written_out(cases, strategy):
    bundle = make_bundle(strategy)
    predictions = Predictor(bundle).predict(cases[:7])
    for case, prediction in zip(cases, predictions, strict=False):
        fused, logits = by_hand(bundle, case)
        assert prediction.patient_id == case.patient_id
        assert prediction.probability == pytest.approx(chance(fused), abs=1e-4)
        expected = {
            part.modality: pytest.approx(chance(logit), abs=1e-4)
            for part, logit in zip(bundle.manifest.modalities, logits, strict=True)
            if logit is not None
        }
        assert prediction.by_modality == expected


@pytest.mark.parametrize("strategy", fusions.names())
def test_a_case_alone_is_the_case_among_others(cases, strategy):
    predictor = Predictor(make_bundle(strategy))
    together = predictor.predict(cases)  # more than one batch of images
    backwards = predictor.predict(cases[::-1])[::-1]
    for case, one, other in zip(cases, together, backwards, strict=True):
        (alone,) = predictor.predict([case])
        for prediction in (one, other):
            assert prediction.probability == pytest.approx(alone.probability, abs=1e-5)
            assert prediction.by_modality == pytest.approx(alone.by_modality, abs=1e-5)
            assert (prediction.used, prediction.warnings) == (alone.used, alone.warnings)


def test_a_missing_modality_is_said_and_not_used(cases):
    predictions = Predictor(make_bundle()).predict(cases[:7])
    everything = ("ultrasound", "pathology", "clinical")
    assert [prediction.used for prediction in predictions] == [
        everything,
        everything,
        ("pathology", "clinical"),
        ("ultrasound", "clinical"),
        ("ultrasound", "pathology"),
        ("clinical",),
        ("pathology",),
    ]
    for prediction in predictions:
        missing = [m for m in everything if m not in prediction.used]
        assert [warning.split(":")[0] for warning in prediction.warnings] == [
            f"no {modality}" for modality in missing
        ]
        assert set(prediction.by_modality) == set(prediction.used)


def test_cases_with_nothing_usable_are_refused_all_at_once(cases):
    predictor = Predictor(make_bundle(clinical=False))
    bare = [cases[5], replace(cases[5], patient_id="P99")]
    with pytest.raises(BundleError) as caught:
        predictor.predict([cases[0], *bare])
    assert [problem.place for problem in caught.value.problems] == ["P5", "P99"]
    assert caught.value.problems[0].expected == "at least one of pathology, ultrasound"


def test_no_cases_give_no_predictions():
    assert Predictor(make_bundle()).predict([]) == []


def test_the_threshold_itself_is_positive(cases):
    bundle = make_bundle()
    (prediction,) = Predictor(bundle).predict(cases[:1])
    for threshold, positive in (
        (prediction.probability, True),
        (np.nextafter(prediction.probability, 1), False),
        (0.0, True),
    ):
        manifest = bundle.manifest.model_copy(update={"threshold": float(threshold)})
        (again,) = Predictor(Bundle(manifest, bundle.tensors)).predict(cases[:1])
        assert again.threshold == threshold
        assert again.positive is positive


def test_a_case_less_annotated_than_in_training_is_warned_of(cases):
    bundle = make_bundle()
    masked = Bundle(bundle.manifest.model_copy(update={"masks_in_training": True}), bundle.tensors)
    (with_roi,) = Predictor(masked).predict(cases[:1])
    assert [w.split(":")[0] for w in with_roi.warnings] == ["no lesion mask"]
    plain = replace(cases[0], ultrasound=(ImageFile(cases[0].ultrasound[0].path),))
    (without,) = Predictor(bundle).predict([plain])
    assert [w.split(":")[0] for w in without.warnings] == ["no ROI and no mask"]


def test_a_single_modality_needs_no_fusion(cases):
    bundle = make_bundle()
    manifest = bundle.manifest.model_copy(
        update={"strategy": None, "modalities": bundle.manifest.modalities[1:2]}
    )
    (prediction,) = Predictor(Bundle(manifest, bundle.tensors)).predict(cases[1:2])
    _, logits = by_hand(bundle, cases[1])
    assert prediction.probability == pytest.approx(chance(logits[1]), abs=1e-5)
    assert prediction.used == ("pathology",)


def test_networks_are_fed_at_the_side_they_were_trained_at(cases):
    at_32, at_64 = (Predictor(make_bundle(side_px=side)) for side in (32, 64))
    (small,), (large,) = at_32.predict(cases[:1]), at_64.predict(cases[:1])
    assert small.by_modality["pathology"] != large.by_modality["pathology"]
    assert small.by_modality["clinical"] == large.by_modality["clinical"]


def test_predicting_leaves_global_randomness_and_networks_alone(cases):
    predictor = Predictor(make_bundle())
    first = predictor.predict(cases[:3])
    torch.manual_seed(8)
    before = torch.random.get_rng_state()
    assert predictor.predict(cases[:3]) == first
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_missing_image_is_an_unreadable_image(cases, tmp_path):
    gone = replace(cases[0], pathology=(ImageFile(tmp_path / "gone.png"),))
    with pytest.raises(UnreadableImage, match=r"gone\.png"):
        Predictor(make_bundle()).predict([gone])
