"""Calibration against statsmodels (GLM, sandwich), R's loess, scikit-learn's bins and algebra."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import t
from sklearn.calibration import calibration_curve

from axilla.evaluation.calibration.calibration_metrics import (
    calibration_intercept,
    calibration_slope,
    expected_calibration_error,
)

REFERENCE = Path(__file__).parent / "reference"
CASES = dict(tuple(pd.read_csv(REFERENCE / "risk_cases.csv").groupby("case")))
# Written by risk_answers.py with statsmodels 0.15.0 from the synthetic risk_cases.csv.
ANSWERS = pd.read_csv(REFERENCE / "risk_answers.csv").set_index(["case", "quantity"])["value"]
FUNCTIONS = {"intercept": calibration_intercept, "slope": calibration_slope}


def codes(groups):
    return np.unique(groups, return_inverse=True)[1]


def simulated(rng, n, *, slope=1.0, intercept=0.0):
    logits = 1.5 * rng.normal(size=n)
    labels = (rng.random(n) < expit(intercept + slope * logits)).astype(int)
    return labels, expit(logits)


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("quantity", list(FUNCTIONS))
def test_estimate_and_plain_interval_are_those_of_statsmodels(name, quantity):
    case = CASES[name]
    estimate, interval = FUNCTIONS[quantity](case["label"], case["probability"])
    n = len(case)
    error = ANSWERS[name, f"{quantity} HC0 error"] * (n / (n - 1)) ** 0.5
    assert estimate == pytest.approx(ANSWERS[name, quantity], abs=1e-9)
    assert interval.high - estimate == pytest.approx(t.ppf(0.975, n - 1) * error, rel=1e-7)
    assert estimate - interval.low == pytest.approx(interval.high - estimate)
    assert "group" not in interval.method


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("quantity", list(FUNCTIONS))
def test_clustered_interval_is_that_of_statsmodels(name, quantity):
    case = CASES[name]
    clusters = codes(case["group"])
    estimate, interval = FUNCTIONS[quantity](case["label"], case["probability"], clusters=clusters)
    groups = clusters.max() + 1
    error = ANSWERS[name, f"{quantity} clustered error"] * (groups / (groups - 1)) ** 0.5
    assert interval.high - estimate == pytest.approx(t.ppf(0.975, groups - 1) * error, rel=1e-7)
    assert ("clustered by group" in interval.method) == (groups < len(case))


@pytest.mark.parametrize("quantity", list(FUNCTIONS))
def test_repeats_are_averaged_and_add_no_patients(quantity):
    labels, first = simulated(np.random.default_rng(1), 80)
    second = expit(0.7 * np.log(first / (1 - first)) + 0.3)
    one, two = (FUNCTIONS[quantity](labels, scores)[0] for scores in (first, second))
    estimate, _ = FUNCTIONS[quantity](labels, np.stack([first, second]))
    assert estimate == pytest.approx((one + two) / 2)
    alone, copied = (
        FUNCTIONS[quantity](labels, scores)[1] for scores in (first, np.stack([first] * 3))
    )
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize("quantity", list(FUNCTIONS))
def test_a_patient_that_was_never_tested_is_as_if_absent(quantity):
    labels, scores = simulated(np.random.default_rng(2), 40)
    tested = scores.copy()
    tested[:5] = np.nan
    found = FUNCTIONS[quantity](labels, tested, clusters=np.arange(40))
    expected = FUNCTIONS[quantity](labels[5:], scores[5:])
    assert found[0] == pytest.approx(expected[0])
    assert (found[1].low, found[1].high) == pytest.approx((expected[1].low, expected[1].high))


@pytest.mark.parametrize(
    ("quantity", "labels", "probabilities", "reason"),
    [
        ("slope", [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.9], "separate the classes perfectly"),
        ("slope", [0, 0, 1, 1], [0.1, 0.3, 0.3, 0.9], "separate the classes perfectly"),
        ("slope", [1, 1, 0, 0], [0.1, 0.2, 0.3, 0.9], "separate the classes perfectly"),
        ("slope", [0, 1, 0, 1], [0.4] * 4, "do not vary"),
        ("slope", [1, 1, 1], [0.4, 0.5, 0.6], "one class only"),
        ("intercept", [0, 0, 0], [0.4, 0.5, 0.6], "one class only"),
        ("intercept", [0, 1], [np.nan, np.nan], "nobody tested"),
    ],
)
def test_what_the_data_do_not_allow_is_empty_and_says_why(quantity, labels, probabilities, reason):
    estimate, interval = FUNCTIONS[quantity](labels, probabilities)
    assert np.isnan([estimate, interval.low, interval.high]).all()
    assert reason in interval.method


def test_the_intercept_of_equal_probabilities_is_the_difference_of_logits():
    estimate, _ = calibration_intercept([1, 0, 0, 0, 0], [0.5] * 5)
    assert estimate == pytest.approx(np.log(0.2 / 0.8))


def test_one_group_gives_an_estimate_without_interval():
    labels, scores = simulated(np.random.default_rng(3), 30)
    estimate, interval = calibration_slope(labels, scores, clusters=np.zeros(30, dtype=int))
    assert np.isfinite(estimate)
    assert np.isnan(interval.low)
    assert "fewer than two groups" in interval.method


def test_certain_probabilities_count_as_one_millionth_away():
    labels = [0, 1, 0, 1, 1, 0]
    certain, close = ([low, 0.3, high, 0.6, 0.4, 0.5] for low, high in ((0, 1), (1e-6, 1 - 1e-6)))
    assert calibration_slope(labels, certain) == calibration_slope(labels, close)


def test_a_nearly_separated_sample_still_has_its_slope():
    values = np.linspace(-9, 9, 400)
    labels = (values > 0).astype(int)
    labels[[199, 200]] = 1, 0  # the two in the middle the wrong way round
    estimate, _ = calibration_slope(labels, expit(values))
    chance = expit(estimate * values)  # symmetric, so the intercept is 0
    assert ((labels - chance) * values).sum() == pytest.approx(0, abs=1e-8)
    assert estimate > 5


@pytest.mark.parametrize("patients", [64, 211])
@pytest.mark.parametrize(("quantity", "truth"), [("intercept", 0.4), ("slope", 1.0)])
def test_interval_covers_the_truth(patients, quantity, truth):
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(400):
        labels, scores = simulated(rng, patients, intercept=0.4)
        interval = FUNCTIONS[quantity](labels, scores)[1]
        covered.append(interval.low <= truth <= interval.high)
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("name", list(CASES))
def test_expected_error_is_that_of_scikit_learns_bins(name):
    labels, scores = (CASES[name][column].to_numpy() for column in ("label", "probability"))
    observed, predicted = calibration_curve(labels, scores, n_bins=10, strategy="uniform")
    sizes = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], scores), minlength=10)
    expected = (np.abs(observed - predicted) * sizes[sizes > 0]).sum() / len(labels)
    assert expected_calibration_error(labels, scores)[0] == pytest.approx(expected)


def test_expected_error_of_weights_is_that_of_copies():
    labels, scores = simulated(np.random.default_rng(6), 25)
    weights = np.random.default_rng(7).integers(0, 4, (5, 25)).astype(float)
    found = expected_calibration_error(labels, scores, weights=weights)
    for value, row in zip(found, weights, strict=True):
        copies = np.repeat(np.arange(25), row.astype(int))
        expected = expected_calibration_error(labels[copies], scores[copies])[0]
        assert value == pytest.approx(expected)


def test_expected_error_of_nobody_is_undefined_and_of_an_oracle_zero():
    assert np.isnan(expected_calibration_error([0, 1], [0.2, 0.7], weights=np.zeros((1, 2)))[0])
    assert expected_calibration_error([0, 1, 1], [0.0, 1.0, 1.0])[0] == 0
