"""Planned patients against Hanley & McNeil, pROC, scipy, and simulated studies."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from axilla.evaluation.metrics.delong import auc_covariance as observed_covariance
from axilla.evaluation.metrics.delong import auc_influence, auc_interval
from axilla.evaluation.planning.from_study import auc_precision, pair_precision
from axilla.evaluation.planning.sample_size import (
    PairedAucs,
    auc_covariance,
    auc_variance,
    auc_width,
    design_effect,
    difference_power,
    orthant_excess,
    patients_for_auc_width,
    patients_for_difference,
    patients_for_proportion_width,
)
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.errors import ConfigError

REFERENCE = Path(__file__).parent / "reference"

# Written by plan_answers.R with R 4.2.2 and pROC 1.18.0.
ANSWERS = pd.read_csv(REFERENCE / "plan_answers.csv")

BINORMAL = ANSWERS[ANSWERS["kind"] == "binormal"]

EMPIRICAL = ANSWERS[ANSWERS["kind"] == "empirical"].set_index("name")

CASES = dict(tuple(pd.read_csv(REFERENCE / "roc_cases.csv").groupby("case")))

# Hanley & McNeil, Radiology 1983;148:839, Table I: correlation of two areas by the mean area
# (columns) and the mean correlation of the ratings (rows).
AREAS = (0.7, 0.725, 0.75, 0.775, 0.8, 0.825, 0.85, 0.875, 0.9, 0.925, 0.95, 0.975)

TABLE = {
    0.1: (0.09, 0.09, 0.09, 0.09, 0.08, 0.08, 0.08, 0.07, 0.07, 0.06, 0.06, 0.04),
    0.3: (0.27, 0.27, 0.27, 0.26, 0.26, 0.25, 0.25, 0.24, 0.23, 0.21, 0.19, 0.16),
    0.5: (0.47, 0.46, 0.46, 0.45, 0.45, 0.44, 0.43, 0.42, 0.41, 0.39, 0.37, 0.32),
    0.7: (0.67, 0.66, 0.66, 0.66, 0.65, 0.65, 0.64, 0.63, 0.62, 0.6, 0.58, 0.54),
    0.9: (0.88, 0.88, 0.88, 0.88, 0.87, 0.87, 0.87, 0.86, 0.86, 0.85, 0.84, 0.82),
}


def draw(rng, n_positive, n_negative, aucs, correlation):
    """Labels (n,) and two models' correlated normal scores (2, n)."""
    labels = np.repeat([1, 0], [n_positive, n_negative])
    scores = rng.multivariate_normal(
        [0, 0], [[1, correlation], [correlation, 1]], size=len(labels), method="cholesky"
    )
    scores[labels == 1] += np.sqrt(2) * norm.ppf(aucs)
    return labels, scores.T


def test_standard_error_of_the_worked_example_of_hanley_and_mcneil():
    """Radiology 1982;143:29, Table II: area 0.893, 51 abnormal and 58 normal images, 0.032."""
    assert auc_variance(0.893, 51, 58) ** 0.5 == pytest.approx(0.0325, abs=5e-5)


@pytest.mark.parametrize("correlation", TABLE)
def test_correlation_of_areas_is_the_table_of_hanley_and_mcneil(correlation):
    """Their table does not name its sample; 50 + 50 images reproduce its digits."""
    found = [
        auc_covariance(
            area,
            area,
            50,
            50,
            correlation_positive=correlation,
            correlation_negative=correlation,
        )
        / auc_variance(area, 50, 50, scores="normal")
        for area in AREAS
    ]
    assert found == pytest.approx(TABLE[correlation], abs=0.0067)


@pytest.mark.parametrize(
    ("one", "other", "correlation"),
    [(0.8, 0.8, 0.5), (0.8, 0.95, 0.3), (0.5, 0.7, -0.4), (0.9, 0.9, 0.999), (0.7, 0.7, 1.0)],
)
def test_orthant_excess_is_that_of_scipy(one, other, correlation):
    limits = norm.ppf([one, other])
    joint = multivariate_normal.cdf(
        limits, [0, 0], [[1, correlation], [correlation, 1]], allow_singular=True
    )
    found = orthant_excess(one, other, correlation=correlation)
    assert found == pytest.approx(joint - one * other, abs=1e-9)


