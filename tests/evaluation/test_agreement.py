"""Agreement against irrCAC's published output, scikit-learn, and simulated readers."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2
from sklearn.metrics import cohen_kappa_score

from axilla.evaluation.agreement.kappa import (
    agreement_interval,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    kappa,
    likelihood_interval,
    percent_agreement,
    standard_error,
)

NAN = np.nan

# Data and results of the R package irrCAC (Gwet), as its README prints them.
FOUR_RATERS = (
    np.array(
        [
            [1, 1, NAN, 1],
            [2, 2, 3, 2],
            [3, 3, 3, 3],
            [3, 3, 3, 3],
            [2, 2, 2, 2],
            [1, 2, 3, 4],
            [4, 4, 4, 4],
            [1, 1, 2, 1],
            [2, 2, 2, 2],
            [NAN, 5, 5, 5],
            [NAN, NAN, 1, 1],
            [NAN, NAN, 3, NAN],
        ]
    )
    - 1
)
SIX_RATERS = [
    [0, 0, 0, 6, 0],
    [0, 3, 0, 0, 3],
    [0, 1, 4, 0, 1],
    [0, 0, 0, 0, 6],
    [0, 3, 0, 3, 0],
    [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2],
    [2, 0, 3, 1, 0],
    [2, 0, 0, 4, 0],
    [0, 0, 0, 0, 6],
    [1, 0, 0, 5, 0],
    [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0],
    [1, 0, 0, 5, 0],
    [0, 2, 0, 3, 1],
]
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]


def from_table(table):
    return np.array(
        [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)], float
    )


def planted(kappa, prevalence, n, rng):
    """Two readers of the same prevalence whose kappa in the population is `kappa`."""
    both = prevalence**2 + kappa * prevalence * (1 - prevalence)
    one = prevalence - both
    kinds = rng.choice(4, size=n, p=[both, one, one, 1 - both - 2 * one])
    return np.array([[1, 1], [1, 0], [0, 1], [0, 0]], float)[kinds]


@pytest.mark.parametrize(
    ("measure", "value", "error"),
    [
        (percent_agreement, 0.8181818, 0.12561),
        (fleiss_kappa, 0.76117, 0.15302),
        (gwet_ac1, 0.77544, 0.14295),
    ],
)
def test_four_raters_with_missing_ratings_as_in_irrcac(measure, value, error):
    found = measure(FOUR_RATERS, categories=5)
    assert found.value == pytest.approx(value, abs=6e-6)
    assert standard_error(found) == pytest.approx(error, abs=6e-6)
    assert found.n == 11


@pytest.mark.parametrize(
    ("measure", "value", "error"),
    [(fleiss_kappa, 0.4139265, 0.08119291), (gwet_ac1, 0.4448007, 0.08418757)],
)
def test_six_raters_as_in_irrcac(measure, value, error):
    ratings = np.array([np.repeat(np.arange(5), row) for row in SIX_RATERS], float)
    found = measure(ratings, categories=5)
    assert found.value == pytest.approx(value, abs=1e-7)
    assert standard_error(found) == pytest.approx(error, abs=1e-8)


@pytest.mark.parametrize(
    ("measure", "value", "error"),
    [
        (percent_agreement, 0.89, 0.03128898),
        (cohen_kappa, 0.7964094, 0.05891072),
        (gwet_ac1, 0.8493305, 0.04321747),
    ],
)
def test_two_raters_as_in_irrcac(measure, value, error):
    found = measure(from_table(ABSTRACTORS), categories=3)
    assert found.value == pytest.approx(value, abs=1e-7)
    # Of a table, irrCAC divides by n where it divides by n - 1 of raw ratings.
    assert standard_error(found) * np.sqrt(99 / 100) == pytest.approx(error, abs=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_cohen_kappa_equals_scikit_learn_and_leaves_out_what_one_reader_left_out(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, 3, size=(60, 2)).astype(float)
    ratings[::7, 0] = ratings[::11, 1] = np.nan
    both = ratings[~np.isnan(ratings).any(axis=1)]
    found = cohen_kappa(ratings, categories=3)
    assert found.value == pytest.approx(cohen_kappa_score(*both.T.astype(int)), abs=1e-12)
    assert found.n == len(both)
    assert np.nanmean(found.parts) == pytest.approx(found.value, abs=1e-12)


def fleiss_cohen_everitt(table):
    """The large-sample variance of kappa, from the formula of 1969 rather than by parts."""
    p = np.array(table, float)
    n, p = p.sum(), p / p.sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = np.trace(p), rows @ columns
    k = (observed - expected) / (1 - expected)
    a = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - k)) ** 2 for i in range(len(p)))
    b = (1 - k) ** 2 * sum(
        p[i, j] * (columns[i] + rows[j]) ** 2
        for i in range(len(p))
        for j in range(len(p))
        if i != j
    )
    return (a + b - (k - expected * (1 - k)) ** 2) / (n * (1 - expected) ** 2)


@pytest.mark.parametrize("table", [ABSTRACTORS, [[20, 5], [3, 22]], [[2, 4], [1, 43]]])
def test_error_of_kappa_is_that_of_fleiss_cohen_and_everitt(table):
    found = cohen_kappa(from_table(table), categories=len(table))
    n = found.n
    assert standard_error(found) ** 2 * (n - 1) / n == pytest.approx(
        fleiss_cohen_everitt(table), rel=1e-9
    )


def test_more_readers_than_two_get_fleiss_kappa():
    ratings = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], float)
    assert kappa(ratings).name == "Fleiss' kappa"
    assert kappa(ratings[:, :2]).name == "Cohen's kappa"


def test_prevalence_moves_kappa_and_not_ac1():
    rare = from_table([[1, 2], [2, 45]])  # 92 % agree
    even = from_table([[23, 2], [2, 23]])  # 92 % agree
    assert cohen_kappa(rare).value < 0.35
    assert cohen_kappa(even).value > 0.8
    assert gwet_ac1(rare).value > 0.9
    assert gwet_ac1(even).value == pytest.approx(cohen_kappa(even).value)


def test_clusters_of_copies_are_worth_one_subject_each():
    ratings = planted(0.5, 0.4, 40, np.random.default_rng(3))
    single = gwet_ac1(ratings)
    copied = gwet_ac1(np.repeat(ratings, 5, axis=0))
    clusters = np.repeat(np.arange(40), 5)
    assert standard_error(copied, clusters=clusters) == pytest.approx(standard_error(single))
    own, again = agreement_interval(single), agreement_interval(copied, clusters=clusters)
    assert (again.low, again.high) == pytest.approx((own.low, own.high))
    assert "40 clusters" in again.method


def test_readers_who_never_differ_still_get_an_interval():
    ratings = from_table([[10, 0], [0, 10]])
    for found in (cohen_kappa(ratings), gwet_ac1(ratings), percent_agreement(ratings)):
        assert found.value == pytest.approx(1)
        interval = agreement_interval(found)
        assert interval.high == 1
        assert 0.5 < interval.low < 0.95
    likely = likelihood_interval(ratings, cohen_kappa(ratings))
    assert likely.high == 1
    # All 20 pairs agree: the likelihood of agreement p is p^20.
    assert likely.low == pytest.approx(2 * np.exp(-chi2.ppf(0.95, 1) / 40) - 1, abs=0.002)


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        (np.ones((9, 2)), "chance agreement is complete"),
        (np.full((9, 2), np.nan), "subject"),
        (np.empty((0, 2)), "subject"),
        (np.array([[1, np.nan], [np.nan, 0]]), "subject"),
    ],
)
def test_what_cannot_be_told_says_why(ratings, reason):
    found = cohen_kappa(ratings)
    assert np.isnan(found.value)
    for interval in (agreement_interval(found), likelihood_interval(ratings, found)):
        assert np.isnan(interval.low)
        assert reason in interval.method


@pytest.mark.parametrize("measure", [cohen_kappa, gwet_ac1])
@pytest.mark.parametrize("table", [[[20, 5], [3, 22]], [[1, 4], [2, 43]], [[30, 6], [9, 5]]])
def test_bounds_lie_where_another_optimiser_finds_the_drop_of_likelihood(table, measure):
    ratings = from_table(table)
    counts = np.array(table, float).ravel()
    best = counts[counts > 0] @ np.log(counts[counts > 0] / counts.sum())
    interval = likelihood_interval(ratings, measure(ratings))

    def coefficient(cells):
        one, other = cells[0] + cells[1], cells[0] + cells[2]
        mean = (one + other) / 2
        chance = 2 * mean * (1 - mean)
        if measure is cohen_kappa:
            chance = one * other + (1 - one) * (1 - other)
        return (cells[0] + cells[3] - chance) / (1 - chance)

    for bound in (interval.low, interval.high):
        fits = [
            minimize(
                lambda cells: -counts @ np.log(np.maximum(cells, 1e-12)),
                start,
                method="SLSQP",
                bounds=[(1e-9, 1)] * 4,
                constraints=[
                    {"type": "eq", "fun": lambda cells: cells.sum() - 1},
                    {"type": "eq", "fun": lambda cells: coefficient(cells) - bound},  # noqa: B023
                ],
                options={"maxiter": 500, "ftol": 1e-12},
            )
            for start in (np.full(4, 0.25), (counts + 1) / (counts + 1).sum())
        ]
        drop = 2 * (best + min(fit.fun for fit in fits if fit.success))
        assert drop == pytest.approx(chi2.ppf(0.95, 1), abs=0.02)


@pytest.mark.slow
def test_intervals_cover_a_rare_finding_where_a_variance_fails():
    """kappa 0, a tenth positive, 40 cases: half of the samples hold no case that both call."""
    rng = np.random.default_rng(5)
    covered = {"likelihood": 0, "variance": 0}
    kept = {}
    draws = 120
    for _ in range(draws):
        ratings = planted(0.0, 0.1, 40, rng)
        cells = tuple(np.bincount((ratings @ [2, 1]).astype(int), minlength=4))
        if cells not in kept:
            found = cohen_kappa(ratings)
            kept[cells] = [likelihood_interval(ratings, found), agreement_interval(found)]
        for name, interval in zip(covered, kept[cells], strict=True):
            covered[name] += interval.low <= 0 <= interval.high
    assert covered["likelihood"] / draws > 0.9
    assert covered["variance"] / draws < 0.75


def test_intervals_of_three_readers_cover():
    """Each reader copies a hidden truth with probability 0.7, else answers by chance."""
    rng = np.random.default_rng(11)
    covered, draws = np.zeros(2), 600
    truth = 0.7**2  # agreement beyond chance of any pair
    for _ in range(draws):
        hidden = rng.random((40, 1)) < 0.4
        copies, guess = rng.random((40, 3)) < 0.7, rng.random((40, 3)) < 0.4
        ratings = np.where(copies, hidden, guess).astype(float)
        ratings[rng.random((40, 3)) < 0.1] = np.nan
        ratings = ratings[(~np.isnan(ratings)).sum(axis=1) > 0]
        share = 0.48  # chance agreement of AC1: 2 * 0.4 * 0.6; of kappa it is 0.52
        observed = truth + (1 - truth) * 0.52
        expected = (truth, (observed - share) / (1 - share))
        for k, measure in enumerate((fleiss_kappa, gwet_ac1)):
            interval = agreement_interval(measure(ratings))
            covered[k] += interval.low <= expected[k] <= interval.high
    assert (covered / draws > 0.92).all(), covered / draws
    assert (covered / draws < 0.985).all(), covered / draws
