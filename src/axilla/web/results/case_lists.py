"""The patients behind a point: those above a threshold, in a bin, or called wrongly."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from axilla.evaluation.calibration.calibration_table import bins_of
from axilla.records.errors import Problem
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.report.number_format import sentence
from axilla.report.reported_models import FAMILY_TITLES, StudyModel
from axilla.report.sections.failure_gallery import ErrorMade, errors_made, said_by
from axilla.report.sections.failure_gallery import ModelOpinion as ReportSaid
from axilla.report.study_results import StudyResults
from axilla.web.core.http_errors import NotFoundError
from axilla.web.results.results_schemas import (
    CaseDetail,
    CaseRow,
    Cases,
    CaseSelection,
    Cell,
    ErrorCase,
    ErrorKind,
    FailureList,
    ModelProbability,
    Pictured,
)

_CELLS: Final[tuple[Cell, ...]] = ("tp", "fp", "fn", "tn")


def no_model(known: Collection[str]) -> Problem:
    """Return what is said of a model that the study has not."""
    return Problem("model", "none of this name", f"one of {', '.join(known)}")


def cases_at(results: StudyResults, entry: StudyModel, point: CaseSelection) -> Cases:
    """Return a model's cases; over repeats, by their mean probability.

    Bins are those of the calibration plot, from 0; raises `NotFoundError` if there is no such bin.
    """
    said = said_by(results.predictions, entry.name)
    wanted = said if point.bin is None else _in_bin(results, entry.name, point.bin)
    labels = _labels(results)
    cases = [
        _case(patient, what, positive=labels[patient], threshold=point.threshold)
        for patient, what in said.items()
        if patient in wanted
    ]
    counts: dict[Cell, int] = {name: sum(one.cell == name for one in cases) for name in _CELLS}
    shown = [one for one in cases if point.cell in ("all", one.cell)]
    shown.sort(key=lambda one: (-one.probability, one.patient_id))
    return Cases(
        total=len(shown),
        counts=counts,
        modalities=modalities_of(results),
        cases=shown[point.offset : point.offset + point.most],
    )


def case_of(results: StudyResults, patient: str, *, pictures: list[Pictured]) -> CaseDetail:
    """Return all predictions of a patient; raise `NotFoundError` for one who was not predicted."""
    labels = _labels(results)
    if patient not in labels:
        raise NotFoundError(
            Problem("patient", "nobody of this identifier", "a patient of the results")
        )
    own = results.predictions[results.predictions["patient_id"] == patient]
    alone = replace(results, predictions=own)
    said = [
        _get_probability(entry, said_by(alone.predictions, entry.name)[patient])
        for entry in results.entries
        if (own["model"] == entry.name).any()
    ]
    return CaseDetail(patient_id=patient, positive=labels[patient], said=said, pictures=pictures)


def gallery_of(results: StudyResults, entry: StudyModel, *, most: int) -> FailureList:
    """Return the most confident errors of a model, and what was said of them otherwise."""
    kinds = zip(("fp", "fn"), errors_made(results, entry, most=most), strict=True)
    return FailureList(
        model=entry.name,
        label=sentence(entry.long_label),
        modalities=modalities_of(results),
        kinds=[
            ErrorKind(cell=cell, of=made.of, cases=[_error(one) for one in made.shown])
            for cell, made in kinds
        ],
    )


def modalities_of(results: StudyResults) -> list[ImageModality]:
    """Return the image modalities that any model of the study looks at."""
    seen = {part for entry in results.entries for part in entry.modality.split("+")}
    return [modality for modality in IMAGE_MODALITIES if modality in seen]


def _in_bin(results: StudyResults, model: str, number: int) -> set[str]:
    rows = results.predictions[results.predictions["model"] == model]
    rows = rows[rows["probability"].notna()]
    bins = bins_of(rows["probability"].to_numpy(), patients=rows["patient_id"].nunique())
    if number > bins.max():
        raise NotFoundError(Problem("bin", str(number), f"0 to {bins.max()}"))
    return set(rows["patient_id"][bins == number])


def _labels(results: StudyResults) -> dict[str, bool]:
    patients = results.predictions.drop_duplicates("patient_id")
    pairs = zip(patients["patient_id"], patients["label"] > 0, strict=True)
    return {str(patient): bool(label) for patient, label in pairs}


def _case(patient: str, what: ReportSaid, *, positive: bool, threshold: float | None) -> CaseRow:
    at = what.threshold if threshold is None else threshold
    called = what.probability >= at
    cell: Cell = ("tp" if positive else "fp") if called else "fn" if positive else "tn"
    return CaseRow(
        patient_id=patient,
        positive=positive,
        probability=what.probability,
        threshold=at,
        called=called,
        cell=cell,
    )


def _get_probability(entry: StudyModel, what: ReportSaid) -> ModelProbability:
    return ModelProbability(
        model=entry.name,
        label=sentence(entry.long_label),
        family_title=FAMILY_TITLES[entry.family],
        reader=entry.family == "reader",
        probability=what.probability,
        threshold=what.threshold,
        called=what.positive,
    )


def _error(one: ErrorMade) -> ErrorCase:
    others: Mapping[str, ReportSaid] = dict(one.others)
    said = [
        ModelProbability(
            model="",
            label=name,
            family_title="",
            reader=False,
            probability=what.probability,
            threshold=what.threshold,
            called=what.positive,
        )
        for name, what in others.items()
    ]
    said += [
        ModelProbability(
            model="",
            label=name,
            family_title="",
            reader=True,
            probability=float(called),
            threshold=0.5,
            called=called,
        )
        for name, called in one.readers
    ]
    return ErrorCase(
        patient_id=one.patient_id,
        probability=one.model.probability,
        threshold=one.model.threshold,
        others=said,
    )
