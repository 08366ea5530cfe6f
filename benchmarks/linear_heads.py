"""Nested heads and fusions against scikit-learn and AutoGluon: same embeddings, same folds.

The rival is what a careful user of scikit-learn writes: in every split a scaler, 64 principal
components and a logistic regression, its penalty chosen on the fold's inner splits. It keeps
nothing; axilla also writes the state of every head, its predictions of all patients and what was
tried, and can go on where it was stopped.
"""

import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from axilla.cohort.splits.folds import Fold
from axilla.models.allocator import keep_freed_memory
from axilla.records.progress import Silent
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.training.candidate_cache import CachedCandidate, load
from axilla.training.data.embeddings import EmbeddingPlan, load_embeddings, store_embeddings
from axilla.training.engine.engine import Engine
from axilla.training.engine.trials import FrozenTrial, FusionTrial
from axilla.training.fusion.fusion_heads import select_unimodal
from axilla.training.networks.optimisation import of_fusion, of_network
from axilla.training.stage import everybody_fold, plan_study
from axilla.training.unimodal_training import head_search
from benchmarks.common import Result, Sample, open_sample, table
from benchmarks.environments import create_environment, run_script
from benchmarks.running import alone

TARGET = 3.0
_NETWORKS = ("densenet121", "squeezenet")
_PENALTIES = (0.001, 0.01, 0.1)
_FUSIONS = ("concatenation", "weighting", "attention", "multilayer")
_COMPONENTS = 64
_AUTOGLUON = ("autogluon.tabular[lightgbm]~=1.4",)

Key = tuple[ImageModality, str]


def measure(*, quick: bool) -> Result:
    """Fit all heads of both sides in one thread, and count processor seconds."""
    keep_freed_memory()
    torch.set_num_threads(1)
    with threadpool_limits(1):  # what scikit-learn computes with
        return _measure(quick=quick)


def _measure(*, quick: bool) -> Result:
    networks = _NETWORKS[1:] if quick else _NETWORKS
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root))
        config = sample.config
        folds = (*plan_study(config, sample.patients), everybody_fold(config, sample.patients))
        plans = _embed(sample, networks)
        embeddings = {key: load_embeddings(plan.path, plan.pixels) for key, plan in plans.items()}
        ours, auc = _axilla(sample, plans, folds)
        labels = sample.labels.numpy()
        theirs: dict[str, float] = {}
        for (modality, name), embedding in embeddings.items():
            x = embedding[:, 0].numpy()
            theirs[f"{modality}/{name}"] = _scikit_learn(x, labels, folds)
        joined = np.concatenate(
            [embeddings[m, networks[0]][:, 0] for m in IMAGE_MODALITIES], axis=1
        )
        start = time.process_time()
        rival_auc = _nested(joined, labels, folds)
        theirs |= dict.fromkeys(_FUSIONS, time.process_time() - start)
        autogluon = {} if quick else _fit_autogluon(joined, labels, folds, Path(root))
    fits = sum(len(fold.inner) + 1 for fold in folds) * len(_PENALTIES)
    return {
        "target": TARGET,
        "fits": fits,
        "axilla": ours,
        "scikit_learn": theirs,
        "auc": {"axilla, concatenation": auc, "scikit-learn, concatenation": rival_auc},
        "autogluon": autogluon,
        "ratio": sum(ours.values()) / sum(theirs.values()),
    }


def report(result: Result) -> list[str]:
    """One line per model, then the whole."""
    fits = result["fits"]
    rows = [
        [
            name,
            fits,
            f"{1000 * ours / fits:.1f}",
            f"{1000 * result['scikit_learn'][name] / fits:.1f}",
        ]
        for name, ours in result["axilla"].items()
    ]
    aucs = ", ".join(f"{name} {value:.3f}" for name, value in result["auc"].items())
    header = ["Model", "Fits", "axilla, processor ms per fit", "scikit-learn, the same"]
    ratio = (
        f"Ratio of processor seconds for the same number of fits: {result['ratio']:.2f} (target: "
        f"at most {result['target']:.0f}). AUC out of fold: {aucs}."
    )
    return [ratio, "", *table(header, rows), *_format_autogluon(result)]


def _format_autogluon(result: Result) -> list[str]:
    if not (found := result["autogluon"]):
        return []
    concatenation = result["axilla"]["concatenation"]
    said = (
        f"AutoGluon {found['version']} (tabular, `medium_quality`, with LightGBM) on DenseNet121's "
        "embeddings of both modalities side by side, once in each of five outer folds: "
        f"{found['fits']} models, {found['processor_s']:.0f} processor seconds, AUC out of fold "
        f"{found['auc']:.3f}. axilla's concatenation, nested choice included, took "
        f"{concatenation:.1f} s."
    )
    return ["", said]


