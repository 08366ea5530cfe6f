"""A model beside a reader at the reader's own sensitivity, or specificity: is it more right?"""

from typing import Final, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from axilla.evaluation.intervals.confidence_intervals import DRAWS, Resampled, resampled
from axilla.evaluation.metrics.confusion import recall, specificity
from axilla.evaluation.metrics.weighted_metrics import cells_by_cluster
from axilla.evaluation.prediction_arrays import ModelPredictions

FloatArray = NDArray[np.float64]
Matched = Literal["recall", "specificity"]

_ROUNDING: Final = 1e-12


def matched_difference(
    model: ModelPredictions,
    reader: ModelPredictions,
    *,
    at: Matched,
    rng: Generator,
    draws: int = DRAWS,
) -> Resampled:
    """Return the model's specificity at the reader's recall, less the reader's; or the reverse.

    Both hold the same patients. The point on the model's ROC curve lies where its rate equals the
    reader's, between neighbouring thresholds on the line that joins them. Each draw of patients
    asks for the reader's rate of that draw, so its own uncertainty is in the interval.
    """

    def statistic(weights: FloatArray) -> FloatArray:
        """(draws, clusters) to (draws, 1)."""
        patients = weights[:, model.clusters]
        counts = weights @ cells_by_cluster(reader)
        gains = [
            _gain(model.labels, scores, counts[repeat], patients, at=at)
            for repeat, scores in enumerate(model.probabilities)
        ]
        return np.asarray(np.mean(gains, axis=0))[:, None]

    return resampled(statistic, clusters=model.n_clusters, rng=rng, draws=draws)


def _gain(
    labels: NDArray[np.int64],
    scores: FloatArray,
    counts: FloatArray,
    patients: FloatArray,
    *,
    at: Matched,
) -> FloatArray:
    tested = ~np.isnan(scores)
    true_rate, false_rate = _roc(labels[tested], scores[tested], patients[:, tested])
    if at == "recall":
        return 1 - _first_reach(recall(counts), true_rate, false_rate) - specificity(counts)
    # Seen from the other corner, the curve is one of specificity against recall.
    backwards = 1 - false_rate[:, ::-1], 1 - true_rate[:, ::-1]
    return 1 - _first_reach(specificity(counts), *backwards) - recall(counts)


def _roc(
    labels: NDArray[np.int64], scores: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """True and false positive rate of each draw from (0, 0) to (1, 1): (draws, points) each."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)
    ranked = weights[:, order]
    positive = np.cumsum(ranked * labels[order], axis=1)[:, last_of_ties]
    negative = np.cumsum(ranked * (1 - labels[order]), axis=1)[:, last_of_ties]
    start = np.zeros((len(weights), 1))
    with np.errstate(invalid="ignore"):
        rates = [np.hstack([start, c / c[:, -1:]]) for c in (positive, negative)]
    return rates[0], rates[1]


def _first_reach(wanted: FloatArray, rising: FloatArray, cost: FloatArray) -> FloatArray:
    """Cost where `rising` first reaches `wanted`, between points on the line that joins them."""
    rows = np.arange(len(wanted))
    upper = np.argmax(rising >= wanted[:, None] - _ROUNDING, axis=1)
    lower = np.maximum(upper - 1, 0)
    step = rising[rows, upper] - rising[rows, lower]
    share = np.where(step > 0, (wanted - rising[rows, lower]) / np.where(step > 0, step, 1.0), 1.0)
    found = cost[rows, lower] + share * (cost[rows, upper] - cost[rows, lower])
    reached = np.isfinite(wanted) & (rising[:, -1] >= wanted - _ROUNDING)
    return np.where(reached, found, np.nan)