def test_a_model_beside_itself_has_its_own_variance():
    both = auc_covariance(0.83, 0.83, 20, 31, correlation_positive=1, correlation_negative=1)
    assert both == pytest.approx(auc_variance(0.83, 20, 31, scores="normal"), rel=1e-9)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[pytest.mark.slow] if row % 4 else [])
        for row in range(len(BINORMAL))
    ],
)
def test_patients_for_a_difference_agree_with_obuchowski_and_mcclish_in_proc(row):
    """They plan for areas fitted by maximum likelihood, which vary a few percent less."""
    answer = BINORMAL.iloc[row]
    pair = PairedAucs(
        answer["auc1"],
        answer["auc2"],
        answer["correlation_positive"],
        answer["correlation_negative"],
    )
    prevalence = 1 / (1 + answer["negatives_per_positive"])
    plan = patients_for_difference(pair, power=answer["power"], prevalence=prevalence)
    assert 1.01 < plan.n_positive / answer["positives"] < 1.07


@pytest.mark.slow
def test_planned_power_and_width_come_true_in_simulated_studies():
    """DeLong's test and interval, as reports print them, on 700 studies of the planned size."""
    aucs, studies, rng = (0.78, 0.88), 700, np.random.default_rng(11)
    pair = PairedAucs(*aucs, correlation_positive=0.4, correlation_negative=0.4)
    plan = patients_for_difference(pair, power=0.8, prevalence=0.4)
    found, widths = 0, []
    for _ in range(studies):
        labels, scores = draw(rng, plan.n_positive, plan.n_negative, aucs, 0.4)
        influences = [auc_influence(labels, score) for score in scores]
        change = influences[0].per_patient - influences[1].per_patient
        error = observed_covariance(change[None], labels)[0, 0] ** 0.5
        found += abs(influences[0].auc - influences[1].auc) > 1.959964 * error
        _, interval = auc_interval(labels, scores[0])
        widths.append(interval.high - interval.low)
    assert found / studies == pytest.approx(0.8, abs=3 * (0.8 * 0.2 / studies) ** 0.5)
    expected = auc_width(aucs[0], n=plan.n, prevalence=0.4, scores="normal").reached
    assert np.mean(widths) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("prevalence", [0.5, 0.15, 0.9])
@pytest.mark.parametrize("width", [0.1, 0.25])
def test_the_planned_number_is_the_smallest_that_lasts(prevalence, width):
    plan = patients_for_auc_width(0.8, width=width, prevalence=prevalence)
    widths = [auc_width(0.8, n=n, prevalence=prevalence).reached for n in range(4, 3 * plan.n)]
    assert widths[plan.n - 5] > width
    assert max(widths[plan.n - 4 :]) <= width
    assert plan.reached == widths[plan.n - 4]
    assert plan.n_positive + plan.n_negative == plan.n

    pair = PairedAucs(0.7, 0.7 + width)
    plan = patients_for_difference(pair, power=0.9, prevalence=prevalence)
    below, there = (
        difference_power(pair, n=n, prevalence=prevalence) for n in (plan.n - 1, plan.n)
    )
    assert below.reached < 0.9 <= there.reached == plan.reached


def test_what_needs_more_patients():
    def n(pair, *, power=0.8, alpha=0.05, effect=1.0):
        return patients_for_difference(
            pair, power=power, prevalence=0.5, alpha=alpha, effect=effect
        ).n

    pair = PairedAucs(0.75, 0.85)
    assert n(pair) == n(PairedAucs(0.85, 0.75))
    rising = [
        *(n(PairedAucs(0.75, 0.85, r, r)) for r in (0.9, 0.5, 0)),
        n(PairedAucs(0.75, 0.8, 0, 0)),
    ]
    assert all(one < other for one, other in pairwise(rising))
    assert n(pair, power=0.9) > n(pair) < n(pair, alpha=0.01)
    doubled = n(pair, effect=design_effect(5, correlation=0.25))
    assert doubled == pytest.approx(2 * n(pair), rel=0.01)


@pytest.mark.parametrize("name", ["ties", "untied", "mixed_groups", "tiny", "binary"])
def test_a_finished_study_gives_the_standard_errors_of_proc(make_rows, name):
    """pROC plans with two variances; they are put together here from those of the study."""
    case = CASES[name]
    labels = case["label"].to_numpy()
    one, other = (
        model_predictions(make_rows(labels, _squeezed(case[k])), groups=None)
        for k in ("first", "second")
    )
    pair, alone = pair_precision(one, other), auc_precision(one)
    both = pair.correlation * alone.standard_error * auc_precision(other).standard_error
    null = np.sqrt(2 * alone.standard_error**2 - 2 * both)
    spread = norm.ppf(0.975) * null + norm.ppf(0.8) * pair.standard_error
    positives = labels.sum() * (spread / pair.difference) ** 2
    assert positives == pytest.approx(EMPIRICAL.loc[name, "power_roc_test"], rel=1e-9)
    assert alone.effect == 1