def _embed(sample: Sample, networks: Sequence[str]) -> dict[Key, EmbeddingPlan]:
    plans = {
        (modality, name): EmbeddingPlan(
            *(name, sample.pixels(modality), sample.config.preprocessing),
            pretrained=True,
            seed=0,
            cache=sample.folder.cache,
        )
        for modality in IMAGE_MODALITIES
        for name in networks
    }
    engine = Engine(torch.device("cpu"), None)
    store_embeddings(list(plans.values()), engine, progress=Silent())
    return plans


def _axilla(
    sample: Sample, plans: dict[Key, EmbeddingPlan], folds: Sequence[Fold]
) -> tuple[dict[str, float], float]:
    """Return the processor seconds of each trial as a study runs it, and concatenation's AUC."""
    config, device = sample.config, torch.device("cpu")
    labels = tuple(int(label) for label in sample.labels)
    seconds: dict[str, float] = {}
    kept: list[CachedCandidate] = []
    for (modality, name), plan in plans.items():
        trial = FrozenTrial(
            *(name, plan.pixels, plan.path, labels, tuple(folds), head_search(config)),
            of_network(name, config.training.of(name)),
            seed=config.study.seed,
            cache=sample.folder.cache,
            pooling="mean",
        )
        start = time.process_time()
        trial.run(device)
        seconds[f"{modality}/{name}"] = time.process_time() - start
        kept += load(trial.path, folds)[0]
    selected = tuple(
        select_unimodal([one for one in kept if one.fold == fold], IMAGE_MODALITIES)
        for fold in folds
    )
    auc = 0.0
    for name in _FUSIONS:
        fusion = FusionTrial(
            *(name, selected, labels, head_search(config), of_fusion(config.training.of(name))),
            seed=config.study.seed,
            cache=sample.folder.cache,
        )
        start = time.process_time()
        fusion.run(device)
        seconds[name] = time.process_time() - start
        if name == "concatenation":
            logits = np.zeros(len(labels))
            for candidate in fusion.load()[0]:
                test = list(candidate.fold.outer.test)
                logits[test] = candidate.logits[test].numpy()
            auc = float(roc_auc_score(labels, logits))
    return seconds, auc


def _fit_autogluon(x: np.ndarray, labels: np.ndarray, folds: Sequence[Fold], root: Path) -> Result:
    """Let AutoGluon choose among its models in every outer fold, on the same embeddings."""
    fold = np.zeros(len(labels), dtype=int)
    for number, one in enumerate(folds):
        fold[list(one.outer.test)] = number
    np.savez(root / "table.npz", x=x, y=labels.astype(int), fold=fold)
    return run_script(
        create_environment("autogluon", _AUTOGLUON), "autogluon_runner.py", root, folder=root
    )


def _scikit_learn(x: np.ndarray, labels: np.ndarray, folds: Sequence[Fold]) -> float:
    start = time.process_time()
    _nested(x, labels, folds)
    return time.process_time() - start


def _nested(x: np.ndarray, labels: np.ndarray, folds: Sequence[Fold]) -> float:
    """Fit every penalty on every split, choose inside each fold; return the AUC out of fold."""
    scores = np.zeros(len(labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for fold in folds:
            inner = [_fit(x, labels, split.train) for split in fold.inner]
            outer = _fit(x, labels, fold.outer.train)

            def rank(penalty: float, inner: list[dict[float, np.ndarray]] = inner) -> float:
                joined = [
                    (labels[list(split.test)], values[penalty][list(split.test)])
                    for split, values in zip(fold.inner, inner, strict=True)  # noqa: B023
                ]
                return float(roc_auc_score(*map(np.concatenate, zip(*joined, strict=True))))

            test = list(fold.outer.test)
            scores[test] = outer[max(_PENALTIES, key=rank)][test]
    return float(roc_auc_score(labels, scores))


def _fit(x: np.ndarray, labels: np.ndarray, train: Sequence[int]) -> dict[float, np.ndarray]:
    """Return by penalty what a regression on components, which are fitted once, says of all."""
    rows = list(train)
    reduce = make_pipeline(StandardScaler(), PCA(_COMPONENTS, random_state=0)).fit(x[rows])
    components = reduce.transform(x)
    found = {}
    for penalty in _PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=1000).fit(components[rows], labels[rows])
        found[penalty] = model.decision_function(components)
    return found


if __name__ == "__main__":
    alone("linear_heads")
