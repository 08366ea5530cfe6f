"""d. Fusion heads against fusilli 2: same embeddings, folds, epochs and batch size.

fusilli gets an environment of its own, made on first use: it wants numpy 1 and torchmetrics 0, and
is installed without its dependencies because its pin of setuptools excludes current torch.
"""

import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from axilla.cohort.splits.folds import plan_folds
from axilla.models.allocator import keep_freed_memory
from axilla.models.fusion import fusions
from axilla.records.progress import Silent
from axilla.training.data.embeddings import EmbeddingPlan, load_embeddings, store_embeddings
from axilla.training.data.projection import fit_projection
from axilla.training.engine.engine import Engine
from axilla.training.heads.batched_training import HeadTrial, Schedule, train_stacked
from axilla.training.networks.optimisation import FUSION_HALVE_EVERY, FUSION_RATE, Optimisation
from benchmarks.common import Result, Sample, compared, open_sample, seconds_of, spread, table
from benchmarks.environments import create_environment, run_script
from benchmarks.running import alone

TARGET = 15.0
PAIRS = {
    "concatenation": "ConcatTabularData",
    "attention": "TabularChannelWiseMultiAttention",
    "multilayer": "ConcatTabularFeatureMaps",
}
_EPOCHS, _BATCH, _COMPONENTS, _THREADS = 30, 16, 64, 1
_WANTED = (
    *("lightning~=2.0", "numpy~=1.25", "pandas~=2.0", "torchmetrics<1", "matplotlib~=3.5"),
    *("scikit-learn~=1.0", "torch-geometric~=2.0", "torch~=2.13", "setuptools<81", "tqdm"),
)

Splits = list[tuple[tuple[int, ...], tuple[int, ...]]]


def measure(*, quick: bool) -> Result:
    """Train each pair's strategies in five folds, in turn; one thread for both."""
    keep_freed_memory()
    torch.set_num_threads(_THREADS)
    epochs, rounds = (3, 1) if quick else (_EPOCHS, 3)
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root))
        embeddings, splits = _embeddings(sample), _splits(sample)
        theirs = _Fusilli(Path(root), embeddings, sample.labels, splits)
        _train(embeddings, sample.labels, splits, epochs=epochs)  # not measured
        timed = [
            (
                theirs.train(epochs),
                _train(embeddings, sample.labels, splits, epochs=epochs),
                _train(embeddings, sample.labels, splits * 4, epochs=epochs),
            )
            for _ in range(rounds)
        ]
    per = {}
    for name, other in PAIRS.items():
        reports = [one[other] for one, _, _ in timed]
        fitting, whole = ([one[key] for one in reports] for key in ("fitting", "whole"))
        ours, nested = [one[name] for _, one, _ in timed], [one[name] for _, _, one in timed]
        head = fusions[name]([_COMPONENTS] * 2)
        per[name] = {
            "parameters": sum(p.numel() for p in head.parameters()),
            "reference_parameters": reports[0]["parameters"],
            "same_heads": compared(fitting, ours),
            "nested": compared([4 * seconds for seconds in fitting], nested),
            "whole_call": compared(whole, ours),
        }
    return {"target": TARGET, "heads": len(splits), "epochs": epochs, "batch": _BATCH, "per": per}


def report(result: Result) -> list[str]:
    """One line per pair."""
    rows = [
        [
            f"{name} / {PAIRS[name]}",
            f"{one['parameters']} / {one['reference_parameters']}",
            f"{1000 * one['same_heads']['reference_s'] / result['heads']:.0f}",
            f"{1000 * one['same_heads']['axilla_s'] / result['heads']:.1f}",
            *(spread(one[key]) for key in ("same_heads", "nested", "whole_call")),
        ]
        for name, one in result["per"].items()
    ]
    header = [
        *("Strategy, axilla / fusilli", "Parameters", "fusilli, ms per head"),
        *("axilla, ms per head", "Ratio, training steps"),
        *("Ratio, with inner splits beside", "Ratio, fusilli's whole call"),
    ]
    aim = f"Target: at least {result['target']:.0f}, training steps alone."
    return [aim, "", *table(header, rows)]


def _splits(sample: Sample) -> Splits:
    folds = plan_folds(
        labels=[p.label or 0 for p in sample.patients],
        groups=[p.group for p in sample.patients],
        sites=[p.site for p in sample.patients],
        validation=sample.config.validation,
        seed=sample.config.study.seed,
    )
    return [(fold.outer.train, fold.outer.test) for fold in folds]


def _train(
    embeddings: list[torch.Tensor], labels: torch.Tensor, splits: Splits, *, epochs: int
) -> dict[str, float]:
    """Return seconds per strategy of training one head per split, and predicting everybody."""
    optimisation = Optimisation("adamw", FUSION_RATE, FUSION_HALVE_EVERY)
    schedule = Schedule(optimisation, batch_size=_BATCH, epochs=epochs)
    trials = [_trial(embeddings, train) for train, _ in splits]
    return {
        name: seconds_of(partial(train_stacked, fusions[name], trials, labels, schedule=schedule))
        for name in PAIRS
    }


def _embeddings(sample: Sample) -> list[torch.Tensor]:
    stored = []
    for modality in ("ultrasound", "pathology"):
        pixels = sample.pixels(modality)
        plan = EmbeddingPlan(
            *("squeezenet", pixels, sample.config.preprocessing),
            pretrained=True,
            seed=0,
            cache=sample.folder.cache,
        )
        store_embeddings([plan], Engine(torch.device("cpu"), None), progress=Silent())
        stored.append(load_embeddings(plan.path, pixels))
    return [fit_projection(e, components=_COMPONENTS)(e) for e in stored]


def _trial(embeddings: list[torch.Tensor], train: tuple[int, ...]) -> HeadTrial:
    patients = len(embeddings[0])
    return HeadTrial(
        embeddings=tuple(embeddings),
        logits=torch.zeros(patients, 2),
        present=torch.ones(patients, 2, dtype=torch.bool),
        train=torch.tensor(train),
        seed=1,
    )


class _Fusilli:
    """fusilli in its own environment, on tables of the embeddings' served views."""

    def __init__(
        self, root: Path, embeddings: list[torch.Tensor], labels: torch.Tensor, splits: Splits
    ) -> None:
        self._root = root
        self._python = create_environment(
            "fusilli", _WANTED, without_dependencies=["fusilli==2.0.0"]
        )
        for name, embedding in zip(("one", "two"), embeddings, strict=True):
            values = embedding.mean(1).numpy()
            header = ",".join(
                ["ID", *(f"f{i}" for i in range(values.shape[1])), "prediction_label"]
            )
            rows = np.column_stack([np.arange(len(values)), values, labels.int().numpy()])
            np.savetxt(root / f"{name}.csv", rows, delimiter=",", header=header, comments="")
        (root / "folds.json").write_text(json.dumps(splits), encoding="utf-8")

    def train(self, epochs: int) -> dict[str, Result]:
        numbers = (epochs, _BATCH, _THREADS)
        return run_script(
            self._python, "fusilli_runner.py", self._root, *numbers, folder=self._root
        )


if __name__ == "__main__":
    alone("heads")
