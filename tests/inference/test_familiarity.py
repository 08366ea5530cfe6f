"""How far a case lies from the training patients: against scikit-learn, brute force, and chance."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import LedoitWolf

from axilla.inference.ood import OodScore, distances_between, fit_reference
from axilla.inference.prediction_warnings import unlike_training

RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def same_numbers_whatever_ran_before():
    global RNG  # noqa: PLW0603 - one stream for a test and its helpers
    RNG = np.random.default_rng(11)


def correlated(n, width=6):
    mixing = np.random.default_rng(3).normal(size=(width, width))
    return RNG.normal(size=(n, width)) @ mixing + 5.0


def out_of_fold(values, folds=5):
    """Distances of each row from the others' folds."""
    parts = np.array_split(np.arange(len(values)), folds)
    found = [distances_between(np.delete(values, part, axis=0), values[part]) for part in parts]
    return np.concatenate(found)


def reference_of(values):
    return fit_reference(values, out_of_fold(values))


def test_distances_are_those_of_scikit_learn():
    known, new = correlated(80), correlated(30)
    expected = LedoitWolf().fit(known).mahalanobis(new)
    np.testing.assert_allclose(distances_between(known, new), expected, rtol=1e-12)
    found = reference_of(known).squared_distances(new)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.slow
def test_exchangeable_cases_get_uniform_p_values():
    found = []
    for _ in range(200):
        values = correlated(61)
        found.append(reference_of(values[:60]).familiarity(values[60:])[0].p)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.06)


@pytest.mark.slow
def test_axes_that_were_fitted_to_the_patients_do_not_spoil_the_p_values():
    """Ranking among distances under axes that saw the patients would put new ones in the middle."""

    def on_axes(training, cases):
        centre = training.mean(0)
        _, _, axes = np.linalg.svd(training - centre, full_matrices=False)
        return (cases - centre) @ axes[:15].T

    found, naive = [], []
    for _ in range(60):
        values = RNG.normal(size=(61, 300))
        known, new = values[:60], values[60:]
        parts = np.array_split(np.arange(60), 5)
        held_out = []
        for part in parts:
            rest = np.delete(known, part, axis=0)
            held_out.append(distances_between(on_axes(rest, rest), on_axes(rest, known[part])))
        components = on_axes(known, known)
        case = on_axes(known, new)
        reference = fit_reference(components, np.concatenate(held_out))
        found.append(reference.familiarity(case)[0].p)
        seen = fit_reference(components, out_of_fold(components))
        naive.append(seen.familiarity(case)[0].p)
    assert np.mean(found) == pytest.approx(0.5, abs=0.15)  # inner folds train on fewer
    assert np.mean(naive) > 0.9


def test_a_case_far_away_is_unfamiliar_and_one_in_the_middle_is_not():
    known = correlated(120)
    reference = reference_of(known)
    far, near = reference.familiarity(np.stack([known.mean(0) + 1000, known.mean(0)]))
    assert far.unfamiliar
    assert far.p == pytest.approx(1 / 121)
    assert far.furthest
    assert not near.unfamiliar
    assert near.p == 1.0


@pytest.mark.parametrize(("n", "rank", "told"), [(24, 1, True), (24, 2, False), (999, 9, True)])
def test_few_patients_warn_of_what_is_further_than_all_of_them(n, rank, told):
    assert OodScore(1.0, rank / (n + 1), n).unfamiliar is told


def test_a_share_is_said_in_words():
    said = unlike_training("pathology", OodScore(9.0, 0.005, 999))
    assert said == "pathology: further from the training patients than 99.5% of them"
    assert said.template.format(**said.values) == said


def test_too_few_patients_and_patients_without_difference_are_no_reference():
    assert fit_reference(correlated(50), np.arange(19)) is None
    assert fit_reference(np.ones((50, 3)), np.zeros(50)) is None


def test_fewer_patients_than_components_still_give_finite_distances():
    reference = reference_of(correlated(24, width=40))
    assert np.isfinite(reference.distances).all()
    assert (reference.distances > 0).all()
