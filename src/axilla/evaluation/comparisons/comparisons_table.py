"""Paired comparisons of a study's models, with intervals, tests and Holm's correction."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from axilla.evaluation.comparisons.paired_tests import (
    Difference,
    Matched,
    Share,
    auc_difference,
    fold_auc_difference,
    matched_difference,
    share_difference,
)
from axilla.evaluation.comparisons.planned_comparisons import PlannedComparison, planned_contests
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.intervals.confidence_intervals import Resampled, bca_intervals, resample
from axilla.evaluation.metrics.weighted_metrics import metrics_of
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray
from axilla.records.table_columns import COMPARISONS

BOOTSTRAPPED: Final = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "mcc",
    "auc",
    "average_precision",
    "brier",
    "ece",
)
_OF_CALLS: Final = BOOTSTRAPPED[:8]
_SHARES: Final[tuple[Share, ...]] = ("accuracy", "recall", "specificity")
_MATCHED: Final[Mapping[str, Matched]] = {
    "specificity_at_equal_recall": "recall",
    "recall_at_equal_specificity": "specificity",
}
_FEWEST: Final = 2


def comparison_table(material: EvaluationInputs) -> pd.DataFrame | None:
    """Return comparisons.csv: every planned comparison with all of its tests; None without any.

    Two models are compared on the patients whom both predicted. The bootstrap draws depend on the
    seed and on these patients alone, so a comparison stays the same whatever else is compared.
    """
    models = {**material.models, **material.withheld}
    listed = material.table.drop_duplicates("model")
    modality_of = dict(zip(map(str, listed["model"]), map(str, listed["modality"]), strict=True))
    contests = planned_contests(models, modality_of=modality_of)
    asked = {name for contest in contests for name in (contest.one, contest.other)}
    draws = _Draws(material, {name: models[name] for name in models if name in asked})
    rows = [
        row
        for contest in contests
        for row in _rows(contest, models[contest.one], models[contest.other], draws)
    ]
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=[c for c in COMPARISONS if c != "p_holm"])
    corrected = table.groupby(["family", "test"])["p"].transform(holm)
    table.insert(COMPARISONS.index("p_holm"), "p_holm", corrected)
    return table


def holm(p_values: ArrayLike) -> FloatArray:
    """Return Holm's adjusted p-values of one family; NaN stays NaN and does not count.

    Source: Holm, Scand J Stat 1979;6:65.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


class _Draws:
    """Bootstrap draws of all models that share their patients, made once and looked up in pairs."""

    def __init__(self, material: EvaluationInputs, models: Mapping[str, ModelPredictions]) -> None:
        self.rng = material.rng
        self._models = models
        self._made: dict[tuple[str, ...], tuple[list[str], Resampled]] = {}

    def difference(self, one: ModelPredictions, other: ModelPredictions) -> Resampled:
        """Return the paired differences of every metric of `BOOTSTRAPPED`."""
        names, sample = self._sample(one.patients)
        return sample.differences(
            names.index(one.model), names.index(other.model), width=len(BOOTSTRAPPED)
        )

    def _sample(self, patients: tuple[str, ...]) -> tuple[list[str], Resampled]:
        if patients not in self._made:
            everyone = set(patients)
            models = [
                model if model.patients == patients else model.among(patients)
                for model in self._models.values()
                if everyone <= set(model.patients)
            ]
            rng = self.rng("comparisons", *patients)
            sample = resample(
                metrics_of(models, BOOTSTRAPPED), clusters=models[0].n_clusters, rng=rng
            )
            self._made[patients] = [model.model for model in models], sample
        return self._made[patients]


def _rows(
    contest: PlannedComparison, first: ModelPredictions, second: ModelPredictions, draws: _Draws
) -> Iterator[tuple[object, ...]]:
    one, other = _pair_predictions(first, second)
    if len(one.patients) < _FEWEST or len(one.probabilities) != len(other.probabilities):
        return
    for test, difference in _tests(one, other, draws):
        yield (
            *(contest.one, contest.other, test, difference.estimate),
            *(difference.interval.low, difference.interval.high),
            *(difference.statistic, difference.p),
            *(contest.family, len(one.patients), difference.interval.method),
        )


def _pair_predictions(
    one: ModelPredictions, other: ModelPredictions
) -> tuple[ModelPredictions, ModelPredictions]:
    if one.patients == other.patients:
        return one, other
    shared = set(one.patients) & set(other.patients)
    return one.among(shared), other.among(shared)


def _tests(
    one: ModelPredictions, other: ModelPredictions, draws: _Draws
) -> Iterator[tuple[str, Difference]]:
    yield "delong", auc_difference(one, other)
    with_reader = "reader" in (one.kind, other.kind)
    if not with_reader and len(np.unique(one.folds[~np.isnan(one.folds)])) > 1:
        yield "delong_by_fold", fold_auc_difference(one, other)
    for share in _SHARES:
        name = "mcnemar" if share == "accuracy" else f"mcnemar_{share}"
        yield name, share_difference(one, other, name=share)
    if with_reader and one.kind != other.kind:
        for name, at in _MATCHED.items():
            rng = draws.rng(name, one.model, other.model)
            (matched,) = _bootstrap_differences(matched_difference(one, other, at=at, rng=rng), one)
            yield name, matched
    names = _OF_CALLS if with_reader else BOOTSTRAPPED
    differences = _bootstrap_differences(draws.difference(one, other), one)
    for name, difference in zip(BOOTSTRAPPED, differences, strict=True):
        if name in names:
            yield f"bootstrap_{name}", difference


def _bootstrap_differences(sample: Resampled, model: ModelPredictions) -> list[Difference]:
    intervals = bca_intervals(sample)
    unit = "paired cluster bootstrap" if model.is_clustered else "paired bootstrap"
    return [
        Difference(
            float(estimate),
            type(interval)(interval.low, interval.high, interval.method.replace("bootstrap", unit)),
            np.nan,
            bootstrap_p(sample.drawn[:, k]) if np.isfinite(estimate) else np.nan,
        )
        for k, (estimate, interval) in enumerate(zip(sample.estimates, intervals, strict=True))
    ]


def bootstrap_p(drawn: FloatArray) -> float:
    """Return the two-sided p-value of no difference: twice the smaller tail of the draws at 0.

    Never 0: the sample itself counts as one draw. Draws that are all 0 give 1. Source: Davison &
    Hinkley, Bootstrap Methods and their Application, 1997, section 4.4.
    """
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return np.nan
    tails = (np.count_nonzero(defined <= 0) + 1, np.count_nonzero(defined >= 0) + 1)
    return float(min(1.0, 2 * min(tails) / (len(defined) + 1)))
