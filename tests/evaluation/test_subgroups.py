"""Subgroups: estimates against scikit-learn, interaction tests against pROC, R and scipy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from sklearn.metrics import recall_score, roc_auc_score

from axilla.evaluation.delong import auc_covariance, auc_influence
from axilla.evaluation.interaction import equal_aucs, equal_proportions
from axilla.evaluation.levels import levels_of
from axilla.evaluation.material import Material
from axilla.evaluation.metrics import metrics_of_predictions
from axilla.evaluation.predictions import model_predictions
from axilla.evaluation.stage import evaluate
from axilla.evaluation.subgroups import subgroup_table
from axilla.records.errors import StudyError
from axilla.records.folder import RunFolder
from axilla.records.patients import Patient
from axilla.records.study import StudyConfig
from axilla.records.tables import SUBGROUPS, read_results

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


def names(values, *, cuts=()):
    by_patient = {f"P{i}": value for i, value in enumerate(values)}
    return [level.name for level in levels_of(by_patient, cuts=cuts)]


def test_levels_are_named_as_a_reader_says_them():
    ages = [39.0, 40.0, 49.0, 50.0, 71.0, None]
    assert names(ages, cuts=[40, 50]) == ["< 40", "40 to 49", ">= 50", "unknown"]
    assert names([1.5, 39.9, 45.0, 60.0], cuts=[40, 50]) == ["< 40", "40 to < 50", ">= 50"]
    assert names([1.0, 2.0, 3.0], cuts=[2, 3]) == ["< 2", "2", ">= 3"]
    assert names([45.0, 47.0], cuts=[40, 50]) == ["40 to 49"]
    assert names([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == ["< 3.5", ">= 3.5"]
    assert names([0.0] * 9 + [1.0, 2.0, 3.0, 4.0, 5.0]) == ["< 1", ">= 1"]
    assert names([2.0, 1.0, 3.0, 10.0]) == ["1", "2", "3", "10"]
    assert names(["b", "a", "C", None, "Unknown"]) == ["a", "b", "C", "unknown"]
    assert names([None, None]) == ["unknown"]
    assert names([1.0, "2+", None]) == ["1", "2+", "unknown"]


def test_a_band_holds_its_lower_end_and_every_patient_has_one_level():
    values = {f"P{i}": float(i) for i in range(30, 60)} | {"P0": None}
    levels = levels_of(values, cuts=[40, 50])
    assert [len(level.patients) for level in levels] == [10, 10, 10, 1]
    assert "P40" in levels[1].patients
    assert sum(len(level.patients) for level in levels) == len(values)


def material(rows, attributes, *, groups=None, **evaluation):
    config = StudyConfig.model_validate(
        {"study": {"outcome": "alnm"}, "evaluation": {"subgroups": ["site"]} | evaluation}
    )
    groups = groups or {patient: patient for patient in rows["patient_id"].unique()}
    patients = [
        Patient(name, 1, group=group, attributes=attributes(name)) for name, group in groups.items()
    ]
    models = {
        str(model): model_predictions(part, groups=groups)
        for model, part in rows.groupby("model", sort=False)
    }
    return Material(config, patients, rows, models, groups)


def by_number(patient):
    number = int(patient[1:])
    return {"site": ("north", "south", None)[number % 3], "age": 30.0 + number}


def test_estimates_are_those_of_the_levels_own_predictions(scored, make_rows):
    labels, probabilities, groups = scored
    rows = make_rows(labels, probabilities)
    table = subgroup_table(material(rows, by_number, groups=groups))
    assert tuple(table.columns) == SUBGROUPS
    assert list(dict.fromkeys(table["level"])) == ["north", "south", "unknown"]
    for level, part in table.groupby("level"):
        members = rows["patient_id"].map(lambda p: by_number(p)["site"] or "unknown") == level
        own = rows[members]
        label, score = own["label"], own["probability"]
        found = part.set_index("metric")
        assert found.loc["auc", "value"] == pytest.approx(roc_auc_score(label, score))
        called = score >= 0.5
        for metric, positive in (("recall", 1), ("specificity", 0)):
            expected = recall_score(label, called, pos_label=positive)
            assert found.loc[metric, "value"] == pytest.approx(expected)
        assert set(found["n"]) == {len(own)}
        assert set(found["n_positive"]) == {label.sum()}
        whole = dict(
            metrics_of_predictions(
                model_predictions(own, groups=groups), rng=np.random.default_rng(0)
            )
        )
        for metric in ("auc", "recall", "specificity"):
            bounds = tuple(found.loc[metric, ["low", "high"]])
            assert bounds == pytest.approx((whole[metric].low, whole[metric].high))
            assert found.loc[metric, "method"].startswith(whole[metric].method)


def test_interaction_is_one_test_over_known_levels_that_are_not_small(scored, make_rows):
    labels, probabilities, groups = scored
    rows = make_rows(labels, probabilities)
    table = subgroup_table(material(rows, by_number, groups=groups, smallest_subgroup=3))
    assert len(table[["metric", "p_interaction"]].drop_duplicates()) == 3
    model = model_predictions(rows, groups=groups)
    members = [
        np.array([by_number(p)["site"] == site for p in model.patients])
        for site in ("north", "south")
    ]
    p = table.set_index("metric")["p_interaction"].groupby(level=0).first()
    assert p["auc"] == equal_aucs(model, members).p
    assert p["recall"] == equal_proportions(model, members, name="recall").p
    assert table["method"].str.contains("2 levels").all()
    strict = subgroup_table(material(rows, by_number, groups=groups, smallest_subgroup=200))
    assert strict["small"].all()
    assert strict["p_interaction"].isna().all()
    assert strict["method"].str.contains("no test, fewer than two levels").all()


@pytest.mark.parametrize("at_least", [1, 6, 7, 8, 13, 14])
def test_small_counts_patients_of_the_smaller_class(at_least, make_rows):
    labels = np.repeat([0, 1], [7, 13])
    rows = make_rows(labels, np.linspace(0, 1, 20))
    table = subgroup_table(material(rows, lambda _: {"site": "north"}, smallest_subgroup=at_least))
    assert set(table["small"]) == {at_least > 7}


def test_a_level_of_one_class_says_what_it_cannot_tell(make_rows):
    labels = np.array([1] * 10 + [0, 1] * 15)
    rows = make_rows(labels, np.linspace(0, 1, 40))
    table = subgroup_table(
        material(rows, lambda p: {"site": "east" if int(p[1:]) < 10 else "west"})
    ).set_index(["level", "metric"])
    east = table.loc["east"]
    assert east["small"].all()
    assert np.isnan(east.loc["auc", "value"])
    assert "one class only" in east.loc["auc", "method"]
    assert np.isnan(east.loc["specificity", "value"])
    assert east.loc["recall", "value"] == 0
    assert table["p_interaction"].isna().all()


def test_levels_that_a_model_never_saw_are_left_out(make_rows):
    labels = np.arange(60) % 2
    everywhere = make_rows(labels, np.linspace(0.2, 0.9, 60), model="both")
    north = [p for p in everywhere["patient_id"] if by_number(p)["site"] == "north"]
    some = everywhere[everywhere["patient_id"].isin(north)].assign(model="north only")
    rows = pd.concat([everywhere, some], ignore_index=True)
    table = subgroup_table(material(rows, by_number))
    assert set(table.loc[table["model"] == "north only", "level"]) == {"north"}
    assert set(table.loc[table["model"] == "both", "level"]) == {"north", "south", "unknown"}


def test_no_subgroups_no_table_and_an_unread_column_is_an_error(make_rows):
    rows = make_rows(np.arange(20) % 2, np.linspace(0, 1, 20))
    assert subgroup_table(material(rows, by_number, subgroups=[])) is None
    with pytest.raises(StudyError, match="'ward' that the patients were read without"):
        subgroup_table(material(rows, by_number, subgroups=["ward"]))


def test_the_stage_writes_bands_of_evaluated_patients_only(tmp_path, make_rows):
    labels = np.arange(40) % 2
    folder = RunFolder(tmp_path)
    folder.write_table("predictions.csv", make_rows(labels, np.linspace(0.1, 0.9, 40)))
    config = StudyConfig.model_validate(
        {"study": {"outcome": "alnm"}, "evaluation": {"subgroups": ["age"]}}
    )
    patients = [
        Patient(f"P{n:03d}", None, group=f"P{n:03d}", attributes=by_number(f"P{n:03d}"))
        for n in range(300)  # 260 of them were never tested; their age is not the cohort's median
    ]
    evaluate(config, folder, patients)
    table = read_results(folder.table("subgroups.csv"), SUBGROUPS)
    assert list(dict.fromkeys(table["level"])) == ["< 49.5", ">= 49.5"]
    assert (table["n"] == 20).all()
    evaluate(config.model_copy(update={"evaluation": StudyConfig(study=config.study).evaluation}),
             folder, patients)  # fmt: skip
    assert not folder.table("subgroups.csv").exists()
