import numpy as np
import pytest
from scipy.stats import t
from scipy.stats import t as student

from axilla.explanation.faithfulness.clustered_mean import clustered_mean
from axilla.explanation.faithfulness.faithfulness_scores import Measured, estimate_of


def interval(values, groups):
    return clustered_mean(values, groups, positive=[False] * len(values))


def test_patients_who_are_their_own_group_have_the_ordinary_t_interval():
    values = np.random.default_rng(1).normal(3, 2, 17)
    found = interval(values, [str(k) for k in range(17)])
    low, high = student.interval(0.95, 16, values.mean(), values.std(ddof=1) / 17**0.5)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), low, high))


def test_groups_equal_the_matrices_of_bell_and_mccaffrey():
    rng = np.random.default_rng(2)
    group = np.array([0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 4])
    values = rng.normal(size=11) + rng.normal(size=5)[group]
    design = np.ones((11, 1))
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    residual = values - values.mean()
    variance, columns = 0.0, []
    for one in range(5):
        mine = group == one
        eigenvalues, vectors = np.linalg.eigh(np.eye(mine.sum()) - hat[np.ix_(mine, mine)])
        adjust = vectors @ np.diag(eigenvalues**-0.5) @ vectors.T
        weight = (np.eye(11) - hat)[:, mine] @ adjust @ design[mine] / 11
        columns.append(weight[:, 0])
        variance += ((adjust @ residual[mine]).sum() / 11) ** 2
    gram = np.array(columns) @ np.array(columns).T
    eigenvalues = np.linalg.eigvalsh(gram)
    freedom = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    half = t.ppf(0.975, freedom) * variance**0.5
    found = interval(values, group.astype(str))
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_few_unequal_groups_are_covered_as_often_as_promised():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(9), [1, 1, 2, 2, 3, 4, 6, 8, 9])
    covered, naive = 0, 0
    for _ in range(1500):
        values = rng.normal(size=36) + rng.normal(size=9)[group]
        found = interval(values, group.astype(str))
        alone = interval(values, np.arange(36).astype(str))
        covered += found.low <= 0 <= found.high
        naive += alone.low <= 0 <= alone.high
    assert 0.93 < covered / 1500 < 0.98
    assert naive / 1500 < 0.8


def test_values_that_are_not_defined_are_left_out_and_one_group_has_no_interval():
    found = clustered_mean([1.0, np.nan, 3.0], ["a", "b", "a"], positive=[True, True, False])
    assert (found.value, found.n, found.n_positive) == (2.0, 2, 1)
    assert np.isnan(found.low)
    assert np.isnan(found.high)
    nothing = interval([np.nan], ["a"])
    assert np.isnan(nothing.value)
    assert nothing.n == 0


def test_a_patient_of_several_repeats_counts_once():
    tested = [
        Measured("pathology", "gradcam", patient, patient, positive=False, measures={"x": value})
        for patient, value in (("A", 0.0), ("A", 2.0), ("B", 3.0), ("C", np.nan))
    ]
    found = estimate_of(tested, "x")
    assert (found.value, found.n) == (2.0, 2)
