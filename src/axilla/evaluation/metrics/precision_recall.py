"""Average precision: how well the top of a model's ranking finds positive patients."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def average_precision(
    labels: ArrayLike, scores: ArrayLike, *, weights: FloatArray | None = None
) -> FloatArray:
    """Return the area under the step-wise precision-recall curve, one per row of `weights`.

    `labels` (n,) of 0 and 1, `scores` (n,), `weights` (draws, n), how often each patient counts;
    without weights the answer is (1,). Tied scores enter together. NaN where a draw lacks a
    class. Source: the sum of precision times gain in recall, as scikit-learn defines it.
    """
    label, score = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    counted = np.ones((1, len(label))) if weights is None else weights
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)
    ranked = counted[:, order]
    called = np.cumsum(ranked, axis=1)[:, last_of_ties]
    found = np.cumsum(ranked * label[order], axis=1)[:, last_of_ties]
    gained = np.diff(found, axis=1, prepend=0.0)
    area = (gained * found / np.maximum(called, np.finfo(np.float64).tiny)).sum(axis=1)
    positives, everyone = found[:, -1], called[:, -1]
    one_class = (positives == 0) | (positives == everyone)
    return np.where(one_class, np.nan, area / np.where(one_class, 1.0, positives))
