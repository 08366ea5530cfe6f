"""Nothing a test fold holds may reach training, early stopping, maps, thresholds or choices."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import read_study
from axilla.config.study import StudyConfig
from axilla.records.patients import Patient
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from axilla.training import stage
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import Engine
from axilla.training.prediction_tables import OperatingPoint, operating_point
from axilla.training.selected_models import best_fusion
from axilla.training.unimodal_training import TrainingInputs

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Trained:
    """What a study decided in its first fold, before any test patient is scored."""

    states: dict[str, dict[str, torch.Tensor]]
    inner_scores: dict[str, float]
    points: dict[str, OperatingPoint]
    fusions: dict[str, tuple[float, dict[str, torch.Tensor]]]
    chosen: str
    test_logits: dict[str, torch.Tensor]


def decide(
    config: StudyConfig, folder: Path, patients: list[Patient], plan: list[Patient]
) -> Trained:
    """Train the first fold of the plan made from `plan` on what `patients` hold."""
    fold = stage.plan_study(config, plan)[0]
    labels = torch.tensor([float(patient.label or 0) for patient in patients])
    engine = Engine(torch.device("cpu"), None)
    material = TrainingInputs(
        config, RunFolder(folder), patients, labels, (fold,), engine, Silent()
    )
    trained = stage.train_models(material)
    models = [*trained.unimodal.candidates, *trained.unimodal.baselines]
    validations = {
        kind: config.validation.model_copy(update={"recalibration": kind})
        for kind in ("none", "platt", "isotonic")
    }
    best = best_fusion(trained.fusions, fold)
    assert best is not None
    return Trained(
        states={f"{m.model} {part}": dict(s) for m in models for part, s in m.parts().items()},
        inner_scores={m.model: m.inner_score for m in models},
        points={
            f"{m.model} {kind}": operating_point(m.inner_logits, labels, validation=validation)
            for m in models
            for kind, validation in validations.items()
        },
        fusions={f.name: (f.inner_score, dict(f.state)) for f in trained.fusions},
        chosen=f"{best.name}: {[c.model for c in best.selected.values()]}",
        test_logits={m.model: m.logits[list(fold.outer.test)] for m in models},
    )


def test_test_fold_reaches_no_decision(
    tmp_path: Path, make_study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plant the leak everybody fears: swap the test fold's labels, and wreck its images and values.

    Every weight, projection, inner score, map, threshold and choice must stay as it was, to the
    bit; only the test patients' own predictions may move.
    """
    folder = make_study(tmp_path / "study")
    config = read_study(folder / "study.toml")
    honest = list(read_cohort(config, folder).patients)
    test = set(stage.plan_study(config, honest)[0].outer.test)
    poisoned = [
        replace(p, label=1 - (p.label or 0), clinical={"age": 999.0}) if n in test else p
        for n, p in enumerate(honest)
    ]
    before = decide(config, folder / "a", honest, honest)

    load = Pixels.load

    def wrecked(pixels: Pixels) -> torch.Tensor:
        planes = load(pixels).clone()
        for image in np.flatnonzero(np.isin(pixels.owner, list(test))):
            planes[image] = 255 - planes[image].flip(-1)
        return planes

    monkeypatch.setattr(Pixels, "load", wrecked)
    after = decide(config, folder / "b", poisoned, honest)

    assert before.chosen == after.chosen
    assert before.inner_scores == after.inner_scores
    assert before.points == after.points
    assert sum(point.recalibration is not None for point in before.points.values()) > 1
    for name, state in before.states.items():
        for key, tensor in state.items():
            torch.testing.assert_close(after.states[name][key], tensor, rtol=0, atol=0)
    for name, (score, state) in before.fusions.items():
        assert after.fusions[name][0] == score
        for key, tensor in state.items():
            torch.testing.assert_close(after.fusions[name][1][key], tensor, rtol=0, atol=0)
    moved = [m for m, z in before.test_logits.items() if not torch.equal(z, after.test_logits[m])]
    assert set(moved) >= {"ultrasound/squeezenet", "pathology/squeezenet", "pathology/plnet"}
