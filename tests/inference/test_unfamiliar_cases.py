"""What a bundle says of cases unlike its training patients, and of values that they never had."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made import manifest_of

from axilla.inference.bundle import Bundle, read_bundle, write_bundle
from axilla.inference.case_io import as_json_of, parse_clinical_values, risk_level
from axilla.inference.manifest import ModalityManifest
from axilla.inference.ood import Reference, distances_between, fit_reference
from axilla.inference.predictor import Predictor
from axilla.preprocessing.clinical import fit_encoder
from axilla.records.errors import BundleError, ConfigError
from axilla.records.patients import ImageFile, Patient
from axilla.records.roi_rectangle import Roi

RNG = np.random.default_rng(4)
KINDS = {"age": "number", "er": "category"}
TRAINED = [
    {"age": float(age), "er": "positive" if age % 2 else "negative"}
    for age in RNG.integers(35, 75, 40)
]


def known_patients() -> Reference:
    features = fit_encoder(TRAINED, KINDS)(TRAINED)
    halves = (features[:20], features[20:])
    apart = [distances_between(halves[1], halves[0]), distances_between(*halves)]
    found = fit_reference(features, np.concatenate(apart))
    assert found is not None
    return found


def bundle(*, known: bool = True) -> Bundle:
    encoder = fit_encoder(TRAINED, KINDS)
    reference = known_patients()
    part = ModalityManifest(
        modality="clinical",
        model="clinical/logistic",
        encoder=encoder.to_json(),
        reference_patients=len(TRAINED) if known else None,
        ranges={"age": (35.0, 74.0)} if known else None,
    )
    manifest = manifest_of(
        None,
        (part,),
        model="clinical/logistic",
        threshold_rule="youden",
        patients=len(TRAINED),
        positives=12,
    )
    tensors = {
        "clinical.classifier.weight": torch.ones(1, encoder.width),
        "clinical.classifier.bias": torch.zeros(1),
    }
    if known:
        for name in ("mean", "covariance", "distances"):
            tensor = torch.from_numpy(getattr(reference, name)).float()
            tensors[f"clinical.reference.{name}"] = tensor
    return Bundle(manifest, tensors)


def patient(**clinical: float | str) -> Patient:
    return Patient("p", label=None, group="p", clinical=clinical)


def test_a_usual_case_is_familiar_and_an_odd_one_is_named(tmp_path: Path) -> None:
    write_bundle(bundle(), tmp_path / "a.axilla")
    predictor = Predictor(read_bundle(tmp_path / "a.axilla"))
    usual, odd = predictor.predict([patient(age=55, er="positive"), patient(age=400, er="weak")])
    assert not usual.warnings
    assert not usual.familiarity["clinical"].unfamiliar
    assert odd.familiarity["clinical"].p == pytest.approx(1 / 41)
    assert odd.warnings == (
        "clinical: further from the training patients than each of all 40",
        "age: 400 is outside the training patients' 35 to 74",
        "er: a level that no training patient had; it counts as unknown",
    )


def test_the_distances_are_those_of_the_features() -> None:
    given = bundle()
    reference = known_patients()
    values = {"age": 71.0, "er": "negative"}
    (found,) = Predictor(given).predict([patient(**values)])
    features = fit_encoder(TRAINED, KINDS)([values])
    expected = reference.familiarity(features)[0]
    assert found.familiarity["clinical"].squared_distance == pytest.approx(
        expected.squared_distance, rel=1e-4
    )
    assert found.familiarity["clinical"].p == pytest.approx(expected.p)


def test_a_bundle_of_before_still_predicts_the_same_and_says_nothing() -> None:
    case = patient(age=400, er="positive")
    (old,), (new,) = (
        Predictor(bundle(known=False)).predict([case]),
        Predictor(bundle()).predict([case]),
    )
    assert old.probability == new.probability
    assert not old.familiarity
    assert not old.warnings


@pytest.mark.parametrize("name", ["mean", "covariance", "distances"])
@pytest.mark.parametrize("harm", ["absent", "short", "nan"])
def test_a_damaged_reference_is_a_damaged_bundle(name: str, harm: str) -> None:
    given = bundle()
    tensor = given.tensors.pop(f"clinical.reference.{name}")
    if harm == "short":
        given.tensors[f"clinical.reference.{name}"] = tensor[:-1]
    elif harm == "nan":
        given.tensors[f"clinical.reference.{name}"] = torch.full_like(tensor, torch.nan)
    if (name, harm) == ("distances", "nan"):
        assert Predictor(given).predict([patient(age=55)])  # ranks, whatever they are
        return
    with pytest.raises(BundleError):
        Predictor(given)


def test_values_are_read_as_the_columns_hold_them() -> None:
    manifest = bundle().manifest
    assert parse_clinical_values({"age": "53", "er": "POSITIVE"}, manifest) == {
        "age": 53.0,
        "er": "positive",
    }
    assert parse_clinical_values({"age": None, "er": None}, manifest) == {"age": None, "er": None}
    for bad in ({"age": "nan"}, {"age": "1e999"}, {"age": "old"}, {"er": "weak"}, {"x": "1"}):
        with pytest.raises(ConfigError, match="--set"):
            parse_clinical_values(bad, manifest, option="--set ")


def test_json_says_the_share_of_each_image_without_its_folder() -> None:
    predictor = Predictor(bundle())
    (plain,) = predictor.predict([patient(age=55)])
    files = (
        ImageFile(Path("/secret/a.png")),
        ImageFile(Path("/secret/b.svs"), tile=Roi(1, 2, 3, 4)),
    )
    shared = replace(plain, attention={"pathology": ((files[0], 0.25), (files[1], 0.75))})
    told = as_json_of(shared, predictor.manifest)
    assert told["attention"]["pathology"] == [
        {"image": "a.png", "tile": None, "share": 0.25},
        {"image": "b.svs", "tile": [1, 2, 3, 4], "share": 0.75},
    ]
    assert "/secret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (0.0, "very low"),
        (0.05, "low"),
        (0.2, "intermediate"),
        (0.499, "intermediate"),
        (0.5, "high"),
        (0.8, "very high"),
        (1.0, "very high"),
    ],
)
def test_words_for_risk(probability: float, word: str) -> None:
    assert risk_level(probability) == word
