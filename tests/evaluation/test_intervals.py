"""Wilson against statsmodels, clusters against algebra and simulation, BCa against scipy."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from axilla.evaluation.intervals.confidence_intervals import (
    cluster_bootstrap,
    effective_sample,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # statsmodels 0.15.0: proportion_confint(successes, trials, method="wilson")
        (0, 10, 0.0, 0.27753279986288926),
        (10, 10, 0.7224672001371106, 1.0),
        (1, 5, 0.036224108632430196, 0.6244653702374748),
        (25, 34, 0.5688285871705533, 0.8539880932278826),
        (47, 64, 0.6151712627143486, 0.8270362092577739),
        (3, 211, 0.004846978836178236, 0.040961027098597),
        (107, 211, 0.4401296573652946, 0.5738341279137087),
    ],
)
def test_wilson_is_that_of_statsmodels(successes, trials, low, high):
    assert wilson(successes / trials, trials) == pytest.approx((low, high), abs=1e-14)


def test_wilson_without_trials_is_nan():
    assert np.isnan(wilson(0.5, 0)).all()
    assert np.isnan(wilson(np.nan, 10)).all()


def single(counted, clusters):
    ones = np.ones((1, len(counted)))
    return effective_sample(np.asarray(counted, float)[None], ones, clusters=np.asarray(clusters))


def test_independent_patients_are_worth_themselves():
    counted = np.arange(200) % 4 == 0
    sample = single(counted, np.arange(200))
    assert sample.trials == pytest.approx(199)  # the variance of a proportion with n - 1
    assert sample.quantile == pytest.approx(1.972, abs=1e-3)


def test_copies_in_a_cluster_are_worth_nothing():
    counted = np.random.default_rng(0).random(40) < 0.7
    once = single(counted, np.arange(40))
    copied = single(np.repeat(counted, 6), np.repeat(np.arange(40), 6))
    assert copied.trials == pytest.approx(once.trials)


def test_repeats_are_worth_no_new_patients():
    counted = np.tile(np.random.default_rng(0).random(40) < 0.7, (5, 1)).astype(float)
    sample = effective_sample(counted, np.ones_like(counted), clusters=np.arange(40))
    assert sample.trials == pytest.approx(39)
    different = (np.random.default_rng(1).random((5, 40)) < 0.7).astype(float)
    sample = effective_sample(different, np.ones_like(different), clusters=np.arange(40))
    assert sample.trials == 40


def test_where_nothing_varies_a_cluster_counts_once():
    assert single(np.ones(30), np.arange(30) // 5).trials == 6


def test_one_cluster_tells_no_variance():
    assert single([1, 0, 1], [0, 0, 0]) is None


def test_clustered_wilson_covers_where_the_plain_one_does_not():
    rng = np.random.default_rng(7)
    truth, covered, plain_covered = 0.85, 0, 0
    for _ in range(400):
        clusters = np.repeat(np.arange(25), rng.integers(2, 12, 25))
        counted = rng.random(len(clusters)) < rng.beta(0.85 * 3, 0.15 * 3, 25)[clusters]
        sample = single(counted, clusters)
        low, high = wilson(counted.mean(), sample.trials, quantile=sample.quantile)
        covered += low <= truth <= high
        low, high = wilson(counted.mean(), len(counted))
        plain_covered += low <= truth <= high
    assert 0.92 <= covered / 400 <= 0.985
    assert plain_covered / 400 < 0.9


def mean_of(values):
    def statistic(weights):
        return (weights @ values / weights.sum(axis=1))[:, None]

    return statistic


def test_bca_is_that_of_scipy():
    values = np.random.default_rng(4).exponential(size=40)
    (ours,) = cluster_bootstrap(
        mean_of(values), clusters=40, rng=np.random.default_rng(0), draws=20_000
    )
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.01)
    assert ours.method == "BCa bootstrap, 20000 draws"


def test_same_generator_same_interval():
    values = np.random.default_rng(4).normal(size=30)
    twice = [
        cluster_bootstrap(mean_of(values), clusters=30, rng=np.random.default_rng(11))
        for _ in range(2)
    ]
    assert twice[0] == twice[1]


def undefined_without(cluster):
    """A statistic that exists only in draws holding this cluster."""

    def statistic(weights):
        return np.where(weights[:, cluster] > 0, weights[:, 0], np.nan)[:, None]

    return statistic


def test_undefined_draws_are_counted_or_refused():
    def rarely(weights):
        missing = weights[:, :3].sum(axis=1) == 0
        return np.where(missing, np.nan, weights[:, 0])[:, None]

    (interval,) = cluster_bootstrap(rarely, clusters=10, rng=np.random.default_rng(0))
    assert "defined" in interval.method
    assert np.isfinite(interval.low)
    (none,) = cluster_bootstrap(undefined_without(1), clusters=10, rng=np.random.default_rng(0))
    assert np.isnan(none.low)
    assert "undefined in too many draws" in none.method


@pytest.mark.parametrize(
    ("values", "reason"),
    [(np.array([0.4]), "fewer than two clusters"), (np.full(9, 0.4), "no variation")],
)
def test_says_why_there_is_no_interval(values, reason):
    (interval,) = cluster_bootstrap(
        mean_of(values), clusters=len(values), rng=np.random.default_rng(0)
    )
    assert np.isnan(interval.low)
    assert reason in interval.method
