"""Metrics of counts against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from axilla.evaluation.metrics import confusion

EXPECTED = {
    confusion.accuracy: sk.accuracy_score,
    confusion.precision: sk.precision_score,
    confusion.recall: sk.recall_score,
    confusion.specificity: lambda y, c: sk.recall_score(y, c, pos_label=0),
    confusion.npv: lambda y, c: sk.precision_score(y, c, pos_label=0),
    confusion.f1: sk.f1_score,
    confusion.balanced_accuracy: sk.balanced_accuracy_score,
    confusion.mcc: sk.matthews_corrcoef,
}


@pytest.mark.parametrize("metric", EXPECTED, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_sklearn(metric, seed):
    rng = np.random.default_rng(seed)
    labels, calls = rng.integers(0, 2, (2, 25))
    counts = confusion.confusion_counts(labels, calls)
    assert metric(counts) == pytest.approx(EXPECTED[metric](labels, calls))


def test_counts_are_those_of_sklearn():
    labels, calls = np.random.default_rng(1).integers(0, 2, (2, 40))
    tn, fp, fn, tp = sk.confusion_matrix(labels, calls).ravel()
    assert confusion.confusion_counts(labels, calls).tolist() == [tp, fp, fn, tn]


def test_the_papers_multilayer_model():
    # Peng et al. 2025, Table 4, columns read as accuracy 0.7344 and precision 0.7353.
    counts = np.array([25, 9, 8, 22])
    assert confusion.accuracy(counts).round(4) == 0.7344
    assert confusion.precision(counts).round(4) == 0.7353


@pytest.mark.parametrize("metric", EXPECTED, ids=lambda metric: metric.__name__)
def test_works_along_leading_axes(metric):
    counts = np.random.default_rng(2).integers(1, 9, (3, 5, 4))
    values = metric(counts)
    assert values.shape == (3, 5)
    assert values[2, 1] == metric(counts[2, 1])


@pytest.mark.parametrize(
    ("metric", "counts"),
    [
        (confusion.precision, (0, 0, 3, 4)),
        (confusion.recall, (0, 2, 0, 4)),
        (confusion.specificity, (2, 0, 1, 0)),
        (confusion.npv, (2, 3, 0, 0)),
        (confusion.f1, (0, 0, 0, 4)),
        (confusion.balanced_accuracy, (2, 0, 1, 0)),
        (confusion.mcc, (0, 0, 3, 4)),
        (confusion.accuracy, (0, 0, 0, 0)),
    ],
)
def test_an_empty_denominator_is_nan(metric, counts):
    assert np.isnan(metric(counts))


def test_a_missing_call_is_in_no_cell():
    assert confusion.cells_of([1, 0], [np.nan, 1.0]).tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
