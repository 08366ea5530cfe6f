"""Calibration on the page: whether a predicted risk may be read as one."""

from dataclasses import dataclass
from typing import Final

from axilla.records.estimate import Estimate
from axilla.report.headline_models import protagonists
from axilla.report.number_format import sentence
from axilla.report.page import PageSection, render
from axilla.report.reported_models import StudyModel
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import StudyResults

COLUMNS: Final = {
    "calibration_intercept": "Intercept",
    "calibration_slope": "Slope",
    "ece": "ECE",
    "brier": "Brier score",
}

_RECALIBRATED: Final = {
    "none": "Probabilities are as the models gave them.",
    "platt": "Probabilities went through Platt's logistic map, fitted on each fold's inner folds.",
    "isotonic": "Probabilities went through an isotonic map, fitted on each fold's inner folds; "
    "its level stretches tie patients.",
}


@dataclass(frozen=True, slots=True)
class _CalibrationRow:
    """One model's line of the table."""

    title: str
    estimates: dict[str, Estimate | None]


def calibration_section(material: ReportContext) -> PageSection | None:
    """The calibration plots, their numbers, and what they say of the first model."""
    drawing = material.drawings.get("calibration")
    if drawing is None:
        return None
    results = material.results
    known = set(results.calibration["model"])
    entries = [entry for entry in protagonists(results) if entry.name in known]
    html = render(
        "sections/calibration.html.j2",
        drawing=drawing,
        columns=COLUMNS,
        rows=[_row(results, entry) for entry in entries],
        verdict=calibration_sentence(results, entries[0]),
        recalibrated=_RECALIBRATED[results.config.validation.recalibration],
        repeated=results.predictions["repeat"].nunique() > 1,
    )
    return PageSection("Calibration", "calibration", html)


def calibration_sentence(results: StudyResults, entry: StudyModel) -> str:
    """Say what intercept and slope show of a model's risks; an interval that holds no fault, none.

    The intercept's interval is held against 0, the slope's against 1.
    """
    name = sentence(entry.long_label)
    faults, unknown = [], []
    for metric, aim, below, above in (
        ("calibration_intercept", 0, "too high on the whole", "too low on the whole"),
        ("calibration_slope", 1, "too extreme, at both ends", "too modest, at both ends"),
    ):
        found = results.estimate(entry.name, metric)
        if found is None or not found.low <= found.high:
            unknown.append(COLUMNS[metric].lower())
        elif found.high < aim:
            faults.append(below)
        elif found.low > aim:
            faults.append(above)
    if faults:
        return f"{name}: predicted risks are {' and '.join(faults)}."
    if unknown:
        return f"{name}: the data give no interval of the {' and '.join(unknown)}."
    return (
        f"{name}: no fault of calibration shows, as the intercept's interval holds 0 and the "
        "slope's holds 1. How wide they are says how much could still be hidden."
    )


def _row(results: StudyResults, entry: StudyModel) -> _CalibrationRow:
    estimates = {metric: results.estimate(entry.name, metric) for metric in COLUMNS}
    return _CalibrationRow(sentence(entry.long_label), estimates)
