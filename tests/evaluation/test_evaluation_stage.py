"""predictions.csv in, metrics.csv out, and every fault of the predictions refused at once."""

import numpy as np
import pandas as pd
import pytest

from axilla.config.study import StudyConfig
from axilla.evaluation.prediction_arrays import check_predictions
from axilla.evaluation.stage import evaluate
from axilla.records.errors import StudyError
from axilla.records.patients import Patient
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import METRICS, PREDICTIONS, read_results

CONFIG = StudyConfig.model_validate({"study": {"outcome": "metastasis", "seed": 7}})
REQUIRED = {"accuracy", "precision", "recall", "specificity", "f1", "auc"}


@pytest.fixture
def predictions(make_rows, scored):
    labels, probabilities, _ = scored
    fusion = make_rows(labels, probabilities)
    unimodal = make_rows(labels, probabilities**2, model="densenet121", kind="unimodal")
    reader = make_rows(labels, probabilities > 0.6, model="axillary_ultrasound", kind="reader")
    return pd.concat([fusion, unimodal, reader], ignore_index=True)


@pytest.fixture
def groups(scored):
    return scored[2]


def patients_of(groups):
    return [Patient(patient, label=None, group=group) for patient, group in groups.items()]


def stored(tmp_path, table):
    folder = RunFolder(tmp_path)
    folder.write_table("predictions.csv", table)
    return folder


def test_writes_every_metric_of_every_model(tmp_path, predictions, groups):
    folder = stored(tmp_path, predictions)
    metrics = evaluate(CONFIG, folder, patients_of(groups))
    assert tuple(metrics.columns) == METRICS
    assert list(metrics["model"].unique()) == ["multilayer", "densenet121", "axillary_ultrasound"]
    for _, rows in metrics.groupby("model"):
        assert set(rows["metric"]) >= REQUIRED
    written = read_results(folder.table("metrics.csv"), METRICS)
    assert np.array_equal(written["value"], metrics["value"], equal_nan=True)
    assert np.array_equal(written["low"], metrics["low"], equal_nan=True)


def test_names_the_rule_behind_each_threshold(tmp_path, predictions, groups):
    metrics = evaluate(CONFIG, stored(tmp_path, predictions), patients_of(groups))
    rules = metrics.set_index(["model", "metric"])["threshold_rule"]
    assert rules["multilayer", "recall"] == "youden"
    assert rules["axillary_ultrasound", "recall"] == "reading"
    assert rules["multilayer", "auc"] == rules["axillary_ultrasound", "auc"] == ""


def test_same_file_whatever_the_order_of_models_and_rows(tmp_path, predictions, groups):
    metrics = evaluate(CONFIG, stored(tmp_path / "a", predictions), patients_of(groups))
    shuffled = predictions.sample(frac=1, random_state=3)
    again = evaluate(CONFIG, stored(tmp_path / "b", shuffled), patients_of(groups))
    keys = ["model", "metric"]
    pd.testing.assert_frame_equal(
        metrics.sort_values(keys, ignore_index=True), again.sort_values(keys, ignore_index=True)
    )
    folders = [RunFolder(tmp_path / "a"), stored(tmp_path / "c", predictions)]
    evaluate(CONFIG, folders[1], patients_of(groups))
    assert len({folder.table("metrics.csv").read_bytes() for folder in folders}) == 1


def test_a_missing_file_says_what_to_run(tmp_path, groups):
    with pytest.raises(StudyError, match="axilla run"):
        evaluate(CONFIG, RunFolder(tmp_path), patients_of(groups))


@pytest.mark.parametrize(
    "fault",
    [
        ("label", 2, "line 5: found a label that is neither 0 nor 1"),
        ("label", "yes", "line 5: found a label that is neither 0 nor 1"),
        ("label", None, "line 5: found a label that is neither 0 nor 1"),
        ("probability", 1.2, "line 5: found no probability"),
        ("probability", np.nan, "line 5: found no probability"),
        ("probability", "high", "line 5: found no probability"),
        ("threshold", np.inf, "line 5: found no threshold"),
        ("patient_id", "P000", "lines 2, 5: found a patient several times in one repeat"),
        ("patient_id", None, "line 5: found no patient_id"),
        ("kind", "oracle", "line 5: found an unknown kind"),
        ("repeat", 0.5, "line 5: found no repeat number"),
    ],
)
def test_refuses_faulty_rows_by_line(tmp_path, predictions, groups, fault):
    column, value, said = fault
    broken = predictions.astype({column: object})
    broken.loc[3, column] = value
    folder = stored(tmp_path, broken)
    with pytest.raises(StudyError, match=said.replace("(", r"\(")):
        evaluate(CONFIG, folder, patients_of(groups))
    assert not folder.table("metrics.csv").exists()


def test_refuses_a_patient_with_two_labels(predictions):
    predictions.loc[60, "label"] = 1 - predictions.loc[60, "label"]
    with pytest.raises(StudyError, match="lines 2, 62, 122: found labels that differ"):
        check_predictions(predictions)


def test_reports_all_faults_at_once(predictions):
    predictions.loc[3, "label"] = 2
    predictions.loc[5:30, "probability"] = -1
    with pytest.raises(StudyError) as raised:
        check_predictions(predictions)
    places = [problem.place for problem in raised.value.problems]
    assert "predictions.csv, line 5" in places
    assert any(place.endswith("15, 16 and 16 more") for place in places)


def test_refuses_an_empty_table():
    with pytest.raises(StudyError, match="no predictions"):
        check_predictions(pd.DataFrame(columns=list(PREDICTIONS)))
