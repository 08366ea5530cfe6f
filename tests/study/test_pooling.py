"""A study of bags whose pooling is learnt: run, repeated with other jobs, predicted elsewhere."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import axilla
from axilla.cli.main import app
from axilla.cohort.cohort_reader import read_cases, read_cohort
from axilla.cohort.cohort_schema import CohortSchema
from axilla.config.load import read_study
from axilla.inference.bundle import read_bundle
from axilla.inference.predictor import Prediction, Predictor
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from axilla.training import stage

pytestmark = pytest.mark.slow

LIGHT = (
    ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["squeezenet"]'),
    ('pathology = ["squeezenet", "plnet"]', 'pathology = ["squeezenet"]\npooling = "attention"'),
    ("batch_sizes = [8, 16]", "batch_sizes = [8]"),
    ("fuse = [", 'fusion = ["multilayer"]\nclinical = []\nfuse = ['),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, make_study: Callable[..., Path]) -> Path:
    """Return a finished study whose pathology cells hold one to three tiles, each tile once."""
    folder = make_study(tmp_path_factory.mktemp("pooling") / "study", *LIGHT)
    sample = Path(axilla.__file__).parent / "sample"
    whole = pd.read_csv(sample / "cohort.csv", dtype=str)
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    for donor, cases in table.groupby("pathology_donor"):
        others = whole.loc[whole["pathology_donor"] == donor, "pathology"]
        others = others[~others.isin(table["pathology"])].tolist()
        for number, row in enumerate(cases.index):
            more, others = others[:number], others[number:]
            for name in more:
                shutil.copy(sample / name, folder / name)
            table.loc[row, "pathology"] = ";".join([table.loc[row, "pathology"], *more])
    table.to_csv(folder / "cohort.csv", index=False)
    result = CliRunner().invoke(app, ["run", str(folder), "--jobs", "2"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def predicted(study: Path) -> list[Prediction]:
    bundle = read_bundle(study / "results" / "bundle.axilla")
    wanted = CohortSchema(tuple(part.modality for part in bundle.manifest.modalities))
    return Predictor(bundle).predict(read_cases(study / "cohort.csv", wanted).patients)


@pytest.fixture(scope="module")
def final(study: Path) -> stage.FoldModels:
    """Return what the training stage returns when it trains everything again in one process."""
    fresh = study.parent / "fresh"
    shutil.copytree(study, fresh, ignore=shutil.ignore_patterns("results"))
    config = read_study(fresh / "study.toml", compute={"jobs": 1})
    return stage.run(config, RunFolder(fresh), read_cohort(config, fresh), Silent())


def test_another_number_of_jobs_gives_the_same_bytes(study: Path, final: stage.FoldModels) -> None:
    ours, theirs = (
        (folder / "results" / "predictions.csv").read_bytes()
        for folder in (study, study.parent / "fresh")
    )
    assert ours == theirs
    tensors = read_bundle(study / "results" / "bundle.axilla").tensors
    for modality, chosen in final.selected.items():
        for name, tensor in chosen.parts()["pooling"].items():
            assert torch.equal(tensors[f"{modality}.pooling.{name}"].float(), tensor)


def test_every_patient_is_predicted_once_by_every_model(study: Path) -> None:
    predictions = pd.read_csv(study / "results" / "predictions.csv")
    counts = predictions.groupby("model")["patient_id"].nunique()
    assert {"pathology/squeezenet", "multilayer"} <= set(counts.index)
    assert (counts == 24).all()


def test_the_bundle_predicts_as_the_models_it_was_made_of(
    study: Path, predicted: list[Prediction], final: stage.FoldModels
) -> None:
    manifest = read_bundle(study / "results" / "bundle.axilla").manifest
    assert {part.pooling for part in manifest.modalities} == {"attention"}
    assert final.fusion is not None
    np.testing.assert_allclose(
        [prediction.probability for prediction in predicted],
        final.fusion.logits.double().sigmoid(),
        atol=1e-5,
    )
    for modality, chosen in final.fusion.selected.items():
        alone = [prediction.by_modality[modality] for prediction in predicted]
        np.testing.assert_allclose(alone, chosen.logits.double().sigmoid(), atol=1e-5)


def test_every_image_has_its_share(predicted: list[Prediction]) -> None:
    sizes = set()
    for prediction in predicted:
        assert set(prediction.attention) == {"ultrasound", "pathology"}
        for told in prediction.attention.values():
            assert sum(share for _, share in told) == pytest.approx(1, abs=1e-5)
        sizes.add(len(prediction.attention["pathology"]))
    assert {1, 2} <= sizes