def _squeezed(scores):
    """Ranks are all that counts, and probabilities lie in 0 to 1."""
    return (scores - scores.min()) / (scores.max() - scores.min())


def test_more_patients_like_these_are_what_copies_of_the_study_show(make_rows):
    """Four independent copies of a study halve its standard error, in copies of its groups too.

    But for the factor groups / (groups - 1) of 20 groups per class.
    """
    rng = np.random.default_rng(5)
    labels, scores = draw(rng, 60, 60, (0.75, 0.85), 0.5)
    probabilities = norm.cdf(scores)
    groups = {f"P{p:03d}": f"G{p // 3}" for p in range(120)}
    study, larger = (
        [
            model_predictions(
                make_rows(np.tile(labels, times), np.tile(values, times)),
                groups={
                    f"P{p:03d}": f"{p // 120} {groups[f'P{p % 120:03d}']}"
                    for p in range(120 * times)
                },
            )
            for values in probabilities
        ]
        for times in (1, 4)
    )
    wanted = auc_precision(larger[0])
    planned = auc_precision(study[0]).patients_for_width(wanted.high - wanted.low)
    assert planned == pytest.approx(480 * 20 / 19, rel=0.02)
    power = pair_precision(*study).power(0.05, n=480)
    assert power == pytest.approx(pair_precision(*larger).power(0.05, n=480), abs=0.02)
    needed = pair_precision(*study).patients_for_difference(0.05, power=power)
    assert needed == 480


def test_patients_of_few_groups_are_worth_less(make_rows):
    rng = np.random.default_rng(8)
    labels = np.repeat([0, 1], 60)
    donor = np.arange(120) // 6
    scores = rng.normal(size=20)[donor] + 0.3 * rng.normal(size=120) + 1.5 * labels
    rows = make_rows(labels, norm.cdf(scores))
    precision = auc_precision(
        model_predictions(rows, groups={f"P{p:03d}": str(d) for p, d in enumerate(donor)})
    )
    assert precision.groups == 20
    assert precision.effect > 3
    assert precision.effective_n == pytest.approx(120 / precision.effect)
    plain = auc_precision(model_predictions(rows, groups=None))
    assert precision.patients_for_width(0.1) > 3 * plain.patients_for_width(0.1)


def test_a_study_without_a_variance_plans_nothing(make_rows):
    perfect = model_predictions(make_rows([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), groups=None)
    constant = model_predictions(make_rows([0, 0, 1, 1], [0.5] * 4), groups=None)
    one_class = model_predictions(make_rows([1, 1, 1, 1], [0.1, 0.2, 0.8, 0.9]), groups=None)
    assert auc_precision(perfect) is auc_precision(constant) is auc_precision(one_class) is None
    assert pair_precision(perfect, perfect) is None
    assert pair_precision(one_class, one_class) is None


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (lambda: patients_for_auc_width(1.2, width=0.1, prevalence=0.5), ["auc", "1.2"]),
        (lambda: patients_for_auc_width(0.4, width=0.1, prevalence=0.5), ["auc", "wrong way"]),
        (lambda: patients_for_auc_width(np.nan, width=0.1, prevalence=0.5), ["auc", "nan"]),
        (lambda: patients_for_auc_width(0.8, width=0, prevalence=0.5), ["width", "above 0"]),
        (lambda: patients_for_auc_width(0.8, width=0.1, prevalence=1), ["prevalence"]),
        (lambda: patients_for_auc_width(0.8, width=0.0005, prevalence=0.5), ["1,000,000"]),
        (lambda: auc_width(0.8, n=3, prevalence=0.5), ["patients", "3"]),
        (lambda: PairedAucs(0.8, 0.8), ["versus", "differ"]),
        (lambda: PairedAucs(0.8, 0.9, 1.0, 1.0), ["correlation"]),
        (
            lambda: patients_for_difference(PairedAucs(0.8, 0.9), power=0.01, prevalence=0.5),
            ["power", "alpha"],
        ),
        (lambda: design_effect(0.5, correlation=0.1), ["group size", "1 or more"]),
        (
            lambda: patients_for_proportion_width(1.0, width=0.1, class_share=0.5),
            ["proportion"],
        ),
        (
            lambda: patients_for_proportion_width(0.9, width=0.1, class_share=0.5, assurance=0.2),
            ["assurance"],
        ),
    ],
)
def test_impossible_wishes_are_refused(plan, words):
    with pytest.raises(ConfigError) as caught:
        plan()
    for word in words:
        assert word in str(caught.value)
