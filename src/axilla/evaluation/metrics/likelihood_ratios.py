"""Likelihood ratios: how far a call moves the odds of disease, with intervals on the log scale."""

from typing import Literal

import numpy as np

from axilla.evaluation.intervals.confidence_intervals import (
    FEWEST,
    NORMAL_QUANTILE,
    Interval,
    no_interval,
    t_quantile,
)
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray


def likelihood_ratio(
    predictions: ModelPredictions, *, call: Literal["positive", "negative"]
) -> tuple[float, Interval]:
    """Return P(call | positive) / P(call | negative), averaged over repeats, with its interval.

    The interval is symmetric on the log scale. Without groups its variance is 1/a - 1/P + 1/b -
    1/N for a of P positive and b of N negative patients with this call (Simel et al., J Clin
    Epidemiol 1991;44:763); with groups or repeats it is that of the linearised log ratio between
    groups, with Student's t. NaN where no negative patient has the call.
    """
    true_positive, false_positive, false_negative, true_negative = np.moveaxis(
        predictions.cells, -1, 0
    )
    hit, miss = (
        (true_positive, false_positive) if call == "positive" else (false_negative, true_negative)
    )
    diseased = true_positive + false_negative
    healthy = false_positive + true_negative
    with np.errstate(invalid="ignore", divide="ignore"):
        among_diseased = hit.sum(axis=1) / diseased.sum(axis=1)
        among_healthy = miss.sum(axis=1) / healthy.sum(axis=1)
        value = float(np.where(among_healthy > 0, among_diseased / among_healthy, np.nan).mean())
    if not np.isfinite(value):
        return np.nan, no_interval("log scale", reason=f"no {call} call in a negative patient")
    if not (among_diseased > 0).all():
        return value, no_interval("log scale", reason=f"no {call} call in a positive patient")
    influence = (
        (hit - among_diseased[:, None] * diseased) / hit.sum(axis=1)[:, None]
        - (miss - among_healthy[:, None] * healthy) / miss.sum(axis=1)[:, None]
    ).mean(axis=0)
    return value, _on_log_scale(value, influence, predictions)


def _on_log_scale(value: float, influence: FloatArray, predictions: ModelPredictions) -> Interval:
    clusters = predictions.n_clusters
    variance = float((np.bincount(predictions.clusters, influence) ** 2).sum())
    method, quantile = "log scale (Simel 1991)", NORMAL_QUANTILE
    if predictions.is_clustered or len(predictions.calls) > 1:
        method = "log scale, clustered by group, t" if predictions.is_clustered else "log scale, t"
        if clusters < FEWEST:
            return no_interval(method, reason="fewer than two groups")
        variance *= clusters / (clusters - 1)
        quantile = t_quantile(clusters - 1)
    factor = float(np.exp(quantile * variance**0.5))
    return Interval(value / factor, value * factor, method)
