"""The inclusion flow loses nobody: who stays and who leaves add up to who was there."""

import dataclasses
import io
import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import axilla
from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.eligibility.criteria import inclusion_flow, screen
from axilla.cohort.tables.spreadsheet import Sheet, read_sheet
from axilla.cohort.values.outcomes import outcome_labels
from axilla.config.sections import EligibilitySection
from axilla.records.patients import Patient
from axilla.report.figures.flow_figure import draw_flow
from axilla.report.study_results import load_results
from axilla.report.tables.flow_and_checks import flow_notes, flow_steps
from axilla.report.tables.inclusion_stages import Leaving, flow_stages

ELIGIBILITY = [
    {"reason": "contralateral breast cancer in the history", "count": 12},
    {"reason": "chemotherapy or radiotherapy before surgery", "count": 20},
    {"reason": "nobody, so not drawn", "count": 0},
]


@pytest.fixture
def results(paired):
    return load_results(*paired)


def changed(results, **flow):
    return dataclasses.replace(results, flow=results.flow | flow)


def test_stages_and_those_who_leave_add_up(results):
    stages = flow_stages(changed(results, in_table=260, excluded=ELIGIBILITY, external=11))
    for before, after in itertools.pairwise(stages[:3]):
        assert before.count - sum(one.count for one in after.leaving) == after.count
    known = stages[1]
    assert known.leaving == (
        Leaving("contralateral breast cancer in the history", 12),
        Leaving("chemotherapy or radiotherapy before surgery", 20),
        Leaving("outcome unknown", 4),
        Leaving("no reason recorded", 13),
    )
    assert (known.label, known.count, known.positive, known.negative) == (
        *("Eligible, outcome known", 211, 107, 104),
    )
    assert stages[2].leaving == (Leaving("kept apart as external set", 11),)
    assert stages[2].count == 200


def test_plain_study_names_only_the_unknown_outcomes(results):
    stages = flow_stages(results)
    assert [(stage.label, stage.count) for stage in stages] == [
        ("In the cohort table", 215),
        ("Outcome known", 211),
        ("Evaluated", 211),
    ]
    assert stages[1].leaving == (Leaving("outcome unknown", 4),)
    assert "36 groups by pathology_donor" in stages[1].notes
    assert stages[2].leaving == ()


def test_patients_without_a_prediction_are_counted(results):
    some = results.predictions[results.predictions["patient_id"] > "P011"]
    fewer = dataclasses.replace(results, predictions=some)
    assert flow_stages(fewer)[-1].leaving == (Leaving("without a prediction", 11),)


@pytest.mark.parametrize("flow", [None, [], {}, {"in_table": "many"}, {"in_table": 3}])
def test_no_flow_no_figure(results, flow):
    assert draw_flow(dataclasses.replace(results, flow=flow)) is None


def test_figure_says_in_words_what_it_shows(results):
    drawing = draw_flow(changed(results, in_table=260, excluded=ELIGIBILITY))
    for words in ("In the cohort table: 260", "left out 12: contralateral", "Evaluated: 211"):
        assert words in drawing.description
    assert ET.fromstring(drawing.svg.decode()).tag.endswith("svg")  # noqa: S314


def test_a_long_reason_stays_inside_its_box(results):
    reason = "a criterion whose name nobody thought of shortening, " * 6 + "W" * 80
    drawing = draw_flow(changed(results, excluded=[{"reason": reason, "count": 2}], in_table=217))
    ink = np.asarray(Image.open(io.BytesIO(drawing.png)).convert("L")) < 200
    assert not ink[:, -3:].any()
    assert not ink[:3].any()
    assert not ink[-3:].any()


def test_what_the_check_counts_is_what_the_figure_and_the_table_show(results):
    """From a real table with planted criteria to the diagram, nobody lost or counted twice."""
    folder = Path(axilla.__file__).parent / "sample"
    rows = read_sheet(folder / "cohort.csv").rows
    planted = {"P003": "contralateral_history", "P007": "neoadjuvant", "P011": "exceeds_probe"}
    sheet = Sheet(
        "cohort.csv",
        ("patient_id", "malignant", "age", *planted.values()),
        tuple(
            replace(row, cells=dict.fromkeys(planted.values(), "no") | row.cells
                    | {planted.get(row.cells["patient_id"], ""): "yes"})
            for row in rows
        ),
    )  # fmt: skip
    rules = EligibilitySection(include={"under 40 years": "age >= 40"})
    wanted = CohortSchema(modalities=("clinical",), outcome="malignant", eligibility=rules)
    labels = outcome_labels(sheet, wanted)
    screening, _ = screen(sheet, wanted, labels=labels)
    left = [
        Patient(row.cells["patient_id"], label, group=row.cells["patient_id"])
        for row, label, stays in zip(rows, labels, screening.stays, strict=True)
        if stays
    ]
    flow = inclusion_flow(left, ("clinical",), screening=screening)
    kept = {patient.patient_id for patient in left}
    predictions = results.predictions[results.predictions["patient_id"].isin(kept)]
    screened = replace(results, flow=flow, predictions=predictions)
    young = sum(0 < float(row.cells["age"] or 0) < 40 for row in rows)
    known = flow_stages(screened)[1]
    assert known.leaving == (
        Leaving("contralateral breast cancer in the history", 1),
        Leaving("chemotherapy or radiotherapy before surgery", 1),
        Leaving("lesion larger than the ultrasound probe", 1),
        Leaving("under 40 years", young),
    )
    assert known.count == len(left) == 211 - 3 - young
    assert known.label == "Eligible, outcome known"
    steps = {step.label: step for step in flow_steps(flow)}
    excluded = [step for label, step in steps.items() if label.startswith("Excluded: ")]
    assert sum(step.count for step in excluded) + steps["Outcome known"].count == 211
    positive = sum(step.positive for step in (*excluded, steps["Outcome known"]))
    assert positive == sum(label == 1 for label in labels)
    unknown = sum(not row.cells["age"] for row in rows if row.cells["patient_id"] in kept)
    assert flow_notes(flow, group="")[0].endswith(f"under 40 years: {unknown}.")
    assert f"left out {young}: under 40 years" in draw_flow(screened).description


def test_page_shows_it_beside_the_tables(paired):
    html = paired[1].table("report.html").read_text(encoding="utf-8")
    section = html[html.index('<section id="patients"') :]
    section = section[: section.index("</section>")]
    assert 'aria-label="Inclusion flow. In the cohort table: 215' in section
    assert "figures/inclusion_flow.svg" in section
    assert (paired[1].figures / "inclusion_flow.svg").is_file()
