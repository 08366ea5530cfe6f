"""The AUC averaged over folds: each fold's model is asked about its own test patients only."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axilla.evaluation.delong import AucInfluence, auc_influence, interval_of_influence
from axilla.evaluation.intervals import Interval, extended, no_interval

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def fold_averaged_auc(
    labels: ArrayLike, scores: FloatArray, folds: FloatArray, *, clusters: IntArray
) -> tuple[float, Interval]:
    """Return the mean of the folds' AUCs, over all repeats, with its 95 % interval.

    `labels` and `clusters` (n,); `scores` and `folds` (repeats, n), NaN where a repeat did not
    test a patient. Pairs of patients of different folds are never compared, so folds whose models
    sit on different scales of probability cost nothing here. A fold with one class has no AUC; it
    is left out and counted in the method. A patient's influences on its folds are averaged.
    """
    label = np.asarray(labels)
    found: list[AucInfluence] = []
    skipped = 0
    for score, fold in zip(scores, folds, strict=True):
        for number in np.unique(fold[~np.isnan(score)]):
            in_fold = np.where(fold == number, score, np.nan)
            influence = auc_influence(label, in_fold)
            if np.isnan(influence.auc):
                skipped += 1
            else:
                found.append(influence)
    if not found:
        return np.nan, no_interval("mean of folds", reason="one class only in every fold")
    mean = AucInfluence(
        float(np.mean([influence.auc for influence in found])),
        np.mean([influence.per_patient for influence in found], axis=0),
    )
    interval = interval_of_influence(mean, label, clusters=clusters)
    left_out = f", {skipped} left out with one class" if skipped else ""
    about = f", mean of {len(found)} folds{left_out}"
    return mean.auc, replace(interval, method=extended(interval.method, about))
