"""How far a case lies from the training patients: against scikit-learn, brute force, and chance."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import LedoitWolf

from axilla.inference.familiarity import Familiarity, fit_reference, leave_one_out

RNG = np.random.default_rng(11)


def correlated(n, width=6):
    mixing = np.random.default_rng(3).normal(size=(width, width))
    return RNG.normal(size=(n, width)) @ mixing + 5.0


def test_distances_are_those_of_scikit_learn():
    known, new = correlated(80), correlated(30)
    reference = fit_reference(known)
    expected = LedoitWolf().fit(known).mahalanobis(new)
    np.testing.assert_allclose(reference.squared_distances(new), expected, rtol=1e-10)


@pytest.mark.parametrize("shrinkage", [0.0, 0.03, 0.6, 1.0])
@pytest.mark.parametrize("n", [12, 40])
def test_leaving_one_out_is_what_leaving_one_out_gives(n, shrinkage):
    values = correlated(n)
    expected = []
    for row in range(n):
        others = np.delete(values, row, axis=0)
        apart = others - others.mean(axis=0)
        plain = apart.T @ apart / (n - 1)
        mean_variance = np.trace(plain) / values.shape[1]
        shrunk = (1 - shrinkage) * plain + shrinkage * mean_variance * np.eye(values.shape[1])
        from_others = values[row] - others.mean(axis=0)
        expected.append(from_others @ np.linalg.inv(shrunk) @ from_others)
    np.testing.assert_allclose(leave_one_out(values, shrinkage=shrinkage), expected, rtol=1e-8)


def test_exchangeable_cases_get_uniform_p_values():
    found = []
    for _ in range(400):
        values = correlated(61)
        found.append(fit_reference(values[:60]).familiarity(values[60:])[0].p)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.04)


def test_a_case_far_away_is_unfamiliar_and_one_in_the_middle_is_not():
    known = correlated(120)
    reference = fit_reference(known)
    far, near = reference.familiarity(np.stack([known.mean(0) + 1000, known.mean(0)]))
    assert far.unfamiliar
    assert far.p == pytest.approx(1 / 121)
    assert str(far) == "further from the training patients than each of all 120"
    assert not near.unfamiliar
    assert near.p == 1.0


@pytest.mark.parametrize(("n", "rank", "told"), [(24, 1, True), (24, 2, False), (999, 9, True)])
def test_few_patients_warn_of_what_is_further_than_all_of_them(n, rank, told):
    assert Familiarity(1.0, rank / (n + 1), n).unfamiliar is told


def test_a_share_is_said_in_words():
    said = str(Familiarity(9.0, 0.005, 999))
    assert said == "further from the training patients than 99.5% of them"


def test_too_few_patients_and_patients_without_difference_are_no_reference():
    assert fit_reference(correlated(19)) is None
    assert fit_reference(np.ones((50, 3))) is None


def test_fewer_patients_than_components_still_give_finite_distances():
    reference = fit_reference(correlated(24, width=40))
    assert np.isfinite(reference.distances).all()
    assert (reference.distances > 0).all()
