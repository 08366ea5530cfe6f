"""Metrics of weighted patients against scikit-learn's own sample weights."""

import numpy as np
import pytest
from sklearn import metrics as sk

from axilla.evaluation.metrics.weighted_metrics import (
    OF_COUNTS,
    OF_SCORES,
    metrics_of,
    weighted_auc,
)
from axilla.evaluation.prediction_arrays import model_predictions

OF_CALLS = {
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "specificity": lambda y, c, sample_weight: sk.recall_score(
        y, c, pos_label=0, sample_weight=sample_weight
    ),
    "npv": lambda y, c, sample_weight: sk.precision_score(
        y, c, pos_label=0, sample_weight=sample_weight
    ),
    "f1": sk.f1_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "mcc": sk.matthews_corrcoef,
    "lr_positive": lambda y, c, sample_weight: sk.class_likelihood_ratios(
        y, c, sample_weight=sample_weight
    )[0],
    "lr_negative": lambda y, c, sample_weight: sk.class_likelihood_ratios(
        y, c, sample_weight=sample_weight
    )[1],
}
OF_PROBABILITIES = {
    "auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "brier": sk.brier_score_loss,
}


def ece_by_hand(labels, probabilities, *, sample_weight):
    bins = np.maximum(np.ceil(np.round(probabilities * 10, 9)), 1)
    gaps = [
        abs((sample_weight * (labels - probabilities))[bins == number].sum())
        for number in range(1, 11)
    ]
    return sum(gaps) / sample_weight.sum()


def test_every_metric_is_tested():
    assert set(OF_COUNTS) == set(OF_CALLS)
    assert set(OF_SCORES) == {*OF_PROBABILITIES, "ece"}


@pytest.mark.parametrize("name", [*OF_CALLS, *OF_PROBABILITIES, "ece"])
def test_weights_count_patients_as_sklearn_counts_them(make_rows, scored, name):
    labels, probabilities, groups = scored
    model = model_predictions(make_rows(labels, probabilities), groups=groups)
    clusters = model.n_clusters
    equal = np.full(clusters, 1 / clusters)
    weights = np.random.default_rng(2).multinomial(clusters, equal, size=6) + 1.0
    found = metrics_of([model], [name])(weights)[:, 0]
    expected = OF_CALLS | OF_PROBABILITIES | {"ece": ece_by_hand}
    said = probabilities >= 0.5 if name in OF_CALLS else probabilities
    for value, drawn in zip(found, weights[:, model.clusters], strict=True):
        assert value == pytest.approx(expected[name](labels, said, sample_weight=drawn))


def test_models_and_metrics_stand_in_the_order_asked_for(make_rows, scored):
    labels, probabilities, _ = scored
    models = [
        model_predictions(make_rows(labels, p, model=f"m{k}"), groups=None)
        for k, p in enumerate((probabilities, probabilities**2))
    ]
    names = ["auc", "brier", "accuracy"]
    ones = np.ones((1, 60))
    joint = metrics_of(models, names)(ones)[0]
    alone = [metrics_of([model], [name])(ones)[0, 0] for model in models for name in names]
    assert joint == pytest.approx(alone)


def test_a_draw_without_a_class_has_no_auc():
    weights = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 2.0, 1.0]])
    found = weighted_auc([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.1], weights)
    assert np.isnan(found[:2]).all()
    assert found[2] == 1.0


def test_repeats_are_averaged_over_the_patients_each_of_them_tested(make_rows):
    labels = np.array([1, 0, 1, 0, 1, 0])
    scores = np.array([[0.9, 0.2, 0.4, 0.6, np.nan, np.nan], [0.8, 0.1, np.nan, 0.9, 0.7, 0.3]])
    model = model_predictions(make_rows(labels, scores), groups=None)
    value = metrics_of([model], ["auc"])(np.ones((1, 6)))[0, 0]
    each = [sk.roc_auc_score(labels[~np.isnan(s)], s[~np.isnan(s)]) for s in scores]
    assert value == pytest.approx(np.mean(each))
