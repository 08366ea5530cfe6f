"""Tests between groups, against R's stats and survey, scipy and published tables.

reference/table1_answers.csv holds R's answers to table1_cases.csv (script beside them).
"""

from itertools import product
from math import comb, factorial, prod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from axilla.evaluation.table1 import group_tests
from axilla.evaluation.table1.group_tests import (
    compare_clustered_levels,
    compare_clustered_numbers,
    compare_counts,
    compare_numbers,
    enough_expected,
    fisher_freeman_halton,
    is_normal,
)
from axilla.evaluation.table1.smd import smd_of_counts, smd_of_numbers

REFERENCE = Path(__file__).parent / "reference"
CASES = pd.read_csv(REFERENCE / "table1_cases.csv")
ANSWERS = pd.read_csv(REFERENCE / "table1_answers.csv", index_col="case")


def codes(series):
    return np.unique(series, return_inverse=True)[1].astype(np.int64)


@pytest.fixture(params=ANSWERS.index)
def case(request):
    rows = CASES[CASES["case"] == request.param]
    return rows, ANSWERS.loc[request.param]


def samples_of(rows):
    return [part["value"].to_numpy() for _, part in rows.groupby("group")]


def counts_of(rows):
    return pd.crosstab(rows["level"], rows["group"]).to_numpy()


def test_numbers_as_r(case):
    rows, answer = case
    samples = samples_of(rows)
    names = ("Welch t", "Mann-Whitney") if len(samples) == 2 else ("Welch ANOVA", "Kruskal-Wallis")
    mean = compare_numbers(samples, normal=True)
    assert (mean.p, mean.test) == (pytest.approx(answer["welch"], rel=1e-9), names[0])
    ranks = compare_numbers(samples, normal=False)
    assert (ranks.p, ranks.test) == (pytest.approx(answer["ranks"], rel=1e-9), names[1])
    assert is_normal(samples) == (answer["shapiro"] >= 0.05)
    assert smd_of_numbers(samples) == pytest.approx(answer["smd_value"], rel=1e-12)


def test_counts_as_r(case):
    rows, answer = case
    counts = counts_of(rows)
    pearson = compare_counts(counts, small="pearson")
    assert pearson.p == pytest.approx(answer["pearson"], rel=1e-9)
    assert pearson.test == "Pearson chi-square"
    exact, name = fisher_freeman_halton(counts)
    near = {"abs": 0.005} if "Monte Carlo" in name else {"rel": 1e-6}
    assert exact == pytest.approx(answer["fisher"], **near)
    assert smd_of_counts(counts) == pytest.approx(answer["smd_level"], rel=1e-9)


def test_clustered_tests_as_rs_survey(case):
    rows, answer = case
    groups, clusters = codes(rows["group"]), codes(rows["cluster"])
    values = rows["value"].to_numpy()
    for ranks, name in ((False, "clustered_mean"), (True, "clustered_rank")):
        tested = compare_clustered_numbers(values, groups, clusters=clusters, ranks=ranks)
        assert tested.p == pytest.approx(answer[name], rel=1e-6)
    tested = compare_clustered_levels(codes(rows["level"]), groups, clusters=clusters)
    assert tested.p == pytest.approx(answer["clustered_level"], rel=1e-6)


def test_fisher_as_scipy_on_many_small_tables():
    rng = np.random.default_rng(5)
    for _ in range(60):
        counts = rng.integers(1, 9, size=(2, 2))
        exact, name = fisher_freeman_halton(counts)
        assert name == "Fisher exact"
        assert exact == pytest.approx(stats.fisher_exact(counts).pvalue, rel=1e-9)


# Fisher's tea (Design of Experiments, 1935) and Agresti's job satisfaction (Categorical Data
# Analysis, 2002, p. 57), with the p-values of R's help page for fisher.test.
@pytest.mark.parametrize(
    ("counts", "p", "within"),
    [
        ([[3, 1], [1, 3]], 0.4857, 5e-5),
        ([[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]], 0.7827, 4e-3),
    ],
)
def test_fisher_as_published(counts, p, within):
    assert fisher_freeman_halton(np.array(counts))[0] == pytest.approx(p, abs=within)


