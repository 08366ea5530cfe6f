"""Subgroups: estimates against scikit-learn, interaction tests against pROC, R and scipy."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score, roc_auc_score

from axilla.config.study import StudyConfig
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.metrics.metrics_table import metrics_of_predictions
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.evaluation.stage import evaluate
from axilla.evaluation.subgroups.subgroup_interaction import equal_aucs, equal_proportions
from axilla.evaluation.subgroups.subgroup_metrics import levels_of, subgroup_table
from axilla.records.errors import StudyError
from axilla.records.patients import Patient
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import SUBGROUPS, read_results


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
    return EvaluationInputs(config, patients, rows, models, groups)


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
