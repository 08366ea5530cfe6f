"""A trial runs where none of its files are: they are sent, and its result comes back alike."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from axilla.cohort.splits.folds import Fold, Split
from axilla.records.errors import StudyError
from axilla.training.candidate_cache import CachedCandidate, save
from axilla.training.candidates import GridPoint
from axilla.training.engine.ray_engine import Parcel, reroot_paths, run_relocated
from axilla.training.heads.hyperparameter_grid import HeadSearch

CPU = torch.device("cpu")
OLD, NEW = Path("/driver/study/results/cache"), Path("/node/scratch")
FOLD = Fold(1, 1, "fold 1", Split((0, 1), (2,)), (Split((0,), (1,)),))


@dataclass(frozen=True, slots=True)
class Doubling:
    """Writes twice what its input holds."""

    source: Path
    cache: Path
    weights: str = "a"

    @property
    def path(self):
        return self.cache / "trials" / f"{self.source.name}.{self.weights}.safetensors"

    @property
    def inputs(self):
        return (self.source,)

    def run(self, device):
        save(self.path, {"x": 2 * torch.from_numpy(np.load(self.source)).to(device)}, {})


@pytest.fixture
def trial(tmp_path):
    cache = tmp_path / "study" / "cache"
    (cache / "pixels").mkdir(parents=True)
    np.save(cache / "pixels" / "p.npy", np.arange(1000))
    return Doubling(cache / "pixels" / "p.npy", cache)


def parcel(path):
    return Parcel(path, path.stat().st_size, path.read_bytes())


def work(trial, parcels, scratch, *, name=None, fetched=None):
    def fetch(content):
        (fetched if fetched is not None else []).append(len(content))
        return np.frombuffer(content, np.uint8)

    name = name or trial.path.name
    return run_relocated(trial, parcels, name=name, scratch=scratch, device=CPU, fetch=fetch)


def test_every_path_below_the_cache_moves_and_nothing_else():
    kept = CachedCandidate(
        "m", "pathology", FOLD, torch.ones(3), torch.ones(3), 0.5, OLD / "trials" / "a", place=0
    )
    outside = Path("/driver/study/cohort.csv")
    plain = (GridPoint(1.0, 8), {"k": [1, None, "x"]}, outside)
    moved = reroot_paths((kept, [{"pathology": kept}], OLD, plain), OLD, NEW)
    assert moved[0].path == NEW / "trials" / "a"
    assert moved[1][0]["pathology"].path == NEW / "trials" / "a"
    assert moved[0].logits is kept.logits
    assert moved[0].fold is FOLD
    assert moved[2] == NEW
    assert moved[3] is plain
    assert kept.path == OLD / "trials" / "a"
    assert reroot_paths(HeadSearch, OLD, NEW) is HeadSearch


def test_without_the_files_they_are_fetched_once_and_the_result_is_the_same(trial, tmp_path):
    sent = [parcel(trial.source)]
    trial.run(CPU)
    here = trial.path.read_bytes()
    (tmp_path / "study").rename(tmp_path / "unreachable")
    scratch, fetched = tmp_path / "scratch", []
    for _ in range(2):
        assert work(trial, sent, scratch, fetched=fetched) == here
    assert fetched == [sent[0].size_bytes]
    assert not (scratch / "pixels" / "p.npy").is_symlink()
    assert not list((scratch / "trials").iterdir())
    assert scratch.stat().st_mode & 0o077 == 0


def test_where_the_files_are_they_are_read_in_place(trial, tmp_path):
    fetched = []
    work(trial, [parcel(trial.source)], tmp_path / "scratch", fetched=fetched)
    assert fetched == []
    assert (tmp_path / "scratch" / "pixels" / "p.npy").resolve() == trial.source


def test_a_file_of_another_size_in_its_place_is_not_used(trial, tmp_path):
    sent = [parcel(trial.source)]
    trial.run(CPU)
    here = trial.path.read_bytes()
    np.save(trial.source, np.arange(10))
    assert work(trial, sent, tmp_path / "scratch") == here


def test_other_weights_on_a_node_are_refused(trial, tmp_path):
    with pytest.raises(StudyError, match="AXILLA_WEIGHTS"):
        work(trial, [parcel(trial.source)], tmp_path / "scratch", name="other.safetensors")
