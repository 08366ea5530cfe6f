"""Predictions from anywhere: read as people write them, checked, and given our columns."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from axilla.cohort.splits.group_sampling import group_patients
from axilla.cohort.tables.columns import nearest
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, read_sheet
from axilla.cohort.values.cells import as_number
from axilla.records.errors import CohortError, Problem
from axilla.records.patients import ClinicalValue, Patient
from axilla.records.table_columns import PREDICTIONS
from axilla.records.types import ModelKind

_NEEDED = ("patient_id", "label", "probability")
_DEFAULTS: Mapping[str, str] = {
    "model": "model",
    "kind": "unimodal",
    "modality": "",
    "repeat": "0",
    "fold": "0",
}


@dataclass(frozen=True, slots=True)
class ImportedPredictions:
    """A table of predictions with the columns of predictions.csv, and what is known of patients."""

    table: pd.DataFrame
    patients: tuple[Patient, ...]
    threshold_rule: str

    @property
    def scheme(self) -> Literal["nested_cv", "holdout"]:
        """Tell predictions of several folds from those of one test set."""
        return "nested_cv" if len(self.table["fold"].unique()) > 1 else "holdout"


def read_predictions(
    path: Path,
    *,
    groups: Sequence[str] = (),
    subgroups: Sequence[str] = (),
    positive: str = "1",
    threshold: float = 0.5,
) -> ImportedPredictions:
    """Read predictions from CSV or Excel; raise `CohortError` with every fault of the table.

    Needed are patient_id, label and probability; rows without a label are left out. `threshold`
    holds where the table has no such column. `groups` are columns whose equal values tie patients,
    `subgroups` columns that describe them; both must agree for all rows of a patient.
    """
    sheet = read_sheet(path)
    wanted = (*_NEEDED, *groups, *subgroups)
    if missing := [column for column in wanted if column not in sheet.columns]:
        raise CohortError([_missing(sheet, column) for column in missing])
    labelled = tuple(row for row in sheet.rows if row.cells["label"])
    if not labelled:
        raise CohortError(
            Problem(f"{sheet.name}, label", "no label at all", "an outcome per patient")
        )
    if problems := [*_problems(sheet.name, labelled), *_torn(sheet.name, labelled, subgroups)]:
        raise CohortError(problems)
    kept = Sheet(sheet.name, sheet.columns, labelled)
    rows = [_row(row, positive=positive, threshold=threshold) for row in labelled]
    rule = "given" if "threshold" in sheet.columns else f"fixed {threshold:g}"
    return ImportedPredictions(
        pd.DataFrame(rows, columns=list(PREDICTIONS)),
        _patients(kept, groups=groups, subgroups=subgroups),
        rule,
    )


def _row(row: SheetRow, *, positive: str, threshold: float) -> tuple[object, ...]:
    cells = {**_DEFAULTS, **{k: v for k, v in row.cells.items() if v}}
    return (
        *(cells["patient_id"], cells["model"], cells["kind"], cells["modality"]),
        *(int(float(cells["repeat"])), cells["fold"], int(cells["label"] == positive)),
        *(float(cells["probability"]), float(cells.get("threshold", threshold))),
    )


def _patients(
    sheet: Sheet, *, groups: Sequence[str], subgroups: Sequence[str]
) -> tuple[Patient, ...]:
    names = [row.cells["patient_id"] for row in sheet.rows]
    tied = group_patients(sheet, ("patient_id", *groups), patient_ids=names)
    numeric = {
        column: all(
            as_number(row.cells[column]) is not None for row in _get_filled_rows(sheet, column)
        )
        for column in subgroups
    }

    def value(row: SheetRow, column: str) -> ClinicalValue:
        text = row.cells[column]
        return as_number(text) if numeric[column] else text or None

    found = {
        name: Patient(
            name,
            label=None,
            group=group,
            attributes={column: value(row, column) for column in subgroups},
        )
        for name, group, row in zip(names, tied, sheet.rows, strict=True)
    }
    return tuple(found.values())


def _get_filled_rows(sheet: Sheet, column: str) -> list[SheetRow]:
    return [row for row in sheet.rows if row.cells[column]]


def _problems(name: str, rows: Sequence[SheetRow]) -> Iterator[Problem]:
    kinds = get_args(ModelKind)
    for row in rows:
        cells = row.cells
        if not cells["patient_id"]:
            yield _refuse(name, row, "patient_id", expected="an identifier")
        for column in ("probability", "threshold"):
            text = cells.get(column, "0")
            if not (column == "threshold" and not text) and not 0 <= _number(text) <= 1:
                yield _refuse(name, row, column, expected="a number from 0 to 1")
        if not _number(cells.get("repeat") or "0").is_integer():
            yield _refuse(name, row, "repeat", expected="0, 1, 2, ...")
        if cells.get("kind", "unimodal") not in ("", *kinds):
            yield _refuse(name, row, "kind", expected=f"one of {', '.join(kinds)}")


def _number(text: str) -> float:
    """Read a number as programs write it, 1.2e-05 too; NaN for anything else."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _torn(name: str, rows: Sequence[SheetRow], columns: Sequence[str]) -> Iterator[Problem]:
    """Patients whose rows describe them in two ways."""
    for column in columns:
        first: dict[str, SheetRow] = {}
        for row in rows:
            known = first.setdefault(row.cells["patient_id"], row)
            if known.cells[column] != row.cells[column]:
                expected = f"{known.cells[column]!r}, as in row {known.number}"
                yield _refuse(name, row, column, expected=expected)


def _refuse(name: str, row: SheetRow, column: str, *, expected: str) -> Problem:
    found = row.cells.get(column, "")
    return Problem(f"{name}, row {row.number}, {column}", repr(found), expected)


def _missing(sheet: Sheet, column: str) -> Problem:
    near = nearest(column, sheet.columns)
    return Problem(
        f"{sheet.name}, row 1",
        f"columns {', '.join(sheet.columns)}",
        f"a column {column}",
        f"Did you mean {near}? Rename it." if near else "Add the column.",
    )
