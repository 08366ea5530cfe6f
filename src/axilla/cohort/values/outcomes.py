"""Columns of codes: the outcome, and a reader's opinion."""

from collections.abc import Iterator

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.tables.columns import nearest
from axilla.cohort.tables.spreadsheet import Sheet, describe_column
from axilla.cohort.values.cells import code_of
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning

_CLASSES = 2
_SHOWN = 10


def outcome_labels(sheet: Sheet, wanted: CohortSchema) -> tuple[int | None, ...]:
    """Return 1 where the outcome is the positive code, 0 where it is another, None where empty."""
    positive = code_of(wanted.positive)
    texts = _texts(sheet, column=wanted.outcome)
    labels = {text: int(code_of(text) == positive) if text else None for text in set(texts)}
    return tuple(labels[text] for text in texts)


def check_outcome(sheet: Sheet, wanted: CohortSchema, *, strict: bool) -> Iterator[Finding]:
    """Yield an error unless the outcome has two values, one of them the positive code.

    Unless `strict`, one value of either kind, or none, suffices.
    """
    found = _codes(sheet, column=wanted.outcome)
    if wanted.outcome is None or wanted.outcome not in sheet.columns:
        return
    if not strict and not found:
        return
    positive = code_of(wanted.positive)
    place = sheet.place(wanted.outcome)
    limit = _CLASSES if positive in found else _CLASSES - 1
    if strict and found and positive not in found:
        near = nearest(wanted.positive, found.values())
        problem = Problem(
            f"{wanted.asked_by}, study.positive",
            repr(wanted.positive),
            f"a value of column {_describe_outcome(sheet, wanted.outcome)}: {_list_values(found)}",
            f"Did you mean {near}?" if near else "Write the value that means positive.",
        )
        yield error("outcome", problem)
    elif len(found) > limit:
        expected = f"{wanted.positive!r} and one other value"
        remedy = (
            f"Correct the cells, or give each code its meaning in [cohort.values] "
            f"{wanted.outcome}; leave an unknown outcome empty."
        )
        yield error("outcome", Problem(place, _list_values(found), expected, remedy))
    elif strict and len(found) < _CLASSES:
        seen = f"only {_list_values(found)}" if found else "no value"
        expected = f"{wanted.positive!r} and one other value, each in several patients"
        remedy = "A study needs patients with and without the outcome."
        yield error("outcome", Problem(place, seen, expected, remedy))


def reader_opinions(sheet: Sheet, wanted: CohortSchema) -> tuple[bool | None, ...]:
    """Return whether the reader called each row suspicious, None where the reading is missing."""
    positive = {code_of(code) for code in wanted.reader_positive}
    texts = _texts(sheet, column=wanted.reader)
    opinions = {text: code_of(text) in positive if text else None for text in set(texts)}
    return tuple(opinions[text] for text in texts)


def check_reader(sheet: Sheet, wanted: CohortSchema, *, strict: bool) -> Iterator[Finding]:
    """Yield an error if no positive code occurs in the reader's column, a warning if one lacks."""
    if wanted.reader is None or wanted.reader not in sheet.columns:
        return
    found = _codes(sheet, column=wanted.reader)
    absent = [code for code in wanted.reader_positive if code_of(code) not in found]
    place = f"{wanted.asked_by}, reader.positive"
    values = _list_values(found) or "all empty"
    expected = f"values of column {_describe_outcome(sheet, wanted.reader)}: {values}"
    if absent and (strict or found):
        kind = error if strict and len(absent) == len(wanted.reader_positive) else warning
        listed = ", ".join(map(repr, absent))
        remedy = "Correct a misspelt code; a rare one may well be absent."
        yield kind("reader_code", Problem(place, listed, expected, remedy))


def _describe_outcome(sheet: Sheet, column: str) -> str:
    return describe_column(column, sheet.headers.get(column))


def _texts(sheet: Sheet, *, column: str | None) -> tuple[str, ...]:
    return tuple(row.cells.get(column, "") if column else "" for row in sheet.rows)


def _codes(sheet: Sheet, *, column: str | None) -> dict[str, str]:
    """Return the distinct codes, each with its first spelling."""
    found: dict[str, str] = {}
    for text in dict.fromkeys(_texts(sheet, column=column)):
        if text:
            found.setdefault(code_of(text), text)
    return found


def _list_values(found: dict[str, str]) -> str:
    spellings = [repr(text) for text in found.values()]
    rest = [f"and {len(spellings) - _SHOWN} more"] if len(spellings) > _SHOWN else []
    return ", ".join([*spellings[:_SHOWN], *rest])
