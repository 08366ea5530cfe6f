"""What only describes a patient: the columns of subgroups and of Table 1, which no model sees."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.patient_row import RowContent
from axilla.cohort.tables.columns import nearest
from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import UNKNOWN_WORDS, WORDS, parse_number
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error
from axilla.records.patients import ClinicalValue

_CODE = "subgroups"


def read_attributes(
    sheet: Sheet, wanted: CohortSchema, *, contents: Sequence[RowContent]
) -> tuple[Mapping[str, ClinicalValue], ...]:
    """Return every wanted attribute of every row; an empty cell, NA and unknown are None.

    A clinical column keeps the kind that [clinical] gives it. Of the others, a column is numbers
    where every filled cell is one, text otherwise; site and grouping columns are always text.
    """
    columns: dict[str, Sequence[ClinicalValue]] = {}
    for column in wanted.attributes:
        if column in wanted.clinical:
            columns[column] = [content.clinical[column] for content in contents]
        elif column in sheet.columns:
            cells = _cells(sheet, column)
            names = column in wanted.group or column == wanted.site
            columns[column] = _texts(cells, column) if names else _values(cells, column)
    return tuple({c: values[i] for c, values in columns.items()} for i in range(len(sheet.rows)))


def check_attributes(sheet: Sheet, wanted: CohortSchema) -> Iterator[Finding]:
    """Yield an error for a subgroup that tells nothing, and for bands that cut no numbers.

    A missing column is reported by `check_columns`.
    """
    if wanted.outcome in wanted.subgroups:
        yield _refuse(
            wanted,
            "subgroups",
            found="the outcome",
            expected="a column in which both outcomes occur at every level",
            remedy="Remove it from subgroups.",
        )
    for column, cuts in wanted.bands.items():
        if column not in wanted.subgroups:
            near = nearest(column, wanted.subgroups)
            yield _refuse(
                wanted,
                f"bands.{column}",
                found=f"bands of {column!r}",
                expected=f"one of the subgroups: {', '.join(wanted.subgroups) or 'there are none'}",
                remedy=f"Did you mean {near}?" if near else "Name it in subgroups, or remove it.",
            )
        elif not _ascending(cuts):
            yield _refuse(
                wanted,
                f"bands.{column}",
                found=", ".join(f"{cut:g}" for cut in cuts) or "no cut point",
                expected="one or more numbers, each above the one before",
                remedy=f"As {column} = [40, 50].",
            )
        elif column in sheet.columns:
            yield from _not_numeric(sheet, wanted, column=column)


def _not_numeric(sheet: Sheet, wanted: CohortSchema, *, column: str) -> Iterator[Finding]:
    if wanted.clinical.get(column) == "number":
        return  # a cell that is no number has been reported with the clinical values
    kind = "a category in [clinical]" if column in wanted.clinical else ""
    kind = kind or ("a name" if column in wanted.group or column == wanted.site else "")
    texts = [
        (text, row.number)
        for text, row in zip(_cells(sheet, column), sheet.rows, strict=True)
        if text and parse_number(text) is None
    ]
    if not kind and texts:
        more = f" and {len(texts) - 1} more cells" if texts[1:] else ""
        kind = f"{texts[0][0]!r} in row {texts[0][1]} of {sheet.name}{more}"
    if kind:
        yield _refuse(
            wanted,
            f"bands.{column}",
            found=kind,
            expected="a column of numbers, with a decimal point, or empty cells",
            remedy="Correct the cells, or remove the bands: each value is then a level.",
        )


def _refuse(wanted: CohortSchema, key: str, *, found: str, expected: str, remedy: str) -> Finding:
    place = f"{wanted.asked_by}, evaluation.{key}"
    return error(_CODE, Problem(place, found, expected, remedy))


def _ascending(cuts: Sequence[float]) -> bool:
    finite = all(math.isfinite(cut) for cut in cuts)
    return bool(cuts) and finite and all(low < high for low, high in pairwise(cuts))


def _cells(sheet: Sheet, column: str) -> list[str]:
    cells = [row.cells[column] for row in sheet.rows]
    return ["" if text.casefold() in UNKNOWN_WORDS else text for text in cells]


def _values(cells: Sequence[str], column: str) -> Sequence[ClinicalValue]:
    numbers = [parse_number(text) for text in cells]
    if all(text == "" or n is not None for text, n in zip(cells, numbers, strict=True)):
        return numbers
    return _texts(cells, column)


def _texts(cells: Sequence[str], column: str) -> Sequence[ClinicalValue]:
    """Cells as they stand; words of a known vocabulary are one level whatever their case."""
    words = WORDS.get(column, ())
    return [text.casefold() if text.casefold() in words else text or None for text in cells]
