"""Paired tests against pROC, R's binom.test, statsmodels and Newcombe's published intervals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from axilla.evaluation.comparisons.paired_tests import (
    auc_difference,
    fold_auc_difference,
    newcombe_difference,
    share_difference,
)
from axilla.evaluation.prediction_arrays import model_predictions

REFERENCE = Path(__file__).parent / "reference"
CASES = dict(tuple(pd.read_csv(REFERENCE / "roc_cases.csv").groupby("case")))
# Written by paired_answers.R with R 4.2.2 and pROC 1.18.0.
ANSWERS = pd.read_csv(REFERENCE / "paired_answers.csv").set_index("case")
# Written by roc_answers.R: variance of the first model's AUC and its covariance with the second's.
PROC = pd.read_csv(REFERENCE / "roc_answers.csv").set_index("case")


def squashed(scores):
    """Ranks are all that DeLong asks about; probabilities must lie in 0 to 1."""
    return 1 / (1 + np.exp(-np.asarray(scores, dtype=float)))


def pair(make_rows, labels, first, second, *, groups=None, threshold=0.5):
    return tuple(
        model_predictions(make_rows(labels, scores, model=name, threshold=threshold), groups=groups)
        for name, scores in (("first", first), ("second", second))
    )


@pytest.mark.parametrize("name", list(CASES))
def test_delong_is_that_of_proc(make_rows, name):
    case, answer = CASES[name], ANSWERS.loc[name]
    labels = case["label"].to_numpy()
    found = auc_difference(
        *pair(make_rows, labels, squashed(case["first"]), squashed(case["second"]))
    )
    assert found.estimate == pytest.approx(answer["estimate"], abs=1e-12)
    assert found.statistic == pytest.approx(answer["z"])
    assert found.p == pytest.approx(answer["p"])
    assert found.interval.low <= found.estimate <= found.interval.high
    assert found.interval.method.startswith("DeLong; interval joined")


@pytest.mark.parametrize("name", list(CASES))
def test_the_interval_joins_procs_variances_and_covariance(make_rows, name):
    # pROC's var and cov of both models (roc_answers.csv; the second's by exchanging them), carried
    # to the logit scale and joined by hand: Zou & Donner, Stat Med 2008;27:1693, equation 10.
    case, answer = CASES[name], ANSWERS.loc[name]
    labels = case["label"].to_numpy()
    models = pair(make_rows, labels, squashed(case["first"]), squashed(case["second"]))
    known = PROC.loc[name]
    one, other = known["auc"], known["auc"] - answer["estimate"]
    squared = (answer["estimate"] / answer["z"]) ** 2
    variances = known["variance"], squared - known["variance"] + 2 * known["covariance"]
    correlation = known["covariance"] / np.sqrt(np.prod(variances))
    distances = []
    for area, variance in zip((one, other), variances, strict=True):
        factor = np.exp(1.959963984540054 * np.sqrt(variance) / (area * (1 - area)))
        odds = area / (1 - area)
        distances.append(
            (area - odds / factor / (1 + odds / factor), odds * factor / (1 + odds * factor) - area)
        )
    (down, up), (other_down, other_up) = distances
    low = np.sqrt(down**2 + other_up**2 - 2 * correlation * down * other_up)
    high = np.sqrt(up**2 + other_down**2 - 2 * correlation * up * other_down)
    found = auc_difference(*models)
    assert found.interval.low == pytest.approx(answer["estimate"] - low, abs=1e-6)
    assert found.interval.high == pytest.approx(answer["estimate"] + high, abs=1e-6)


@pytest.mark.parametrize("name", list(CASES))
def test_mcnemar_is_rs_exact_binomial_test(make_rows, name):
    case, answer = CASES[name], ANSWERS.loc[name]
    labels = case["label"].to_numpy()
    found = share_difference(
        *pair(
            *(make_rows, labels, squashed(case["first"]), squashed(case["second"])),
            threshold=squashed(answer["threshold"]) - 1e-9,
        ),
        name="accuracy",
    )
    assert found.p == pytest.approx(answer["mcnemar"])
    assert found.statistic == answer["gained"]
    assert found.estimate == pytest.approx((answer["gained"] - answer["lost"]) / len(labels))


def from_table(make_rows, both, one, other, neither, *, groups=None):
    """All patients positive but one: right is a call of 1."""
    labels = np.ones(both + one + other + neither, dtype=int)
    first = np.repeat([1.0, 1.0, 0.0, 0.0], [both, one, other, neither])
    second = np.repeat([1.0, 0.0, 1.0, 0.0], [both, one, other, neither])
    return pair(make_rows, labels, first, second, groups=groups)


@pytest.mark.parametrize(
    ("table", "p"), [((36, 12, 2, 0), 0.012939453125), ((101, 59, 121, 33), 4.4344492637551645e-06)]
)
def test_mcnemar_is_that_of_statsmodels(make_rows, table, p):
    # statsmodels 0.15.0: mcnemar(table, exact=True).pvalue
    assert share_difference(*from_table(make_rows, *table), name="recall").p == pytest.approx(p)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [((36, 12, 2, 0), 0.0569, 0.3404), ((20, 12, 2, 16), 0.0562, 0.3292)],
)
def test_newcombe_1998_table_iii(table, low, high):
    assert newcombe_difference(*table) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("table", [(0, 9, 0, 0), (0, 0, 9, 0), (9, 0, 0, 0), (1, 0, 0, 1)])
def test_newcombe_bounds_stay_inside_their_scale(table):
    low, high = newcombe_difference(*table)
    assert -1 <= low <= high <= 1


@pytest.mark.parametrize("grouped", [False, True])
def test_a_model_does_not_differ_from_itself(make_rows, scored, grouped):
    labels, probabilities, groups = scored
    models = pair(
        make_rows, labels, probabilities, probabilities, groups=groups if grouped else None
    )
    for found in (auc_difference(*models), share_difference(*models, name="accuracy")):
        assert (found.estimate, found.p) == (0.0, 1.0)
        assert found.interval.low <= 0 <= found.interval.high


def test_the_order_of_models_turns_the_sign_and_nothing_else(make_rows, scored):
    labels, probabilities, groups = scored
    one, other = pair(make_rows, labels, probabilities, probabilities**3, groups=groups)
    noisy = pair(make_rows, labels, probabilities, np.roll(probabilities, 7), groups=groups)
    for first, second in ((one, other), noisy):
        there, back = auc_difference(first, second), auc_difference(second, first)
        assert there.estimate == pytest.approx(-back.estimate)
        assert there.p == pytest.approx(back.p)


def test_a_monotone_change_of_scale_is_no_difference_in_auc(make_rows, scored):
    labels, probabilities, _ = scored
    assert auc_difference(*pair(make_rows, labels, probabilities, probabilities**2)).p == 1


def test_clustered_accuracy_is_a_t_test_of_groups_of_equal_size(make_rows):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 60)
    first = np.where(rng.random(60) < 0.85, labels, 1 - labels).astype(float)
    second = np.where(rng.random(60) < 0.6, labels, 1 - labels).astype(float)
    groups = {f"P{p:03d}": f"g{p % 20:02d}" for p in range(60)}
    found = share_difference(
        *pair(make_rows, labels, first, second, groups=groups), name="accuracy"
    )
    change = ((first == labels).astype(int) - (second == labels)).reshape(3, 20).mean(axis=0)
    expected = ttest_1samp(change, 0)
    assert found.estimate == pytest.approx(change.mean())
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)


def test_fold_by_fold_is_the_mean_of_procs_differences(make_rows, scored):
    labels, probabilities, _ = scored
    rng = np.random.default_rng(3)
    one, other = pair(
        make_rows, labels, np.clip(probabilities + 0.1 * rng.normal(size=60), 0, 1), probabilities
    )
    each = []
    for fold in range(5):
        mine = np.flatnonzero(one.folds[0] == fold)
        part = [model.among([model.patients[i] for i in mine]) for model in (one, other)]
        each.append(auc_difference(*part).estimate)
    known = [value for value in each if not np.isnan(value)]
    found = fold_auc_difference(one, other)
    assert found.estimate == pytest.approx(np.mean(known))
    assert 0 < found.p < 1
    assert f"mean of {len(known)} folds" in found.interval.method


def test_one_fold_alone_is_the_pooled_test(make_rows, scored):
    labels, probabilities, groups = scored
    one, other = (
        replace(model, folds=np.zeros_like(model.folds))
        for model in pair(
            make_rows, labels, probabilities, np.roll(probabilities, 5), groups=groups
        )
    )
    pooled, by_fold = auc_difference(one, other), fold_auc_difference(one, other)
    assert (by_fold.estimate, by_fold.p) == pytest.approx((pooled.estimate, pooled.p))


def test_dependence_widens_the_interval_of_a_difference(make_rows):
    rng = np.random.default_rng(6)
    labels = np.tile(np.arange(40) % 2, 5)
    first = np.tile(squashed(rng.normal(size=40) + 1.5 * (np.arange(40) % 2)), 5)
    second = np.tile(squashed(rng.normal(size=40) + 1.0 * (np.arange(40) % 2)), 5)
    groups = {f"P{p:03d}": f"g{p % 40}" for p in range(200)}
    plain = auc_difference(*pair(make_rows, labels, first, second))
    clustered = auc_difference(*pair(make_rows, labels, first, second, groups=groups))
    assert clustered.estimate == pytest.approx(plain.estimate)
    width, narrow = (d.interval.high - d.interval.low for d in (clustered, plain))
    assert width > 2 * narrow


@pytest.mark.parametrize(
    ("labels", "first", "second", "reason"),
    [
        ([1, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1], "one class only"),
        ([1, 1, 1, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.1], [0.1, 0.8, 0.7, 0.6, 0.5], "fewer than two"),
        ([1, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1], [0.1, 0.2, 0.3, 0.8, 0.9], "does not vary"),
    ],
)
def test_what_cannot_be_tested_says_why(make_rows, labels, first, second, reason):
    found = auc_difference(*pair(make_rows, labels, first, second))
    assert np.isnan(found.p)
    assert np.isnan([found.interval.low, found.interval.high]).all()
    assert reason in found.interval.method


def test_nobody_of_a_class_leaves_its_share_untested(make_rows):
    found = share_difference(*from_table(make_rows, 3, 1, 1, 0), name="specificity")
    assert np.isnan(found.p)
    assert "nobody to count among" in found.interval.method