def test_random_tables_agree_with_all_tables_and_with_scipy(monkeypatch):
    counts = np.array([[9, 2], [3, 4], [1, 5], [2, 1]])
    every, name = fisher_freeman_halton(counts)
    assert name == "Fisher-Freeman-Halton exact"
    drawn = stats.fisher_exact(
        counts, method=stats.MonteCarloMethod(n_resamples=20_000, rng=np.random.default_rng(1))
    )
    assert every == pytest.approx(drawn.pvalue, abs=0.01)
    monkeypatch.setattr(group_tests, "_MOST_TABLES", 3)
    first, second = fisher_freeman_halton(counts), fisher_freeman_halton(counts)
    assert first == second
    assert first[1] == "Fisher-Freeman-Halton exact, Monte Carlo"
    assert first[0] == pytest.approx(every, abs=0.004)


def test_every_table_is_listed_once():
    rows, columns = (3, 4, 5), (6, 4, 2)
    logs = group_tests._every_table(np.array(rows), np.array(columns))
    by_hand = [
        (a, b, c, d)
        for a, b in product(range(4), repeat=2)
        for c, d in product(range(5), repeat=2)
        if a + b <= 3 and c + d <= 4 and a + c <= 6 and b + d <= 4 and 3 - a - b + 4 - c - d <= 2
    ]
    assert len(logs) == len(by_hand)
    # Over all tables with these margins, prod 1 / n_ij! sums to N! / (prod rows! prod columns!).
    expected = factorial(12) / prod(map(factorial, (*rows, *columns)))
    assert np.exp(logs).sum() == pytest.approx(expected)


def test_small_expected_counts_by_cochrans_rule():
    histology = np.array([[89, 97], [6, 4], [9, 6]])  # the paper's: one of six below 5
    assert stats.contingency.expected_freq(histology).min() == pytest.approx(4.929, abs=1e-3)
    assert enough_expected(histology)
    assert compare_counts(histology).test == "Pearson chi-square"
    one_small = np.array([[20, 30], [3, 4]])  # 2 x 2: a quarter below 5
    assert not enough_expected(one_small)
    assert compare_counts(one_small).test == "Fisher exact"
    assert compare_counts(one_small, small="pearson").test == "Pearson chi-square"
    below_one = np.array([[60, 59], [50, 51], [70, 70], [40, 40], [1, 0], [50, 50]])
    assert np.mean(stats.contingency.expected_freq(below_one) < 5) < 0.2
    assert not enough_expected(below_one)


def test_no_yates_correction():
    counts = np.array([[85, 93], [22, 11]])  # the paper's HER2
    plain = sum(
        (o - e) ** 2 / e
        for o, e in zip(
            counts.ravel(), stats.contingency.expected_freq(counts).ravel(), strict=True
        )
    )
    assert compare_counts(counts).p == pytest.approx(stats.chi2.sf(plain, 1), rel=1e-12)
    assert round(compare_counts(counts).p, 3) == 0.046
    assert stats.chi2_contingency(counts)[1] > 0.05  # with the correction that others apply


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.zeros((0, 2)), "no values"),
        (np.zeros((3, 2)), "no values"),
        ([[5, 0], [3, 0]], "values in one group only"),
        ([[5, 4], [0, 0]], "one value only"),
    ],
)
def test_counts_that_cannot_be_compared(counts, reason):
    tested = compare_counts(np.array(counts, dtype=np.int64))
    assert np.isnan(tested.p)
    assert tested.test == f"none: {reason}"


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([[], []], "no values"),
        ([[1, 2, 3], []], "values in one group only"),
        ([[2, 2, 2], [2, 2]], "one value only"),
    ],
)
def test_numbers_that_cannot_be_compared(samples, reason, normal):
    tested = compare_numbers([np.array(s, dtype=float) for s in samples], normal=normal)
    assert np.isnan(tested.p)
    assert tested.test == f"none: {reason}"


def test_groups_without_values_do_not_count():
    full = [np.array([1.0, 2, 4]), np.array([3.0, 6, 9])]
    with_empty = [full[0], np.array([]), full[1]]
    assert compare_numbers(with_empty, normal=False) == compare_numbers(full, normal=False)
    assert compare_numbers(full, normal=False).p == pytest.approx(0.2)  # 2 of C(6, 3) = 20, twice
    assert is_normal(with_empty)
    counts = np.array([[3, 0, 9], [7, 0, 8], [0, 0, 0]])
    assert compare_counts(counts) == compare_counts(counts[:2][:, [0, 2]])


