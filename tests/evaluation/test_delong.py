"""The AUC and its variance against scikit-learn, pROC, Obuchowski's R function and the textbook."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from axilla.evaluation.metrics.delong import (
    auc,
    auc_covariance,
    auc_influence,
    auc_interval,
    newcombe_interval,
    placements,
)

REFERENCE = Path(__file__).parent / "reference"
CASES = dict(tuple(pd.read_csv(REFERENCE / "roc_cases.csv").groupby("case")))
# Written by roc_answers.R with R 4.2.2 and pROC 1.18.0 from the synthetic roc_cases.csv.
ANSWERS = pd.read_csv(REFERENCE / "roc_answers.csv").set_index("case")


def textbook_placements(labels, scores):
    """DeLong 1988: every pair is compared, O(n^2)."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    pairs = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    placed = np.empty(len(scores))
    placed[labels == 1], placed[labels == 0] = pairs.mean(axis=1), pairs.mean(axis=0)
    return placed


def textbook_variance(labels, scores):
    placed = textbook_placements(labels, scores)
    v10, v01 = placed[labels == 1], placed[labels == 0]
    return v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)


def variance_of(labels, scores, *, clusters=None):
    influence = auc_influence(labels, scores).per_patient
    return auc_covariance(influence[None], labels, clusters=clusters)[0, 0]


def simulated(rng, n=50, *, ties=2):
    labels = rng.permutation(np.arange(n) % 2)
    return labels, (rng.normal(size=n) + labels).round(ties)


@pytest.mark.parametrize("name", list(CASES))
def test_plain_interval_is_that_of_proc_on_the_logit_scale(name):
    case, answer = CASES[name], ANSWERS.loc[name]
    estimate, interval = auc_interval(case["label"], case["first"])
    assert estimate == pytest.approx(answer["auc"], abs=1e-12)
    # pROC's bounds are symmetric about its AUC; the odds carry its standard error elsewhere.
    deviation = answer["variance"] ** 0.5
    assert answer["auc"] - 1.959963984540054 * deviation == pytest.approx(answer["low"])
    odds = answer["auc"] / (1 - answer["auc"])
    factor = np.exp(1.959963984540054 * deviation / (answer["auc"] * (1 - answer["auc"])))
    low, high = odds / factor, odds * factor
    assert interval.low == pytest.approx(low / (1 + low), abs=1e-12)
    assert interval.high == pytest.approx(high / (1 + high), abs=1e-12)
    assert interval.method == "DeLong, logit scale"


@pytest.mark.parametrize("name", list(CASES))
def test_covariance_of_two_models_is_that_of_proc(name):
    case, answer = CASES[name], ANSWERS.loc[name]
    influences = np.stack(
        [auc_influence(case["label"], case[k]).per_patient for k in ("first", "second")]
    )
    covariance = auc_covariance(influences, case["label"])
    assert covariance[0] == pytest.approx([answer["variance"], answer["covariance"]], abs=1e-15)
    assert covariance == pytest.approx(covariance.T)


@pytest.mark.parametrize("name", list(CASES))
def test_clustered_covariance_is_that_of_the_cleveland_clinic_r_function(name):
    case, answer = CASES[name], ANSWERS.loc[name]
    clusters = np.unique(case["group"], return_inverse=True)[1]
    influences = np.stack(
        [auc_influence(case["label"], case[k]).per_patient for k in ("first", "second")]
    )
    covariance = auc_covariance(influences, case["label"], clusters=clusters)[0]
    expected = answer[["clustered_variance", "clustered_covariance"]]
    assert covariance == pytest.approx(tuple(expected), abs=1e-15)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=4, max_size=30))
def test_midranks_agree_with_comparing_every_pair(pairs):
    labels, scores = (np.array(column) for column in zip(*pairs, strict=True))
    if min(labels.sum(), (1 - labels).sum()) < 2:
        assert np.isnan(auc(labels, scores)) or len(set(labels)) == 2
        return
    assert placements(labels, scores) == pytest.approx(textbook_placements(labels, scores))
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert variance_of(labels, scores) == pytest.approx(
        textbook_variance(labels, scores), abs=1e-12
    )


def test_patients_in_clusters_of_one_give_the_plain_variance():
    labels, scores = simulated(np.random.default_rng(0))
    clusters = np.random.default_rng(1).permutation(len(labels))
    assert variance_of(labels, scores, clusters=clusters) == pytest.approx(
        variance_of(labels, scores)
    )


@pytest.mark.parametrize("times", [2, 7])
def test_copies_of_patients_add_nothing_when_clustered(times):
    labels, scores = simulated(np.random.default_rng(5))
    clusters = np.arange(len(labels)) // 2  # every cluster holds two patients already
    once = auc_interval(labels, scores, clusters=clusters)
    copied = [np.repeat(values, times) for values in (labels, scores, clusters)]
    again = auc_interval(copied[0], copied[1], clusters=copied[2])
    assert again[0] == pytest.approx(once[0])
    assert (again[1].low, again[1].high) == pytest.approx((once[1].low, once[1].high))
    plain = variance_of(copied[0], copied[1])
    assert plain < 1.1 / times * variance_of(labels, scores)


