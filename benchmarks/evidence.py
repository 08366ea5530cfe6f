"""Statistics: do 95 % intervals cover 95 %, and what do they cost beside a loop of scikit-learn?

Coverage: patients are simulated with scores of two normal distributions, so the true AUC and the
true sensitivity are known; the share of intervals that hold them is counted. The paired
difference is simulated under the null, two models of equal AUC with correlated scores.
"""

import functools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator
from scipy.stats import norm
from sklearn import metrics as sk

from axilla.evaluation.comparisons.comparisons_table import BOOTSTRAPPED
from axilla.evaluation.comparisons.paired_tests import auc_difference
from axilla.evaluation.intervals.confidence_intervals import DRAWS, bca_intervals, resample, wilson
from axilla.evaluation.metrics.delong import auc_interval
from axilla.evaluation.metrics.weighted_metrics import metrics_of
from axilla.evaluation.prediction_arrays import ModelPredictions
from benchmarks.common import Result, seconds_of, table
from benchmarks.running import alone

COVERED = (0.93, 0.97)
LONGEST_BOOTSTRAP_S = LONGEST_DELONG_S = 2.0
_SIZES = ((33, 31), (107, 104))
_AUCS = (0.7, 0.85, 0.95)
_SENSITIVITIES = (0.7, 0.85)
_CORRELATION = 0.5
_MODELS, _PATIENTS, _MANY = 20, 211, 100_000

_SKLEARN: dict[str, Callable[..., float]] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "specificity": functools.partial(sk.recall_score, pos_label=0),
    "npv": functools.partial(sk.precision_score, pos_label=0),
    "f1": sk.f1_score,
    "mcc": sk.matthews_corrcoef,
    "auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "brier": sk.brier_score_loss,
}
_OF_PROBABILITIES = ("auc", "average_precision", "brier", "ece")


def measure(*, quick: bool) -> Result:
    """Count coverage, then time the bootstrap of many models and DeLong on many patients."""
    rounds = 200 if quick else 10_000
    rng = np.random.default_rng(2025)
    coverage = [one for size in _SIZES for one in _coverage(*size, rounds=rounds, rng=rng)]
    return {
        "rounds": rounds,
        "coverage": coverage,
        "bootstrap": _bootstrap(rng, loops=1 if quick else 5),
        "delong": _delong(rng, loops=1 if quick else 5),
    }


def report(result: Result) -> list[str]:
    """Coverage by size and estimate, then both times."""
    low, high = COVERED
    rows = [
        [
            f"{one['n']} ({one['n_positive']})",
            one["estimate"],
            f"{one['covered']:.3f}",
            "yes" if low <= one["covered"] <= high else "**no**",
            f"{one['plain']:.3f}" if one["plain"] is not None else "",
        ]
        for one in result["coverage"]
    ]
    header = [
        *("Patients (positive)", "Estimate", "Covered", f"within {low:.0%} to {high:.0%}"),
        "DeLong's plain symmetric interval",
    ]
    error = 1.96 * (0.95 * 0.05 / result["rounds"]) ** 0.5
    return [
        f"{result['rounds']:,} simulated cohorts each; Monte Carlo error about {error:.3f}.",
        "",
        *table(header, rows),
        "",
        _bootstrap_sentence(**result["bootstrap"]),
        "",
        _delong_sentence(**result["delong"]),
    ]


def _bootstrap_sentence(*, axilla_s: float, loop_draws: int, loop_s: float) -> str:
    return (
        f"{DRAWS:,} bootstrap draws of {_MODELS} models x {len(BOOTSTRAPPED)} metrics on "
        f"{_PATIENTS} patients, with BCa intervals: {axilla_s:.2f} s (target: under "
        f"{LONGEST_BOOTSTRAP_S:.0f} s). The loop of scikit-learn's functions, {loop_draws} draws "
        f"timed and scaled: {loop_s:.0f} s, {loop_s / axilla_s:.0f} times as long."
    )


def _delong_sentence(*, axilla_s: float, paired_s: float, loop_draws: int, loop_s: float) -> str:
    return (
        f"AUC with DeLong's interval on {_MANY:,} patients: {axilla_s:.3f} s, the paired test of "
        f"two models: {paired_s:.3f} s (target: under {LONGEST_DELONG_S:.0f} s). {DRAWS:,} "
        f"bootstrap draws of `roc_auc_score`, {loop_draws} timed and scaled: {loop_s:.0f} s."
    )


