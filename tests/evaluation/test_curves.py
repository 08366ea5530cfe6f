"""ROC curves and confusion matrices against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from axilla.evaluation.metrics.curves import confusion_matrix, roc_curve
from axilla.records.errors import StudyError


def area(curve):
    return np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)


def test_one_repeat_is_the_empirical_curve(make_rows, scored):
    labels, probabilities, _ = scored
    curve = roc_curve(make_rows(labels, probabilities))
    assert area(curve) == pytest.approx(sk.roc_auc_score(labels, probabilities))
    expected = sk.roc_curve(labels, probabilities, drop_intermediate=False)
    found = curve.false_positive_rate, curve.true_positive_rate, curve.thresholds
    assert all(map(np.array_equal, found, expected))
    for rate, found, threshold in zip(
        curve.false_positive_rate, curve.true_positive_rate, curve.thresholds, strict=True
    ):
        calls = probabilities >= threshold
        assert (rate, found) == pytest.approx(
            (calls[labels == 0].mean(), calls[labels == 1].mean())
        )


@pytest.mark.parametrize("missing", [0, 15])
def test_area_under_the_mean_curve_is_the_mean_auc(make_rows, scored, missing):
    labels, probabilities, _ = scored
    repeats = np.clip(probabilities + np.random.default_rng(2).normal(0, 0.1, (4, 60)), 0, 1).round(
        2
    )
    repeats[1, :missing] = np.nan
    tested = [~np.isnan(one) for one in repeats]
    expected = [sk.roc_auc_score(labels[t], one[t]) for t, one in zip(tested, repeats, strict=True)]
    curve = roc_curve(make_rows(labels, repeats))
    assert area(curve) == pytest.approx(np.mean(expected))
    assert (curve.false_positive_rate[0], curve.true_positive_rate[0]) == (0, 0)
    assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1, 1)
    assert (np.diff(curve.true_positive_rate) >= 0).all()
    assert np.isnan(curve.thresholds).all()


def test_equal_repeats_give_back_the_curve(make_rows, scored):
    labels, probabilities, _ = scored
    once = roc_curve(make_rows(labels, probabilities))
    twice = roc_curve(make_rows(labels, np.tile(probabilities, (2, 1))))
    grid = np.linspace(0.001, 0.999, 50)  # off the vertical steps
    curves = [np.interp(grid, c.false_positive_rate, c.true_positive_rate) for c in (once, twice)]
    assert curves[0] == pytest.approx(curves[1])


def test_one_class_has_no_curve(make_rows):
    with pytest.raises(StudyError, match="one class"):
        roc_curve(make_rows([1, 1], [0.2, 0.4]))


def test_confusion_matrix_is_that_of_sklearn(make_rows, scored):
    labels, probabilities, _ = scored
    matrix = confusion_matrix(make_rows(labels, probabilities, threshold=0.4))
    tn, fp, fn, tp = sk.confusion_matrix(labels, probabilities >= 0.4).ravel()
    found = (matrix.true_positive, matrix.false_positive, matrix.false_negative)
    assert (*found, matrix.true_negative, matrix.repeats) == (tp, fp, fn, tn, 1)


def test_mean_confusion_matrix_adds_up_to_patients(make_rows, scored):
    labels, probabilities, _ = scored
    matrix = confusion_matrix(make_rows(labels, np.stack([probabilities, 1 - probabilities])))
    assert matrix.true_positive + matrix.false_negative == labels.sum()
    assert matrix.false_positive + matrix.true_negative == (1 - labels).sum()
    assert matrix.repeats == 2
