"""A study trained again on fewer patients: the same test patients, and nothing learnt of them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import read_study
from axilla.config.study import StudyConfig
from axilla.evaluation.stage import evaluate
from axilla.records.errors import CohortError
from axilla.records.patients import Patient
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import LEARNING_CURVE_PREDICTIONS, PREDICTIONS
from axilla.training import stage
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import Engine
from axilla.training.learning_curve_run import plan_steps
from axilla.training.prediction_tables import operating_point
from axilla.training.unimodal_training import TrainingInputs

pytestmark = pytest.mark.slow

SHARE = 0.7
# Four donors of a class: three of each train, two of them in the smaller share.
SMALL = (
    ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["squeezenet"]'),
    (
        'pathology = ["squeezenet", "plnet"]',
        'pathology = ["squeezenet"]\nfusion = ["voting", "multilayer"]',
    ),
    ("head_epochs = 6", "head_epochs = 3"),
    (
        "[validation]\nfolds = 2",
        f"[evaluation]\nlearning_shares = [0.2, {SHARE}]\n[validation]\nfolds = 4",
    ),
)


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output if "--json" not in arguments else result.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, make_study: Callable[..., Path]) -> Path:
    folder = make_study(tmp_path_factory.mktemp("learning") / "study", *SMALL)
    config, place = read_study(folder / "study.toml", compute={"jobs": 1}), RunFolder(folder)
    cohort = read_cohort(config, folder)
    stage.run(config, place, cohort, Silent())
    evaluate(config, place, cohort)
    return folder


def trials(folder: Path) -> dict[str, float]:
    files = (folder / "results" / "cache" / "trials").glob("*.safetensors")
    return {path.name: path.stat().st_mtime for path in files}


def test_the_curve_ends_at_the_study_itself(finished: Path) -> None:
    """All patients cost no trial, and give the predictions that the study has."""
    before = trials(finished)
    output = invoke("plan", finished, "--learning-curve")
    assert "0.2 left out" in output
    after = trials(finished)
    assert {name: after[name] for name in before} == before

    curve = pd.read_csv(finished / "results" / "learning_curve_predictions.csv")
    assert tuple(curve.columns) == LEARNING_CURVE_PREDICTIONS
    assert sorted(set(curve["share"])) == [SHARE, 1.0]
    assert set(curve["model"]) == {
        "ultrasound/squeezenet", "pathology/squeezenet", "clinical/logistic", "multilayer",
        "selected", "single/selected",
    }  # fmt: skip
    predictions = pd.read_csv(finished / "results" / "predictions.csv")
    whole = curve[curve["share"] == 1][list(PREDICTIONS)].reset_index(drop=True)
    followed = predictions[predictions["model"].isin(set(curve["model"]))]
    order = ["model", "patient_id"]
    pd.testing.assert_frame_equal(
        whole.sort_values(order, ignore_index=True), followed.sort_values(order, ignore_index=True)
    )
    fewer = curve[curve["share"] == SHARE]
    assert set(fewer["patient_id"]) == set(whole["patient_id"])
    assert (fewer["training_patients"] == 12).all()
    assert (curve[curve["share"] == 1]["training_patients"] == 18).all()
    moved = fewer[fewer["model"] == "multilayer"]["probability"].to_numpy()
    assert not np.allclose(moved, whole[whole["model"] == "multilayer"]["probability"])

    metrics = pd.read_csv(finished / "results" / "metrics.csv").set_index(["model", "metric"])
    table = pd.read_csv(finished / "results" / "learning_curve.csv")
    for row in table[table["share"] == 1].itertuples():
        stated = metrics.loc[(row.model, "auc")]
        assert (row.value, row.low, row.high) == pytest.approx(
            (stated["value"], stated["low"], stated["high"]), nan_ok=True
        )


def test_drawn_again_nothing_is_trained(finished: Path) -> None:
    first = invoke("plan", finished, "--learning-curve", "--json")
    before = trials(finished)
    content = (finished / "results" / "learning_curve.csv").read_bytes()
    second = invoke("plan", finished, "--learning-curve", "--json")
    assert trials(finished) == before
    assert (finished / "results" / "learning_curve.csv").read_bytes() == content
    said = json.loads(first)
    assert said == json.loads(second)
    assert {point["metric"] for point in said["learning_curve"]} == {"auc"}


def test_another_cohort_than_that_of_the_results_is_refused(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "study")
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    table.assign(age="50").to_csv(folder / "cohort.csv", index=False)
    result = CliRunner().invoke(app, ["plan", str(folder), "--learning-curve"])
    assert result.exit_code == 1
    assert "another cohort" in result.output
    assert "axilla run" in result.output


def decisions(
    config: StudyConfig, folder: Path, patients: list[Patient], plan: list[Patient]
) -> dict[str, Any]:
    """What the smaller share's first fold decides of models, and says of its test patients."""
    labels = torch.tensor([float(patient.label or 0) for patient in patients])
    step = plan_steps(config, plan)[0][0]
    assert step.share == SHARE
    fold = step.folds[0]
    engine = Engine(torch.device("cpu"), None)
    material = TrainingInputs(
        config, RunFolder(folder), patients, labels, (fold,), engine, Silent()
    )
    trained = stage.train_models(material)
    scored = stage.scored_models(fold, trained)
    states = {f"{k.model} {part}": dict(s) for k in trained.unimodal.candidates
              for part, s in k.parts().items()}  # fmt: skip
    return {
        "states": states | {f"{f.name} fusion": dict(f.state) for f in trained.fusions},
        "inner": {m.model: m.inner_logits for m in scored},
        "points": {
            m.model: operating_point(m.inner_logits, labels, validation=config.validation)
            for m in scored
        },
        "test": {m.model: m.logits[list(fold.outer.test)] for m in scored},
    }