def _coverage(positives: int, negatives: int, *, rounds: int, rng: Generator) -> Iterator[Result]:
    size = {"n": positives + negatives, "n_positive": positives}
    labels = np.repeat([1, 0], [positives, negatives])
    for auc in _AUCS:
        held, plain = np.mean([_auc_held(labels, auc, rng) for _ in range(rounds)], axis=0).tolist()
        yield size | {"estimate": f"AUC {auc}", "covered": held, "plain": plain}
    for share in _SENSITIVITIES:
        found = rng.binomial(positives, share, size=rounds) / positives
        bounds = [wilson(float(value), positives) for value in found]
        held = float(np.mean([low <= share <= high for low, high in bounds]))
        yield size | {"estimate": f"sensitivity {share}", "covered": held, "plain": None}
    for auc in _AUCS:
        held = float(np.mean([_no_difference_held(labels, auc, rng) for _ in range(rounds)]))
        yield (
            size
            | {"estimate": f"difference of two AUCs of {auc}", "covered": held}
            | {"plain": None}
        )


def _auc_held(labels: np.ndarray, auc: float, rng: Generator) -> tuple[bool, bool]:
    """Whether the interval holds the AUC, and whether DeLong's plain one would."""
    scores = rng.normal(size=len(labels)) + norm.ppf(auc) * 2**0.5 * labels
    estimate, interval = auc_interval(labels, scores)
    pairs = scores[labels == 1][:, None] > scores[labels == 0]
    variance = sum(pairs.mean(axis=k).var(ddof=1) / pairs.shape[1 - k] for k in (0, 1))
    plain = abs(estimate - auc) <= norm.ppf(0.975) * variance**0.5
    return interval.low <= auc <= interval.high, bool(plain)


def _no_difference_held(labels: np.ndarray, auc: float, rng: Generator) -> bool:
    noise = rng.multivariate_normal(
        [0, 0], [[1, _CORRELATION], [_CORRELATION, 1]], size=len(labels)
    ).T
    scores = noise + norm.ppf(auc) * 2**0.5 * labels
    one, other = (
        _model(labels, norm.cdf(row), name) for row, name in zip(scores, "ab", strict=True)
    )
    interval = auc_difference(one, other).interval
    return bool(interval.low <= 0 <= interval.high)


def _model(labels: np.ndarray, chances: np.ndarray, name: str) -> ModelPredictions:
    n = len(labels)
    return ModelPredictions(
        model=name,
        kind="unimodal",
        patients=tuple(f"P{number}" for number in range(n)),
        labels=labels,
        clusters=np.arange(n),
        probabilities=chances[None],
        calls=(chances[None] >= 0.5).astype(float),  # noqa: PLR2004
        folds=np.zeros((1, n)),
    )


def _bootstrap(rng: Generator, *, loops: int) -> Result:
    labels = rng.permutation(np.arange(_PATIENTS) % 2)
    chances = [norm.cdf(rng.normal(size=_PATIENTS) + labels - 0.5) for _ in range(_MODELS)]
    models = [_model(labels, one, f"m{k}") for k, one in enumerate(chances)]

    def ours() -> None:
        statistic = metrics_of(models, BOOTSTRAPPED)
        bca_intervals(resample(statistic, clusters=_PATIENTS, rng=rng))

    def loop() -> None:
        for _ in range(loops):
            drawn = rng.integers(0, _PATIENTS, _PATIENTS)
            for one in chances:
                _every_metric(labels[drawn], one[drawn])

    ours()
    return {
        "axilla_s": min(seconds_of(ours) for _ in range(3)),
        "loop_draws": loops,
        "loop_s": seconds_of(loop) * DRAWS / loops,
    }


def _every_metric(labels: np.ndarray, chances: np.ndarray) -> list[float]:
    calls = chances >= 0.5  # noqa: PLR2004
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = [
            metric(labels, chances if name in _OF_PROBABILITIES else calls)
            for name, metric in _SKLEARN.items()
        ]
    bins = np.minimum((chances * 10).astype(int), 9)
    gaps = [abs((labels - chances)[bins == number].sum()) for number in range(10)]
    return [*values, sum(gaps) / len(labels)]


def _delong(rng: Generator, *, loops: int) -> Result:
    labels = rng.permutation(np.arange(_MANY) % 2)
    chances = [norm.cdf(rng.normal(size=_MANY) + labels - 0.5) for _ in range(2)]
    models = [_model(labels, one, name) for one, name in zip(chances, "ab", strict=True)]

    def loop() -> None:
        for _ in range(loops):
            drawn = rng.integers(0, _MANY, _MANY)
            sk.roc_auc_score(labels[drawn], chances[0][drawn])

    return {
        "axilla_s": min(seconds_of(lambda: auc_interval(labels, chances[0])) for _ in range(3)),
        "paired_s": min(seconds_of(lambda: auc_difference(*models)) for _ in range(3)),
        "loop_draws": loops,
        "loop_s": seconds_of(loop) * DRAWS / loops,
    }


if __name__ == "__main__":
    alone("evidence")
