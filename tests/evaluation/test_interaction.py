"""Whether subgroups differ: the tests of interaction against pROC, R, scipy, and chance."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from axilla.evaluation.metrics.delong import auc_covariance, auc_influence
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.evaluation.subgroups.subgroup_interaction import equal_aucs, equal_proportions

REFERENCE = Path(__file__).parent / "reference"

CASES = dict(tuple(pd.read_csv(REFERENCE / "roc_cases.csv").groupby("case")))

CALLS = pd.read_csv(REFERENCE / "subgroup_calls.csv")

# Written by subgroup_answers.R with R 4.2.2 and pROC 1.18.0 from the two synthetic tables above.
ANSWERS = dict(tuple(pd.read_csv(REFERENCE / "subgroup_answers.csv").groupby("test")))


def as_model(labels, scores, *, clusters=None, make_rows):
    """Predictions in patient order; without clusters every patient is one."""
    low, high = np.min(scores), np.max(scores)
    probabilities = (np.asarray(scores) - low) / max(high - low, 1)
    rows = make_rows(np.asarray(labels), probabilities)
    groups = None
    if clusters is not None:
        groups = {f"P{p:03d}": str(cluster) for p, cluster in enumerate(clusters)}
    return model_predictions(rows, groups=groups)


def from_cases(names, make_rows):
    table = pd.concat([CASES[name] for name in names])
    model = as_model(table["label"].to_numpy(), table["first"], make_rows=make_rows)
    return model, [(table["case"] == name).to_numpy() for name in names]


def from_calls(columns, make_rows, *, subjects):
    """Positive patients with a call each; `subjects`: those of one subject share a cluster."""
    calls = np.concatenate([CALLS[column] for column in columns])
    clusters = np.tile(CALLS["subject"], len(columns)) if subjects else None
    model = as_model(np.ones(len(calls), int), calls, clusters=clusters, make_rows=make_rows)
    return model, list(np.repeat(np.eye(len(columns)), len(CALLS), axis=1).astype(bool))


@pytest.mark.parametrize(
    "answer", [*ANSWERS["delong"].to_dict("records"), *ANSWERS["welch"].to_dict("records")]
)
def test_auc_interaction_is_the_unpaired_test_of_proc_and_welchs_of_r(answer, make_rows):
    found = equal_aucs(*from_cases(answer["groups"].split("+"), make_rows))
    assert found.p == pytest.approx(answer["p"], rel=1e-9)
    assert found.levels == answer["groups"].count("+") + 1
    if answer["test"] == "delong":
        assert found.statistic == pytest.approx(answer["statistic"], rel=1e-9)


@pytest.mark.parametrize("name", ["ties", "mixed_groups", "binary"])
def test_clusters_in_two_levels_have_the_covariance_of_two_models(name, make_rows):
    # Every patient stands in both levels, with another score: then the levels' covariance is that
    # of two models, which test_delong.py compares with pROC and the Cleveland Clinic's function.
    case = CASES[name]
    labels, group = case["label"].to_numpy(), np.unique(case["group"], return_inverse=True)[1]
    scores = np.concatenate([case["first"], case["second"]])
    model = as_model(np.tile(labels, 2), scores, clusters=np.tile(group, 2), make_rows=make_rows)
    halves = np.arange(len(scores)) < len(labels)
    first, second = (auc_influence(labels, case[k]) for k in ("first", "second"))
    influences = np.stack([first.per_patient, second.per_patient])
    covariance = auc_covariance(influences, labels, clusters=group)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = equal_aucs(model, [halves, ~halves])
    assert found.statistic == pytest.approx((first.auc - second.auc) ** 2 / variance, rel=1e-9)


@pytest.mark.parametrize(
    ("answer", "subjects"),
    [
        *((answer, True) for answer in ANSWERS["mcnemar"].to_dict("records")),
        *((answer, True) for answer in ANSWERS["cochran_q"].to_dict("records")),
        *((answer, False) for answer in ANSWERS["chisq"].to_dict("records")),
    ],
)
def test_proportions_are_mcnemars_cochrans_and_pearsons_of_r(answer, subjects, make_rows):
    columns = answer["groups"].split("+")
    model, members = from_calls(columns, make_rows, subjects=subjects)
    found = equal_proportions(model, members, name="recall")
    assert found.statistic == pytest.approx(answer["statistic"], rel=1e-9)
    assert found.p == pytest.approx(answer["p"], rel=1e-9)
    assert ("intracluster" in found.method) == subjects


def test_specificity_of_unequal_levels_is_pearsons_of_scipy(make_rows):
    rng = np.random.default_rng(4)
    labels, scores = rng.integers(0, 2, 200), rng.random(200)
    level = rng.choice(3, 200, p=[0.1, 0.3, 0.6])
    model = as_model(labels, scores, make_rows=make_rows)
    members = [level == k for k in range(3)]
    called = model.calls[0]
    table = [
        [np.sum((labels == 0) & (level == k) & (called == c)) for c in (0, 1)] for k in range(3)
    ]
    expected = chi2_contingency(table, correction=False)
    found = equal_proportions(model, members, name="specificity")
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


def test_copies_of_patients_in_their_own_cluster_prove_nothing_more(make_rows):
    rng = np.random.default_rng(6)
    labels, level = rng.integers(0, 2, 60), rng.integers(0, 2, 60)
    scores = rng.random(60) * 0.8 + 0.2 * labels
    members = [level == 0, level == 1]
    once = as_model(labels, scores, make_rows=make_rows)
    thrice = as_model(
        np.repeat(labels, 3), np.repeat(scores, 3), clusters=np.arange(60).repeat(3),
        make_rows=make_rows,
    )  # fmt: skip
    copied = [np.repeat(member, 3) for member in members]
    assert equal_aucs(thrice, copied).statistic == pytest.approx(
        equal_aucs(once, members).statistic
    )
    assert equal_proportions(thrice, copied, name="recall").p == pytest.approx(
        equal_proportions(once, members, name="recall").p
    )


def test_repeats_count_a_patient_once(make_rows):
    rng = np.random.default_rng(7)
    labels, level = rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    scores = rng.random(80)
    members = [level == 0, level == 1]
    once = model_predictions(make_rows(labels, scores), groups=None)
    again = model_predictions(make_rows(labels, np.tile(scores, (4, 1))), groups=None)
    assert equal_aucs(again, members).p == pytest.approx(equal_aucs(once, members).p)
    for name in ("recall", "specificity"):
        assert equal_proportions(again, members, name=name).p == pytest.approx(
            equal_proportions(once, members, name=name).p
        )


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_the_level_says(make_rows):
    rng = np.random.default_rng(2025)
    donor, level = np.arange(210) // 3, np.repeat([0, 1, 2], [30, 60, 120])
    labels, members = donor % 2, [level == k for k in range(3)]
    template = as_model(labels, donor, clusters=donor, make_rows=make_rows)
    alarms, ignoring_donors = np.zeros(3), np.zeros(3)
    for _ in range(400):
        noise = np.sqrt(0.5) * (rng.normal(size=70)[donor] + rng.normal(size=210))
        scores = (labels + noise)[None]
        clustered = replace(template, probabilities=scores, calls=(scores > 0.5).astype(float))
        alarms += alarmed(clustered, members)
        ignoring_donors += alarmed(replace(clustered, clusters=np.arange(210)), members)
    # 99.9 % of such counts of a true 5 % lie from 1.4 to 8.6 %.
    assert (alarms <= 0.086 * 400).all()
    assert (alarms >= 0.014 * 400).all()
    assert (ignoring_donors > 0.12 * 400).all()


def alarmed(model, members):
    """Whether AUC, recall and specificity are found to differ at the 5 % level."""
    tests = (
        equal_aucs(model, members),
        equal_proportions(model, members, name="recall"),
        equal_proportions(model, members, name="specificity"),
    )
    return np.array([test.p < 0.05 for test in tests])


@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1], np.arange(12), "fewer than two levels"),
        ([1, 1, 1, 0, 0, 0] * 2, [9, 8, 7, 3, 2, 1, 9, 1, 8, 2, 7, 3], "fewer than two levels"),
        ([1, 1, 1, 0, 0, 0] * 2, [5] * 12, "fewer than two levels"),
    ],
    ids=["one class", "perfect separation", "constant predictions"],
)
def test_levels_without_a_variance_leave_no_auc_test(labels, scores, reason, make_rows):
    model = as_model(labels, scores, make_rows=make_rows)
    found = equal_aucs(model, [np.arange(12) < 6, np.arange(12) >= 6])
    assert np.isnan(found.p)
    assert reason in found.method


def test_a_third_level_goes_on_without_the_undefined_one(make_rows):
    model, members = from_cases(["ties", "untied"], make_rows)
    one_positive = np.zeros(len(model.labels), dtype=bool)
    found = equal_aucs(model, [members[0], one_positive, members[1]])
    assert found == equal_aucs(model, members)


def test_proportions_at_their_bounds(make_rows):
    model, members = from_calls(["a", "b"], make_rows, subjects=False)
    nobody = equal_proportions(model, members, name="specificity")
    assert np.isnan(nobody.p)
    assert "patients to count among" in nobody.method
    perfect = as_model(np.ones(40, int), np.arange(40) % 2, make_rows=make_rows)
    all_right = perfect.among(perfect.patients[1::2])
    halves = [np.arange(20) < 10, np.arange(20) >= 10]
    assert equal_proportions(all_right, halves, name="recall").p == 1.0
    apart = [perfect.calls[0] == 1, perfect.calls[0] == 0]  # 20 of 20 against 0 of 20
    assert equal_proportions(perfect, apart, name="recall").statistic == pytest.approx(40)
