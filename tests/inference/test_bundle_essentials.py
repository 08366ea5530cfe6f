"""A bundle travels whole, loses nothing, and says so when it is damaged."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from made import manifest_of

from axilla.inference.bundle import Bundle, read_bundle, write_bundle
from axilla.inference.manifest import ModalityManifest
from axilla.inference.predictor import Predictor
from axilla.inference.recalibration import IsotonicMap, PlattMap
from axilla.models.fusion import fusions
from axilla.preprocessing.clinical import fit_encoder
from axilla.records.errors import BundleError
from axilla.records.patients import Patient


def clinical_bundle(threshold: float = 0.5) -> Bundle:
    """Return a bundle of one number, whose logit is the standardised age."""
    encoder = fit_encoder([{"age": 40.0}, {"age": 60.0}], {"age": "number"})
    part = ModalityManifest(
        modality="clinical", model="clinical/logistic", encoder=encoder.to_json()
    )
    manifest = manifest_of(
        None,
        (part,),
        model="clinical/logistic",
        threshold=threshold,
        threshold_rule="youden",
        patients=2,
    )
    tensors = {
        "clinical.classifier.weight": torch.ones(1, 1),
        "clinical.classifier.bias": torch.zeros(1),
    }
    return Bundle(manifest, tensors)


def patient(**clinical: float) -> Patient:
    return Patient("p", label=None, group="p", clinical=dict(clinical))


def test_round_trip_is_exact_and_repeatable(tmp_path: Path) -> None:
    bundle = clinical_bundle()
    bundle.tensors |= {"x.half": torch.tensor([0.5, 1.0]), "x.third": torch.tensor([1 / 3])}
    write_bundle(bundle, tmp_path / "a.axilla")
    write_bundle(bundle, tmp_path / "b.axilla")
    assert (tmp_path / "a.axilla").read_bytes() == (tmp_path / "b.axilla").read_bytes()
    back = read_bundle(tmp_path / "a.axilla")
    assert back.manifest == bundle.manifest
    assert back.tensors["x.half"].dtype == torch.float16
    assert back.tensors["x.third"].dtype == torch.float32
    assert torch.equal(back.part("x")["half"], bundle.tensors["x.half"])
    assert torch.equal(back.part("x")["third"], bundle.tensors["x.third"])


def test_it_holds_nothing_that_runs_when_opened(tmp_path: Path) -> None:
    write_bundle(clinical_bundle(), tmp_path / "a.axilla")
    with zipfile.ZipFile(tmp_path / "a.axilla") as archive:
        assert archive.namelist() == ["manifest.json", "model_card.md", "weights.safetensors"]


def rewrite(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        weights = archive.read("weights.safetensors")
    change(manifest)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("weights.safetensors", weights)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "truncated": truncate,
    "no zip": lambda path: path.write_bytes(b"no bundle"),
    "other format": lambda path: rewrite(path, lambda m: m.update(format=99)),
    "unknown key": lambda path: rewrite(path, lambda m: m.update(surprise=1)),
    "falling map": lambda path: rewrite(
        path, lambda m: m.update(recalibration={"kind": "platt", "intercept": 0, "slope": -1})
    ),
    "lacking key": lambda path: rewrite(path, lambda m: m.pop("threshold")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.axilla"
    write_bundle(clinical_bundle(), path)
    DAMAGE[name](path)
    with pytest.raises(BundleError, match=r"a\.axilla"):
        read_bundle(path)


def test_the_logit_is_the_classifiers() -> None:
    (prediction,) = Predictor(clinical_bundle()).predict([patient(age=60.0)])
    assert prediction.probability == pytest.approx(1 / (1 + 2.718281828**-1.0), abs=1e-6)
    assert prediction.used == ("clinical",)


@pytest.mark.parametrize(
    "recalibration",
    [
        PlattMap(intercept=0.5, slope=2.0),
        IsotonicMap(probabilities=(0.1, 0.3, 0.8), recalibrated=(0.0, 0.2, 0.9)),
    ],
)
def test_a_map_travels_and_is_applied(
    tmp_path: Path, recalibration: PlattMap | IsotonicMap
) -> None:
    plain = clinical_bundle()
    mapped = plain.manifest.model_copy(update={"recalibration": recalibration})
    write_bundle(Bundle(mapped, plain.tensors), tmp_path / "a.axilla")
    back = read_bundle(tmp_path / "a.axilla")
    assert back.manifest.recalibration == recalibration
    case = [patient(age=60.0)]
    (before,), (after,) = Predictor(plain).predict(case), Predictor(back).predict(case)
    assert after.probability == float(recalibration.apply(before.probability))
    assert after.probability != before.probability
    assert after.by_modality == {"clinical": after.probability}


def test_a_bundle_from_before_there_were_maps_is_read(tmp_path: Path) -> None:
    write_bundle(clinical_bundle(), tmp_path / "a.axilla")
    rewrite(tmp_path / "a.axilla", lambda m: m.pop("recalibration"))
    assert read_bundle(tmp_path / "a.axilla").manifest == clinical_bundle().manifest


def test_the_threshold_itself_is_positive() -> None:
    (prediction,) = Predictor(clinical_bundle(threshold=0.5)).predict([patient(age=50.0)])
    assert prediction.probability == 0.5
    assert prediction.positive


def test_nothing_usable_and_tensors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BundleError, match="clinical"):
        Predictor(clinical_bundle()).predict([patient()])
    bundle = clinical_bundle()
    bundle.tensors["clinical.classifier.weight"] = torch.ones(1, 7)
    with pytest.raises(BundleError, match="do not fit"):
        Predictor(bundle)


def test_fused_patients_are_judged_alone() -> None:
    torch.manual_seed(0)
    single = clinical_bundle()
    part = single.manifest.modalities[0]
    fusion = fusions["multilayer"]([1]).eval()
    bundle = Bundle(
        single.manifest.model_copy(update={"strategy": "multilayer", "modalities": (part,)}),
        single.tensors | {f"fusion.{k}": v for k, v in fusion.state_dict().items()},
    )
    cases = [patient(age=float(age)) for age in range(30, 70)]
    together = [p.probability for p in Predictor(bundle).predict(cases)]
    alone = [Predictor(bundle).predict([case])[0].probability for case in cases]
    assert together == pytest.approx(alone, abs=1e-6)
