"""Whatever predictions look like, every table of the stage is made, without a warning."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axilla.config.study import StudyConfig
from axilla.evaluation.stage import TABLES, evaluate
from axilla.records.patients import Patient
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import PREDICTIONS

CONFIG = StudyConfig.model_validate(
    {
        "study": {"outcome": "metastasis", "seed": 3},
        "evaluation": {"subgroups": ["site", "age"], "smallest_subgroup": 2},
    }
)
MODELS = (
    ("ultrasound/selected", "unimodal", "ultrasound"),
    ("ultrasound/trivial", "unimodal", "ultrasound"),
    ("pathology/selected", "unimodal", "pathology"),
    ("single/selected", "unimodal", "pathology"),
    ("selected", "fusion", "ultrasound+pathology"),
    ("birads", "reader", "reader"),
)


@st.composite
def cohorts(draw):
    """Few patients, few distinct probabilities, few groups: where formulas divide by zero."""
    n = draw(st.integers(2, 24))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    steps = draw(st.sampled_from([1, 2, 3, 100]))
    prevalence = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    groups = rng.integers(0, draw(st.integers(1, n)), n)
    labels = (rng.random(n) < prevalence).astype(int)
    repeats = draw(st.integers(1, 2))
    rows = []
    for name, kind, modality in MODELS:
        for repeat in range(repeats):
            chances = np.round(rng.integers(0, steps + 1, n) / steps, 6)
            said = (chances > 0.5).astype(float) if kind == "reader" else chances
            missing = rng.random(n) < draw(st.sampled_from([0.0, 0.2]))
            missing[0] = False
            rows += [
                (f"P{p}", name, kind, modality, repeat, p % 3, labels[p], said[p], 0.5)
                for p in range(n)
                if not missing[p]
            ]
    patients = [
        Patient(
            f"P{p}",
            int(labels[p]),
            group=f"g{groups[p]}",
            site=("north", "south")[p % 2],
            clinical={"age": float(30 + p % 7)},
            attributes={"site": ("north", "south")[p % 2], "age": float(30 + p % 7)},
        )
        for p in range(n)
    ]
    return pd.DataFrame(rows, columns=list(PREDICTIONS)), patients


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(cohorts())
def test_every_table_is_made_of_any_predictions(tmp_path_factory, cohort):
    table, patients = cohort
    folder = RunFolder(tmp_path_factory.mktemp("any"))
    folder.write_table("predictions.csv", table)
    metrics = evaluate(CONFIG, folder, patients)
    known = metrics.dropna(subset=["value", "low"])
    assert (known["low"] <= known["value"] + 1e-9).all()
    assert (known["value"] <= known["high"] + 1e-9).all()
    assert metrics.loc[metrics["low"].isna(), "method"].str.contains("no interval").all()
    for name in TABLES:
        if folder.table(name).is_file():
            assert len(pd.read_csv(folder.table(name))) > 0
