"""A study's Table 1: the predicted patients, its columns, its clusters."""

import numpy as np
import pandas as pd
import pytest

from axilla.config.study import StudyConfig
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.table1.patient_table import table_one
from axilla.evaluation.table1.study_table1 import study_table1
from axilla.records.patients import Patient

CONFIG = {
    "study": {"outcome": "alnm"},
    "clinical": {"age": "number", "grade": "category"},
    "cohort": {"site": "hospital", "group": "donor"},
    "reader": {"column": "birads", "positive": ["5"], "name": "BI-RADS"},
}
N = 60


def patients(*, donors=N, **changes):
    rng = np.random.default_rng(8)
    made = []
    for i in range(N):
        values = {
            "patient_id": f"P{i}",
            "label": i % 2,
            "group": f"D{i % donors}",
            "site": ("north", "south", None)[i % 3],
            "clinical": {"age": float(rng.integers(30, 80)), "grade": str(rng.integers(1, 4))},
            "reader_positive": (True, False, None)[rng.integers(0, 3)],
            "attributes": {"nodes": float(rng.integers(0, 20)), "side": rng.choice(["l", "r"])},
        }
        made.append(Patient(**(values | changes)))
    return made


def material(people, *, predicted=N, **config):
    table = pd.DataFrame({"patient_id": [patient.patient_id for patient in people[:predicted]]})
    groups = {patient.patient_id: patient.group for patient in people}
    return EvaluationInputs(StudyConfig.model_validate(CONFIG | config), people, table, {}, groups)


def test_default_columns_are_clinical_site_and_reader():
    people = patients()
    table = study_table1(material(people))
    expected = table_one(
        pd.DataFrame(
            {
                "age": [p.clinical["age"] for p in people],
                "grade": [p.clinical["grade"] for p in people],
                "hospital": [p.site for p in people],
                "BI-RADS": [
                    {True: "positive", False: "negative", None: None}[p.reader_positive]
                    for p in people
                ],
            },
            dtype=object,
        ),
        pd.Series([f"alnm {('negative', 'positive')[p.label]}" for p in people]),
        kinds={"age": "number", "grade": "category", "hospital": "category", "BI-RADS": "category"},
    )
    pd.testing.assert_frame_equal(table, expected)
    assert list(table.columns)[3:5] == ["alnm negative (n = 30)", "alnm positive (n = 30)"]


def test_only_predicted_patients_with_an_outcome():
    people = patients()
    people[3] = Patient("P3", None, group="D3", clinical={"age": 1.0, "grade": "1"})
    table = study_table1(material(people, predicted=50))
    assert list(table.columns)[3:5] == ["alnm negative (n = 25)", "alnm positive (n = 24)"]


def test_named_columns_come_from_attributes_and_keep_their_kind():
    people = patients(donors=9)
    chosen = {"table1": ["nodes", "side", "age", "birads"]}
    table = study_table1(material(people, evaluation=chosen))
    assert list(table["variable"].unique()) == chosen["table1"]
    levels = table.groupby("variable")["level"].agg(list)
    assert len(levels["nodes"]) == 1
    assert levels["side"] == ["l", "r"]
    assert "p_clustered" in table.columns


@pytest.mark.parametrize(
    ("people", "config"),
    [
        (patients(label=1), {}),
        (patients(label=None), {}),
        (patients(), {"clinical": {}, "cohort": {}, "reader": None}),
    ],
)
def test_none_where_nothing_can_be_compared(people, config):
    assert study_table1(material(people, **config)) is None