def test_no_test_patient_and_nobody_left_out_reaches_a_decision(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swap labels, wreck images and values of the test fold and of those whom the share drops."""
    config = read_study(finished / "study.toml")
    honest = list(read_cohort(config, finished).patients)
    train = set(plan_steps(config, honest)[0][0].folds[0].outer.train)
    others = [n for n in range(len(honest)) if n not in train]
    poisoned = [
        p if n in train else replace(p, label=1 - (p.label or 0), clinical={"age": 999.0})
        for n, p in enumerate(honest)
    ]
    before = decisions(config, tmp_path / "a", honest, honest)
    load = Pixels.load

    def wrecked(pixels: Pixels) -> torch.Tensor:
        planes = load(pixels).clone()
        for image in np.flatnonzero(np.isin(pixels.owner, others)):
            planes[image] = 255 - planes[image].flip(-1)
        return planes

    monkeypatch.setattr(Pixels, "load", wrecked)
    after = decisions(config, tmp_path / "b", poisoned, honest)
    assert before["points"] == after["points"]
    for name, state in before["states"].items():
        for key, tensor in state.items():
            torch.testing.assert_close(after["states"][name][key], tensor, rtol=0, atol=0)
    for name, logits in before["inner"].items():
        torch.testing.assert_close(after["inner"][name], logits, rtol=0, atol=0, equal_nan=True)
    moved = {m for m, z in before["test"].items() if not torch.equal(z, after["test"][m])}
    assert moved >= {"ultrasound/squeezenet", "pathology/squeezenet", "multilayer"}


def test_smaller_training_sets_are_clean_and_nested(finished: Path) -> None:
    config = read_study(finished / "study.toml")
    patients = list(read_cohort(config, finished).patients)
    (fewer, whole), left_out = plan_steps(config, patients)
    assert (whole.share, left_out) == (1.0, (0.2,))
    for small, large in zip(fewer.folds, whole.folds, strict=True):
        assert small.outer.test == large.outer.test
        assert set(small.outer.train) < set(large.outer.train)
        for split in small.inner:
            assert set(split.train) | set(split.test) == set(small.outer.train)
        groups = [{patients[p].group for p in side} for side in (small.outer.train,
                                                                small.outer.test)]  # fmt: skip
        assert not groups[0] & groups[1]


def test_too_small_shares_are_one_clear_error(finished: Path) -> None:
    config = read_study(finished / "study.toml")
    tiny = config.model_copy(
        update={"evaluation": config.evaluation.model_copy(update={"learning_shares": (0.1,)})}
    )
    patients = list(read_cohort(config, finished).patients)
    with pytest.raises(CohortError, match=r"learning_shares: found 0\.1; expected a share that"):
        plan_steps(tiny, patients)
