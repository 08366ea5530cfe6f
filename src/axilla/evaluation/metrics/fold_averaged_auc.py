"""The AUC averaged over folds: each fold's model is asked about its own test patients only."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from axilla.evaluation.intervals.confidence_intervals import Interval, extend_method
from axilla.evaluation.metrics.delong import AucInfluence, auc_influence, interval_of_influence
from axilla.records.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class FoldAverage:
    """The mean of several folds' AUCs with each patient's influence on it, and its folds' counts.

    `left_out` are folds with one class, which have no AUC. With none left the mean is NaN.
    """

    influence: AucInfluence
    folds: int
    left_out: int

    @property
    def about(self) -> str:
        """Say what was averaged, for a method's name."""
        left_out = f", {self.left_out} left out with one class" if self.left_out else ""
        return f", mean of {self.folds} folds{left_out}"


def fold_average(labels: ArrayLike, scores: FloatArray, folds: FloatArray) -> FoldAverage:
    """Return the mean of the folds' AUCs over all repeats.

    `labels` (n,); `scores` and `folds` (repeats, n), NaN where a repeat did not test a patient.
    Pairs of patients of different folds are never compared, so folds whose models sit on different
    scales of probability cost nothing here. A patient's influences on its folds are averaged.
    """
    label = np.asarray(labels)
    found: list[AucInfluence] = []
    left_out = 0
    for score, fold in zip(scores, folds, strict=True):
        for number in np.unique(fold[~np.isnan(score)]):
            influence = auc_influence(label, np.where(fold == number, score, np.nan))
            if np.isnan(influence.auc):
                left_out += 1
            else:
                found.append(influence)
    if not found:
        return FoldAverage(AucInfluence(np.nan, np.full(len(label), np.nan)), 0, left_out)
    mean = AucInfluence(
        float(np.mean([influence.auc for influence in found])),
        np.mean([influence.per_patient for influence in found], axis=0),
    )
    return FoldAverage(mean, len(found), left_out)


def fold_averaged_auc(
    labels: ArrayLike, scores: FloatArray, folds: FloatArray, *, clusters: IntArray
) -> tuple[float, Interval]:
    """Return the mean of the folds' AUCs with its 95 % interval; shapes as in `fold_average`."""
    mean = fold_average(labels, scores, folds)
    interval = interval_of_influence(mean.influence, labels, clusters=clusters)
    return mean.influence.auc, replace(interval, method=extend_method(interval.method, mean.about))
