"""The engine runs what is missing and nothing else; what was kept is what comes back."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from axilla.cohort.splits.folds import Fold, Split
from axilla.records.errors import StudyError
from axilla.records.progress import Silent
from axilla.training.candidate_cache import digest_of_tensor, keep, load, save
from axilla.training.candidates import Candidate, ModelOutput, SearchRow
from axilla.training.engine.engine import Engine, is_finished
from axilla.training.engine.process_pool import local_workers

PATIENTS = 6
FOLDS = tuple(
    Fold(
        1,
        number,
        f"fold {number}",
        Split((0, 1, 2, 3), (4, 5)),
        (Split((0, 1), (2, 3)), Split((2, 3), (0, 1))),
    )
    for number in (1, 2)
)


@dataclass(frozen=True)
class Tiny:
    """Writes one tensor, and notes that it ran."""

    path: Path
    ran: list[str]
    fails: bool = False

    def run(self, device):
        self.ran.append(f"{self.path.stem} on {device}")
        if self.fails:
            raise ZeroDivisionError
        save(self.path, {"0.x": torch.arange(50.0)}, {"scores": [0.5]})


@pytest.fixture
def ran():
    return []


@pytest.fixture
def trials(tmp_path, ran):
    return [Tiny(tmp_path / "trials" / f"{name}.safetensors", ran) for name in "abc"]


def finish(trials):
    Engine(torch.device("cpu"), None).finish(trials, "Training", progress=Silent())


def test_only_what_is_missing_runs(trials, ran):
    finish(trials[1:2])
    assert ran == ["b on cpu"]
    finish(trials)
    assert ran == ["b on cpu", "a on cpu", "c on cpu"]
    finish(trials)
    assert len(ran) == 3
    assert all(is_finished(trial.path) for trial in trials)


@pytest.mark.parametrize("kept", [0, 4, 60, -1])
def test_a_truncated_result_is_computed_again(trials, ran, kept):
    finish(trials)
    path = trials[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    assert not is_finished(path)
    finish(trials)
    assert ran[3:] == ["a on cpu"]
    assert path.read_bytes() == whole


def test_a_file_of_something_else_is_no_result(tmp_path):
    path = tmp_path / "a.safetensors"
    assert not is_finished(path)
    path.write_text("words", encoding="utf-8")
    assert not is_finished(path)


def test_a_failing_trial_is_told_and_keeps_what_was_finished(trials, ran):
    broken = Tiny(trials[1].path, ran, fails=True)
    with pytest.raises(ZeroDivisionError):
        finish([trials[0], broken, trials[2]])
    assert [is_finished(trial.path) for trial in trials] == [True, False, False]
    assert [entry.name for entry in trials[0].path.parent.iterdir()] == ["a.safetensors"]
    finish(trials)
    assert [entry[0] for entry in ran] == ["a", "b", "b", "c"]


def test_a_killed_process_is_told_with_its_remedy(tmp_path):
    """As when memory runs out: `os._exit` ends a worker without a word."""
    trial = SimpleNamespace(path=tmp_path / "a.safetensors", run=os._exit)
    with (
        local_workers(jobs=1) as workers,
        pytest.raises(StudyError, match=r"killed from outside.*kept.*`--jobs 1`"),
    ):
        list(workers.run([trial], 9))


def test_a_workers_own_error_arrives_as_it_was(tmp_path):
    trial = SimpleNamespace(path=tmp_path / "a.safetensors", run=int)
    with local_workers(jobs=1) as workers, pytest.raises(ValueError, match="invalid literal"):
        list(workers.run([trial], "no number"))


def candidate_of(fold, rng):
    outputs = [
        ModelOutput(
            torch.randn(PATIENTS, 2, 3, generator=rng), torch.randn(PATIENTS, generator=rng)
        )
        for _ in range(3)
    ]
    outputs[-1].logits[5] = torch.nan
    inner_logits = torch.randn(PATIENTS, generator=rng)
    inner_logits[4:] = torch.nan
    shared = torch.randn(3, generator=rng)
    return Candidate(
        "pathology/plnet",
        "pathology",
        fold,
        inner=tuple(outputs[:-1]),
        outer=outputs[-1],
        inner_logits=inner_logits,
        inner_score=0.1 + 0.2 * fold.fold,
        parts={
            "classifier": {"weight": shared.view(1, 3), "bias": torch.zeros(1)},
            "backbone": {"blocks.0.1.weight": shared, "blocks.0.1.count": torch.tensor(4)},
        },
    )


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


def test_candidates_come_back_to_the_last_bit(tmp_path):
    rng = torch.Generator().manual_seed(1)
    candidates = [candidate_of(fold, rng) for fold in FOLDS]
    rows = [SearchRow("pathology/plnet", f.name, "rate x1, batch 8", 1 / 3, 0.25) for f in FOLDS]
    path = tmp_path / "new" / "result.safetensors"
    keep(path, candidates, rows)
    kept, back = load(path, FOLDS)
    assert back == rows
    assert is_finished(path)
    for ours, truth in zip(kept, candidates, strict=True):
        assert (ours.model, ours.modality, ours.fold) == (truth.model, truth.modality, truth.fold)
        assert ours.inner_score == truth.inner_score
        same(ours.logits, truth.outer.logits)
        same(ours.inner_logits, truth.inner_logits)
        for output, expected in zip(ours.outputs(), (*truth.inner, truth.outer), strict=True):
            same(output.embedding, expected.embedding)
            same(output.logits, expected.logits)
        same(ours.parts(), truth.parts)


def test_a_file_of_other_folds_is_not_read_as_these(tmp_path):
    path = tmp_path / "result.safetensors"
    keep(path, [candidate_of(FOLDS[0], torch.Generator().manual_seed(1))], [])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        load(path, FOLDS)


def test_a_tensors_digest_is_of_its_shape_and_bytes():
    tensor = torch.arange(6.0).view(2, 3)
    assert digest_of_tensor(tensor) == digest_of_tensor(tensor.T.contiguous().T)
    assert digest_of_tensor(tensor) != digest_of_tensor(tensor.view(3, 2))
    assert digest_of_tensor(tensor) != digest_of_tensor(tensor + 1)