def test_repeats_average_the_auc_and_keep_patients_once():
    rng = np.random.default_rng(8)
    labels, scores = simulated(rng)
    several = scores + rng.normal(scale=0.3, size=(5, len(scores)))
    estimate, interval = auc_interval(labels, several)
    assert estimate == pytest.approx(np.mean([roc_auc_score(labels, one) for one in several]))
    assert auc_interval(labels, np.tile(scores, (5, 1))) == auc_interval(labels, scores)
    # Variance of the mean from patients' mean placements (U-statistics are linear).
    placed = np.mean([textbook_placements(labels, one) for one in several], axis=0)
    v10, v01 = placed[labels == 1], placed[labels == 0]
    half = 1.959964 * np.sqrt(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))
    expected = expit(logit(estimate) - half / (estimate * (1 - estimate)))
    assert interval.low == pytest.approx(expected, abs=1e-6)


def test_repeats_may_test_different_patients():
    labels, scores = simulated(np.random.default_rng(9), 80)
    halves = np.tile(scores, (2, 1))
    halves[0, 40:], halves[1, :40] = np.nan, np.nan
    estimate, interval = auc_interval(labels, halves)
    parts = [(labels[half], scores[half]) for half in (slice(40), slice(40, 80))]
    assert estimate == pytest.approx(np.mean([roc_auc_score(*part) for part in parts]))
    # Two independent test sets: the variance of a mean is the mean variance, halved.
    expected = np.sqrt(sum(textbook_variance(*part) for part in parts) / 4)
    assert (interval.high - interval.low) / 2 / 1.96 == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("estimate", [0.0, 0.03, 0.5, 0.93, 1.0])
def test_newcombe_bounds_solve_the_score_equation(estimate):
    m, n = 11, 30
    low, high = newcombe_interval(estimate, n_positive=m, n_negative=n)
    for bound in (low, high):
        if bound in (0.0, 1.0):
            continue
        # Hanley & McNeil 1982 with Q1, Q2 and both class sizes replaced by their mean.
        q1, q2, size = bound / (2 - bound), 2 * bound**2 / (1 + bound), (m + n) / 2
        variance = bound * (1 - bound) + (size - 1) * (q1 + q2 - 2 * bound**2)
        assert abs(estimate - bound) == pytest.approx(
            1.959964 * np.sqrt(variance / (m * n)), rel=1e-5
        )
    assert 0 <= low <= estimate <= high <= 1


def test_newcombe_interval_is_that_of_the_r_package_singlecasees():
    # NAP(A_data = c(20, 20, 26, 25, 22, 23), B_data = c(28, 25, 24, 27, 30, 30, 29)): 0.9166667.
    low, _ = newcombe_interval(0.9166666666666666, n_positive=7, n_negative=6)
    assert low == pytest.approx(0.59731936, abs=1e-7)


@pytest.mark.parametrize("flip", [1, -1])
def test_perfect_separation_keeps_an_interval(flip):
    labels = np.array([0] * 9 + [1] * 27)
    estimate, interval = auc_interval(labels, flip * (labels + np.arange(36) / 100))
    assert estimate == (flip + 1) / 2
    assert 0.05 < interval.high - interval.low < 0.3
    assert interval.method.startswith("Newcombe 2006 score")
    clusters = np.arange(36) // 3
    _, by_group = auc_interval(labels, flip * labels, clusters=clusters)
    assert by_group.high - by_group.low > interval.high - interval.low


@pytest.mark.parametrize(
    ("labels", "scores", "clusters", "reason"),
    [
        ([1, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5], None, "one class only"),
        ([0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5], None, "fewer than two patients"),
        ([0, 0, 1, 1, 1], [0.1, 0.3, 0.2, 0.4, 0.5], np.array([0, 0, 1, 2, 3]), "two groups"),
        ([0, 0, 1, 1, 1], [0.5] * 5, None, "predictions do not vary"),
    ],
)
def test_says_why_there_is_no_interval(labels, scores, clusters, reason):
    _, interval = auc_interval(np.array(labels), scores, clusters=clusters)
    assert np.isnan([interval.low, interval.high]).all()
    assert reason in interval.method


def test_one_class_in_one_repeat_leaves_the_mean_undefined():
    labels = np.array([0, 0, 1, 1])
    scores = np.array([[0.1, 0.2, 0.3, 0.4], [np.nan, np.nan, 0.3, 0.4]])
    assert np.isnan(auc_interval(labels, scores)[0])


def test_clustered_interval_covers_where_the_plain_one_does_not():
    rng = np.random.default_rng(2025)
    truth, covered, plain_covered = 0.8401, 0, 0  # Phi(sqrt(2) * 0.995 / sqrt(2))
    effect = 0.9949 * np.sqrt(2)
    for _ in range(300):
        group = np.repeat(np.arange(40), rng.integers(1, 8, 40))
        labels = (group % 3 > 0).astype(int)
        noise = np.sqrt(0.5) * (rng.normal(size=40)[group] + rng.normal(size=len(group)))
        scores = effect * labels + noise
        _, interval = auc_interval(labels, scores, clusters=group)
        _, plain = auc_interval(labels, scores)
        covered += interval.low <= truth <= interval.high
        plain_covered += plain.low <= truth <= plain.high
    assert 0.91 <= covered / 300 <= 0.98
    assert plain_covered / 300 < 0.88