def test_complete_separation():
    low, high = np.arange(5.0), np.arange(10.0, 15.0)
    assert compare_numbers([low, high], normal=False).p == pytest.approx(2 / comb(10, 5))
    assert compare_counts(np.array([[5, 0], [0, 5]])).p == pytest.approx(2 / comb(10, 5))
    assert smd_of_counts(np.array([[5, 0], [0, 5]])) == np.inf
    assert smd_of_numbers([np.full(3, 1.0), np.full(3, 2.0)]) == np.inf
    assert smd_of_numbers([np.full(3, 1.0), np.full(3, 1.0)]) == 0
    assert smd_of_counts(np.array([[5, 10], [4, 8]])) == pytest.approx(0, abs=1e-12)


def test_standardised_differences_that_do_not_exist():
    assert np.isnan(smd_of_numbers([np.array([1.0]), np.array([2.0, 3.0])]))
    assert np.isnan(smd_of_counts(np.array([[5, 0], [4, 0]])))
    assert np.isnan(smd_of_counts(np.zeros((0, 2), dtype=np.int64)))


def test_two_levels_are_austins_formula():
    counts = np.array([[30, 45], [70, 55]])
    p, q = 0.3, 0.45
    expected = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert smd_of_counts(counts) == pytest.approx(expected, rel=1e-12)
    assert smd_of_counts(counts[::-1]) == pytest.approx(expected, rel=1e-12)


def test_normality_beyond_shapiro_wilk():
    rng = np.random.default_rng(3)
    assert is_normal([rng.normal(size=6000), rng.normal(size=20)])
    assert not is_normal([rng.exponential(size=6000) ** 2, rng.normal(size=20)])
    assert not is_normal([np.array([1.0, 2.0]), rng.normal(size=20)])
    assert not is_normal([np.full(9, 4.0), rng.normal(size=20)])


def test_clustered_tests_hold_their_level_where_plain_ones_do_not():
    rng = np.random.default_rng(11)
    plain, clustered, draws = 0, 0, 400
    clusters = np.repeat(np.arange(40), 6)
    groups = np.repeat(rng.permutation(np.repeat([0, 1], 20)), 6)
    for _ in range(draws):
        values = rng.normal(size=40)[clusters] + 0.7 * rng.normal(size=240)
        samples = [values[groups == g] for g in (0, 1)]
        plain += compare_numbers(samples, normal=True).p < 0.05
        tested = compare_clustered_numbers(values, groups, clusters=clusters, ranks=False)
        clustered += tested.p < 0.05
    low, high = stats.binom.ppf([0.001, 0.999], draws, 0.05)
    assert low <= clustered <= high
    assert plain > 4 * high


@pytest.mark.parametrize(
    ("groups", "clusters", "reason"),
    [
        ([0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 2], "fewer than two clusters in a group"),
        ([0, 0, 0, 0, 0, 0], [0, 0, 1, 2, 2, 2], "values in one group only"),
        ([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 1], "fewer than two clusters in a group"),
    ],
)
def test_too_few_clusters(groups, clusters, reason):
    groups, clusters = np.array(groups), np.array(clusters)
    values = np.array([1.0, 4, 2, 6, 3, 7])
    tested = compare_clustered_numbers(values, groups, clusters=clusters, ranks=True)
    assert tested.test == f"none: {reason}"
    levels = np.array([0, 1, 0, 1, 0, 1])
    assert compare_clustered_levels(levels, groups, clusters=clusters).test == f"none: {reason}"


def test_no_variation_between_clusters():
    groups = np.repeat(np.arange(2), 6)
    clusters = np.repeat(np.arange(6), 2)
    values = np.where(groups == 1, 5.0, 2.0)
    tested = compare_clustered_numbers(values, groups, clusters=clusters, ranks=False)
    assert tested.test == "none: no variation between clusters"
    tested = compare_clustered_levels(groups, groups, clusters=clusters)
    assert np.isnan(tested.p)
