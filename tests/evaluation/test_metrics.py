"""Every metric of a model against scikit-learn, and what its interval claims to be."""

import numpy as np
import pytest
from sklearn import metrics as sk

from axilla.evaluation.intervals.confidence_intervals import wilson
from axilla.evaluation.metrics.delong import auc_interval
from axilla.evaluation.metrics.metrics_table import (
    RANKING_METRICS,
    THRESHOLD_METRICS,
    metrics_of_predictions,
)
from axilla.evaluation.metrics.weighted_metrics import average_precision
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.errors import StudyError

SKLEARN = {
    "accuracy": sk.accuracy_score,
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "specificity": lambda y, c: sk.recall_score(y, c, pos_label=0),
    "npv": lambda y, c: sk.precision_score(y, c, pos_label=0),
    "f1": sk.f1_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "mcc": sk.matthews_corrcoef,
    "auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "brier": sk.brier_score_loss,
}
# Tested where they are made: test_likelihood_ratios.py, test_calibration.py, test_fold_average.py.
ELSEWHERE = {
    *("lr_positive", "lr_negative", "auc_by_fold"),
    *("ece", "calibration_intercept", "calibration_slope"),
}


def evaluated(rows, *, groups=None, seed=0):
    predictions = model_predictions(rows, groups=groups)
    return dict(metrics_of_predictions(predictions, rng=np.random.default_rng(seed)))


def test_every_metric_is_listed_once():
    known = [*THRESHOLD_METRICS, *RANKING_METRICS]
    assert [name for name in known if name not in ELSEWHERE] == list(SKLEARN)
    assert set(SKLEARN) | ELSEWHERE == set(known)


@pytest.mark.parametrize("name", SKLEARN)
@pytest.mark.parametrize("grouped", [False, True])
def test_values_are_those_of_sklearn(make_rows, scored, name, grouped):
    labels, probabilities, groups = scored
    rows = make_rows(labels, probabilities, threshold=0.37)
    estimate = evaluated(rows, groups=groups if grouped else None)[name]
    said = probabilities >= 0.37 if name in THRESHOLD_METRICS else probabilities
    assert estimate.value == pytest.approx(SKLEARN[name](labels, said))
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.n, estimate.n_positive) == (60, labels.sum())


@pytest.mark.parametrize("name", SKLEARN)
def test_repeats_are_averaged(make_rows, scored, name):
    labels, probabilities, groups = scored
    noise = np.random.default_rng(1).normal(scale=0.08, size=(3, 60))
    repeats = np.clip(probabilities + noise, 0, 1)
    estimate = evaluated(make_rows(labels, repeats), groups=groups)[name]
    said = repeats >= 0.5 if name in THRESHOLD_METRICS else repeats
    assert estimate.value == pytest.approx(np.mean([SKLEARN[name](labels, one) for one in said]))
    assert estimate.method.endswith("mean of 3 repeats")
    assert estimate.n == 60


@pytest.mark.parametrize("name", SKLEARN)
@pytest.mark.parametrize("grouped", [False, True])
def test_identical_repeats_narrow_nothing(make_rows, scored, name, grouped):
    labels, probabilities, groups = scored
    groups = groups if grouped else None
    once = evaluated(make_rows(labels, probabilities), groups=groups)[name]
    thrice = evaluated(make_rows(labels, np.tile(probabilities, (3, 1))), groups=groups)[name]
    assert thrice.value == pytest.approx(once.value)
    assert thrice.high - thrice.low >= (once.high - once.low) * 0.999


@pytest.mark.parametrize("name", SKLEARN)
def test_copies_of_patients_narrow_nothing(make_rows, scored, name):
    labels, probabilities, _ = scored
    # Pairs that are alike: where group members differ more than strangers, patients cap the size.
    pair = np.argsort(np.argsort(np.abs(probabilities - labels), kind="stable")) // 2
    groups = {f"P{p:03d}": f"g{pair[p]}" for p in range(60)}
    once = evaluated(make_rows(labels, probabilities), groups=groups)[name]
    copies = make_rows(np.tile(labels, 4), np.tile(probabilities, 4))
    groups = {f"P{p:03d}": f"g{pair[p % 60]}" for p in range(240)}
    again = evaluated(copies, groups=groups)[name]
    assert again.value == pytest.approx(once.value)
    bounds = (once.low, once.high)
    # Groups sort as before, so the same generator draws the same groups.
    assert (again.low, again.high) == pytest.approx(bounds, abs=1e-9)
    plain = evaluated(copies)[name]
    assert plain.high - plain.low < 0.75 * (again.high - again.low)


def test_plain_intervals_are_wilson_and_delong(make_rows, scored):
    labels, probabilities, _ = scored
    found = evaluated(make_rows(labels, probabilities))
    recall, area = found["recall"], found["auc"]
    assert (recall.low, recall.high) == wilson(recall.value, labels.sum())
    expected = auc_interval(labels, probabilities)[1]
    assert (area.low, area.high, area.method) == (
        expected.low,
        expected.high,
        "DeLong, logit scale",
    )
    assert {name: estimate.method for name, estimate in found.items()} == {
        "accuracy": "Wilson",
        "precision": "Wilson",
        "recall": "Wilson",
        "specificity": "Wilson",
        "npv": "Wilson",
        "f1": "Wilson of TP/(TP+FP+FN)",
        "balanced_accuracy": "DeLong, logit scale of the calls",
        "mcc": "BCa bootstrap, 2000 draws",
        "lr_positive": "log scale (Simel 1991)",
        "lr_negative": "log scale (Simel 1991)",
        "auc": "DeLong, logit scale",
        "auc_by_fold": "DeLong, logit scale, mean of 4 folds, 1 left out with one class",
        "average_precision": "BCa bootstrap, 2000 draws",
        "brier": "BCa bootstrap, 2000 draws",
        "ece": "BCa bootstrap, 2000 draws",
        "calibration_intercept": "offset logistic, sandwich, t",
        "calibration_slope": "logistic recalibration, sandwich, t",
    }


