"""The AUC averaged over folds against scikit-learn and independent test sets."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from axilla.evaluation.metrics.delong import auc_covariance, auc_influence, auc_interval
from axilla.evaluation.metrics.fold_averaged_auc import fold_averaged_auc


def simulated(n=200, folds=5):
    rng = np.random.default_rng(4)
    labels = rng.permutation(np.arange(n) % 2)
    scores = (rng.normal(size=n) + labels).round(2)
    return labels, scores, rng.permutation(np.arange(n) % folds).astype(float)


def test_the_mean_of_each_folds_auc():
    labels, scores, folds = simulated()
    value, interval = fold_averaged_auc(labels, scores[None], folds[None], clusters=np.arange(200))
    each = [roc_auc_score(labels[folds == k], scores[folds == k]) for k in range(5)]
    assert value == pytest.approx(np.mean(each))
    assert interval.low < value < interval.high
    assert interval.method == "DeLong, logit scale, mean of 5 folds"


def test_the_variance_of_a_mean_of_independent_folds():
    labels, scores, folds = simulated(2000, 2)
    _, interval = fold_averaged_auc(labels, scores[None], folds[None], clusters=np.arange(2000))
    variances = []
    for k in (0, 1):
        part = auc_influence(labels[folds == k], scores[folds == k])
        variances.append(auc_covariance(part.per_patient[None], labels[folds == k])[0, 0])
    middle = (interval.low + interval.high) / 2
    width = 2 * 1.96 * np.sqrt(sum(variances) / 4)
    assert interval.high - interval.low == pytest.approx(width, rel=0.02)
    assert 0.7 < middle < 0.8


def test_folds_on_other_scales_of_probability_cost_nothing_here():
    labels, scores, folds = simulated()
    shifted = scores + 10 * folds
    clusters = np.arange(200)
    plain = fold_averaged_auc(labels, scores[None], folds[None], clusters=clusters)
    assert fold_averaged_auc(labels, shifted[None], folds[None], clusters=clusters) == plain
    assert auc_interval(labels, shifted)[0] < auc_interval(labels, scores)[0] - 0.1


def test_repeats_are_averaged_and_a_patient_stays_one_patient():
    labels, scores, folds = simulated()
    clusters = np.arange(200)
    once = fold_averaged_auc(labels, scores[None], folds[None], clusters=clusters)
    thrice = fold_averaged_auc(
        labels, np.tile(scores, (3, 1)), np.tile(folds, (3, 1)), clusters=clusters
    )
    assert thrice[0] == pytest.approx(once[0])
    assert (thrice[1].low, thrice[1].high) == pytest.approx((once[1].low, once[1].high))


def test_a_fold_of_one_class_is_left_out_and_counted():
    labels, scores, folds = simulated()
    folds[labels == 1] = np.where(folds[labels == 1] == 2, 0, folds[labels == 1])
    value, interval = fold_averaged_auc(labels, scores[None], folds[None], clusters=np.arange(200))
    each = [roc_auc_score(labels[folds == k], scores[folds == k]) for k in (0, 1, 3, 4)]
    assert value == pytest.approx(np.mean(each))
    assert "1 left out with one class" in interval.method


def test_one_class_everywhere_has_no_answer():
    scores = np.linspace(0, 1, 10)[None]
    value, interval = fold_averaged_auc(
        np.ones(10), scores, np.zeros((1, 10)), clusters=np.arange(10)
    )
    assert np.isnan([value, interval.low, interval.high]).all()
    assert "one class only" in interval.method
