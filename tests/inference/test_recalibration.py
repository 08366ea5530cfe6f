"""Recalibration against scikit-learn's logistic and isotonic regression, and cases by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from axilla.inference.recalibration import IsotonicMap, PlattMap, Recalibration, fit_recalibration
from axilla.records.errors import StudyError

KINDS = ("platt", "isotonic")
EITHER = TypeAdapter(Recalibration)


def overconfident(n, *, seed=0, digits=6):
    rng = np.random.default_rng(seed)
    logits = 2.5 * rng.normal(size=n)
    return (rng.random(n) < expit(0.4 * logits - 0.5)).astype(int), expit(logits).round(digits)


@pytest.mark.parametrize(("n", "digits"), [(60, 6), (211, 2), (5000, 6)])
def test_platt_is_weighted_logistic_regression_on_drawn_in_targets(n, digits):
    labels, probabilities = overconfident(n, digits=digits)
    probabilities = probabilities.clip(1e-6, 1 - 1e-6)
    found = fit_recalibration("platt", labels, probabilities=probabilities)
    positives, negatives = labels.sum(), n - labels.sum()
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # A target t is t patients with the outcome and 1 - t without.
    twice = logit(np.tile(probabilities, 2))[:, None]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
    outcome = np.repeat([1, 0], n)
    model.fit(twice, outcome, sample_weight=np.concatenate([targets, 1 - targets]))
    assert found.slope == pytest.approx(model.coef_[0, 0], abs=1e-8)
    assert found.intercept == pytest.approx(model.intercept_[0], abs=1e-8)
    expected = model.predict_proba(logit(probabilities)[:, None])[:, 1]
    np.testing.assert_allclose(found.apply(probabilities), expected, atol=1e-8)


@pytest.mark.parametrize("digits", [1, 6])
def test_isotonic_is_that_of_scikit_learn(digits):
    labels, probabilities = overconfident(120, digits=digits)
    found = fit_recalibration("isotonic", labels, probabilities=probabilities)
    expected = IsotonicRegression(out_of_bounds="clip").fit(probabilities, labels)
    asked = np.linspace(0, 1, 301)
    np.testing.assert_allclose(found.apply(asked), expected.predict(asked), atol=1e-12)


def test_isotonic_by_hand():
    found = fit_recalibration("isotonic", [0, 1, 0, 1], probabilities=[0.2, 0.4, 0.6, 0.8])
    assert found.apply([0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1]).tolist() == pytest.approx(
        [0, 0, 0.25, 0.5, 0.75, 1, 1]  # the middle two share one height
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_mends_what_was_overconfident(kind):
    labels, probabilities = overconfident(4000)
    found = fit_recalibration(kind, labels, probabilities=probabilities)
    fresh, before = overconfident(4000, seed=1)
    after = found.apply(before)
    assert np.mean((after - fresh) ** 2) < np.mean((before - fresh) ** 2) - 0.02
    assert after.mean() == pytest.approx(fresh.mean(), abs=0.02)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10)), min_size=2, max_size=25))
def test_a_map_never_falls_and_stays_a_probability(pairs):
    labels, tenths = (np.array(column) for column in zip(*pairs, strict=True))
    for kind in KINDS:
        found = fit_recalibration(kind, labels, probabilities=tenths / 10)
        if len(set(labels)) == 1 or len(set(tenths)) == 1:
            assert found is None
            continue
        after = found.apply(np.linspace(0, 1, 101))
        assert np.isfinite(after).all()
        assert (np.diff(after) >= 0).all()
        assert after.min() >= 0
        assert after.max() <= 1
        assert EITHER.validate_json(EITHER.dump_json(found)) == found


def test_separated_classes_give_a_finite_line():
    found = fit_recalibration("platt", [0, 0, 0, 1, 1], probabilities=[0.1, 0.2, 0.3, 0.7, 0.9])
    assert 0 < found.slope < 20
    targets = np.array([0.2, 0.2, 0.2, 0.75, 0.75])  # 1 / (3 + 2) and (2 + 1) / (2 + 2)
    after = found.apply([0.1, 0.2, 0.3, 0.7, 0.9])
    assert after.sum() == pytest.approx(targets.sum())  # the likelihood's two equations
    assert (after - targets) @ logit([0.1, 0.2, 0.3, 0.7, 0.9]) == pytest.approx(0, abs=1e-9)


def test_a_ranking_that_is_the_wrong_way_round_is_levelled_not_turned():
    labels, probabilities = [1, 1, 0, 0], [0.1, 0.2, 0.6, 0.9]
    level = fit_recalibration("platt", labels, probabilities=probabilities)
    assert level.slope == 0
    assert level.apply([0.1, 0.9]) == pytest.approx([0.5, 0.5])
    steps = fit_recalibration("isotonic", labels, probabilities=probabilities)
    assert steps.apply([0.1, 0.9]) == pytest.approx([0.5, 0.5])


def test_none_is_no_map():
    assert fit_recalibration("none", [0, 1], probabilities=[0.2, 0.8]) is None
    assert fit_recalibration("platt", [], probabilities=[]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_known_stays_unknown(kind):
    found = fit_recalibration(kind, [0, 1, 0, 1], probabilities=[0.2, 0.3, 0.6, 0.8])
    after = found.apply([[0.2, np.nan], [1.0, 0.0]])
    assert np.isnan(after).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(StudyError, match="from 0 to 1"):
        fit_recalibration("platt", [0, 1], probabilities=[0.2, value])


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "spline"},
        {"kind": "platt", "intercept": 0.1, "slope": -1.0},
        {"kind": "platt", "intercept": float("nan"), "slope": 1.0},
        {"kind": "isotonic", "probabilities": [], "recalibrated": []},
        {"kind": "isotonic", "probabilities": [0.2, 0.1], "recalibrated": [0.0, 1.0]},
        {"kind": "isotonic", "probabilities": [0.1, 0.2], "recalibrated": [0.5, 0.4]},
        {"kind": "isotonic", "probabilities": [0.1, 0.2], "recalibrated": [0.5]},
    ],
)
def test_a_damaged_map_is_refused(written):
    with pytest.raises(ValidationError):
        EITHER.validate_python(written)


def test_maps_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        PlattMap(intercept=0.0, slope=1.0).slope = 2.0
    with pytest.raises(ValidationError, match="frozen"):
        IsotonicMap(probabilities=(0.1,), recalibrated=(0.2,)).kind = "platt"
