"""Confusion counts, and what can be said from them alone.

Counts are arrays (..., 4) in the order TP, FP, FN, TN; every function works along the last axis
and keeps the others. A metric whose denominator is zero is NaN: no patient informs it. (sklearn
answers 0 with a warning.)
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from axilla.records.arrays import FloatArray

Cells = tuple[int, int, int, int]

# Which cells a proportion counts, and among which: (TP, FP, FN, TN).
PROPORTIONS: Final[Mapping[str, tuple[Cells, Cells]]] = MappingProxyType(
    {
        "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
        "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
        "recall": ((1, 0, 0, 0), (1, 0, 1, 0)),
        "specificity": ((0, 0, 0, 1), (0, 1, 0, 1)),
        "npv": ((0, 0, 0, 1), (0, 0, 1, 1)),
        "jaccard": ((1, 0, 0, 0), (1, 1, 1, 0)),
    }
)


def confusion_counts(labels: ArrayLike, calls: ArrayLike) -> FloatArray:
    """Count TP, FP, FN, TN, shape (4,), of calls against labels, both (n,) of 0 and 1."""
    return np.asarray(cells_of(labels, calls).sum(axis=0))


def cells_of(labels: ArrayLike, calls: ArrayLike) -> FloatArray:
    """Tell which cell each patient falls into: (n, 4) of 0 and 1; no cell where the call is NaN."""
    label, call = np.asarray(labels), np.asarray(calls)
    cells = np.empty((len(label), 4))
    for cell, (said, truth) in enumerate(((1, 1), (1, 0), (0, 1), (0, 0))):
        cells[:, cell] = (call == said) & (label == truth)
    return cells


def accuracy(counts: ArrayLike) -> FloatArray:
    """Share of patients called right: (TP + TN) / all."""
    return proportion(counts, name="accuracy")


def precision(counts: ArrayLike) -> FloatArray:
    """Share of positive calls that are right, the positive predictive value: TP / (TP + FP)."""
    return proportion(counts, name="precision")


def recall(counts: ArrayLike) -> FloatArray:
    """Share of positive patients called positive, the sensitivity: TP / (TP + FN)."""
    return proportion(counts, name="recall")


def specificity(counts: ArrayLike) -> FloatArray:
    """Share of negative patients called negative: TN / (TN + FP)."""
    return proportion(counts, name="specificity")


def npv(counts: ArrayLike) -> FloatArray:
    """Share of negative calls that are right, the negative predictive value: TN / (TN + FN)."""
    return proportion(counts, name="npv")


def f1(counts: ArrayLike) -> FloatArray:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
    return f1_of_jaccard(proportion(counts, name="jaccard"))


def f1_of_jaccard(jaccard: ArrayLike) -> FloatArray:
    """Turn J = TP / (TP + FP + FN) into F1 = 2 J / (1 + J), which rises with it."""
    share = np.asarray(jaccard, dtype=np.float64)
    return np.asarray(2 * share / (1 + share))


def balanced_accuracy(counts: ArrayLike) -> FloatArray:
    """Mean of recall and specificity; the AUC of a reading that only says yes or no."""
    return (recall(counts) + specificity(counts)) / 2


def mcc(counts: ArrayLike) -> FloatArray:
    """Matthews correlation coefficient: the correlation of call and label, -1 to 1."""
    table = np.asarray(counts, dtype=np.float64)
    tp, fp, fn, tn = (table[..., cell] for cell in range(4))
    return _ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def lr_positive(counts: ArrayLike) -> FloatArray:
    """Positive likelihood ratio: recall / (1 - specificity); undefined without false positives."""
    return _ratio(recall(counts), 1 - specificity(counts))


def lr_negative(counts: ArrayLike) -> FloatArray:
    """Negative likelihood ratio: (1 - recall) / specificity; undefined without true negatives."""
    return _ratio(1 - recall(counts), specificity(counts))


def proportion(counts: ArrayLike, *, name: str) -> FloatArray:
    """Return the proportion that `PROPORTIONS` lists under `name`."""
    table = np.asarray(counts, dtype=np.float64)
    counted, among = (np.array(cells, dtype=np.float64) for cells in PROPORTIONS[name])
    return _ratio(table @ counted, table @ among)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    empty = below == 0
    return np.where(empty, np.nan, above / np.where(empty, 1.0, below))
