"""Whether a table has the columns that a study asks for."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from axilla.cohort.cohort_schema import Wanted
from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import RANGES, WORDS
from axilla.cohort.values.dates import BIRTH
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error
from axilla.records.types import IMAGE_MODALITIES

ROI = ("roi_left", "roi_top", "roi_width", "roi_height")


def check_columns(sheet: Sheet, wanted: Wanted, *, strict: bool) -> Iterator[Finding]:
    """Yield an error for every column that is missing or used against its meaning.

    Unless `strict`, the outcome, grouping, site, reader and evaluation columns may be absent.
    """
    if "patient_id" not in sheet.columns and "patient_id" not in wanted.columns:
        yield _missing(f"{sheet.name}, row 1", "patient_id", sheet=sheet, asked_by=sheet.name)
    for setting, column in _asked(wanted, strict=strict):
        # A column whose mapping names no header has been reported with the mapping.
        if column not in sheet.columns and column not in wanted.columns:
            place = f"{wanted.asked_by}, {setting}"
            yield _missing(place, column, sheet=sheet, asked_by=wanted.asked_by)
    yield from _settings(wanted)
    yield from _clinical_settings(wanted)
    if 0 < len(set(ROI) & set(sheet.columns)) < len(ROI):
        present = ", ".join(column for column in ROI if column in sheet.columns)
        yield error(
            "column_missing",
            Problem(
                f"{sheet.name}, row 1",
                f"only {present}",
                f"all of {', '.join(ROI)}, or none",
                "Add the missing columns.",
            ),
        )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like `name`, or else contains it, whatever its case."""
    by_folded = {option.casefold(): option for option in known}
    folded = name.casefold()
    cutoff = 0.6 if folded.isascii() else 0.5  # one of two characters of 年龄 is near
    near = get_close_matches(folded, by_folded, n=1, cutoff=cutoff) or [
        o for o in by_folded if folded in o
    ]
    return by_folded[near[0]] if near else None


def _asked(wanted: Wanted, *, strict: bool) -> Iterator[tuple[str, str]]:
    for modality in IMAGE_MODALITIES:
        if modality in wanted.modalities:
            yield f"models.{modality}", modality
    for column in wanted.clinical:
        yield f"clinical.{column}", column
    if strict:
        yield from _asked_of_a_study(wanted)


def _asked_of_a_study(wanted: Wanted) -> Iterator[tuple[str, str]]:
    if wanted.outcome is not None:
        yield "study.outcome", wanted.outcome
    for column in wanted.group:
        yield "cohort.group", column
    if wanted.site is not None:
        yield "cohort.site", wanted.site
    if wanted.reader is not None:
        yield "reader.column", wanted.reader
    for column in wanted.subgroups:
        yield "evaluation.subgroups", column
    for column in wanted.table1:
        yield "evaluation.table1", column


def _missing(place: str, column: str, *, sheet: Sheet, asked_by: str) -> Finding:
    ours = {header: name for name, header in sheet.headers.items()}
    near = ours.get(column) or nearest(column, sheet.columns)
    mend = "" if asked_by == sheet.name else f", or correct {asked_by}"
    remedy = f"Did you mean {near}?" if near else f"Add the column to {sheet.name}{mend}."
    if column == BIRTH:
        remedy = "Dates of birth are read for the age only: ask for age."
    columns = ", ".join(sheet.columns)
    problem = Problem(
        place, f"no column {column!r}", f"one of the columns of {sheet.name}: {columns}", remedy
    )
    if place.startswith(sheet.name):
        problem = Problem(place, f"columns {columns}", f"a column {column}", remedy)
    return error("column_missing", problem)


def _settings(wanted: Wanted) -> Iterator[Finding]:
    if not wanted.modalities:
        yield error(
            "no_model",
            Problem(
                f"{wanted.asked_by}, models",
                "no model of any modality",
                "at least one model of ultrasound, pathology or clinical columns",
                "Name models in [models], and clinical columns in [clinical].",
            ),
        )
    if wanted.by_site and wanted.site is None:
        yield error(
            "column_missing",
            Problem(
                f"{wanted.asked_by}, cohort.site",
                "nothing",
                "the column of the hospital, which validation.scheme = 'site' needs",
                "Name the column, or choose another scheme.",
            ),
        )


def _clinical_settings(wanted: Wanted) -> Iterator[Finding]:
    for column, kind in wanted.clinical.items():
        right = "category" if column in WORDS else "number" if column in RANGES else kind
        if column == wanted.outcome:
            yield error(
                "outcome_as_input",
                Problem(
                    f"{wanted.asked_by}, clinical.{column}",
                    "the outcome",
                    "a column known before the outcome",
                    "Remove it from [clinical].",
                ),
            )
        elif kind != right:
            yield error(
                "clinical_kind",
                Problem(
                    f"{wanted.asked_by}, clinical.{column}",
                    repr(kind),
                    repr(right),
                    "Correct it, or rename the column if it holds something else.",
                ),
            )