def test_clustered_methods_say_so(make_rows, scored):
    labels, probabilities, groups = scored
    found = evaluated(make_rows(labels, probabilities), groups=groups)
    assert found["auc"].method == "DeLong clustered by group (Obuchowski 1997), logit scale, t"
    assert found["brier"].method == "BCa cluster bootstrap, 2000 draws"
    assert found["recall"].method.startswith("Wilson clustered by group (effective n ")
    singles = {patient: patient for patient in groups}
    assert evaluated(make_rows(labels, probabilities), groups=singles) == evaluated(
        make_rows(labels, probabilities)
    )


def test_order_of_rows_does_not_matter(make_rows, scored):
    labels, probabilities, groups = scored
    rows = make_rows(labels, probabilities)
    assert evaluated(rows, groups=groups) == evaluated(
        rows.sample(frac=1, random_state=1), groups=groups
    )


def test_a_reader_is_measured_by_the_reading(make_rows, scored):
    labels, probabilities, groups = scored
    reading = (probabilities >= 0.6).astype(float)
    found = evaluated(make_rows(labels, reading, kind="reader"), groups=groups)
    assert found["auc"].value == pytest.approx(
        (found["recall"].value + found["specificity"].value) / 2
    )
    assert found["auc"].low == found["balanced_accuracy"].low
    assert not {"average_precision", "brier"} & set(found)


def test_thresholds_are_those_of_the_rows(make_rows):
    rows = make_rows([1, 1, 0, 0], [0.4, 0.6, 0.4, 0.6])
    rows["threshold"] = [0.4, 0.7, 0.5, 0.6]
    found = evaluated(rows)
    assert found["recall"].value == found["specificity"].value == 0.5


def test_perfect_and_constant_predictions(make_rows):
    labels = np.arange(20) % 2
    perfect = evaluated(make_rows(labels, 0.1 + 0.8 * labels))
    for name in ("accuracy", "precision", "recall", "specificity", "f1", "auc"):
        assert perfect[name].value == perfect[name].high == 1
        assert 0.5 < perfect[name].low < 0.95
    constant = evaluated(make_rows(labels, np.full(20, 0.3)))
    assert constant["auc"].value == 0.5
    assert np.isnan([constant["auc"].low, constant["precision"].value, constant["mcc"].value]).all()
    assert constant["recall"].value == 0


def test_five_patients(make_rows):
    found = evaluated(make_rows([0, 1, 1, 0, 1], [0.2, 0.7, 0.4, 0.6, 0.9]))
    assert found["accuracy"].value == pytest.approx(0.6)
    assert 0 <= found["auc"].low <= found["auc"].value <= found["auc"].high <= 1


def test_one_class_is_nan_where_both_are_needed(make_rows):
    found = evaluated(make_rows([1, 1, 1, 1], [0.2, 0.7, 0.4, 0.6]))
    for name in ("specificity", "balanced_accuracy", "mcc", "auc", "average_precision"):
        assert np.isnan([found[name].value, found[name].low, found[name].high]).all()
    assert found["recall"].value == 0.5


def test_one_group_allows_no_interval(make_rows, scored):
    labels, probabilities, groups = scored
    found = evaluated(make_rows(labels, probabilities), groups=dict.fromkeys(groups, "one"))
    assert all(np.isnan([e.low, e.high]).all() for e in found.values())
    assert all("no interval" in e.method for e in found.values())
    assert not any(np.isnan(e.value) for e in found.values())


def test_repeated_holdouts_test_different_patients(make_rows, scored):
    labels, probabilities, groups = scored
    repeats = np.tile(probabilities, (2, 1))
    repeats[0, :20], repeats[1, 35:] = np.nan, np.nan
    found = evaluated(make_rows(labels, repeats), groups=groups)
    parts = [slice(20, 60), slice(35)]
    expected = np.mean([sk.accuracy_score(labels[p], probabilities[p] >= 0.5) for p in parts])
    assert found["accuracy"].value == pytest.approx(expected)
    assert found["accuracy"].n == 60


def test_a_patient_without_a_group_is_refused(make_rows, scored):
    labels, probabilities, groups = scored
    del groups["P007"]
    with pytest.raises(StudyError, match="no group for patient_id P007"):
        evaluated(make_rows(labels, probabilities), groups=groups)


def test_rows_of_two_models_are_refused(make_rows):
    rows = make_rows([0, 1], [0.1, 0.9])
    rows["model"] = ["a", "b"]
    with pytest.raises(StudyError, match="rows of one model"):
        evaluated(rows)


def test_weighted_average_precision_is_that_of_sklearn():
    rng = np.random.default_rng(6)
    labels, scores = rng.integers(0, 2, 40), rng.random(40).round(1)
    weights = rng.integers(0, 3, (20, 40)).astype(float)
    expected = [sk.average_precision_score(labels, scores, sample_weight=w) for w in weights]
    assert average_precision(labels, scores, weights=weights) == pytest.approx(expected)
