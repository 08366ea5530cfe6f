"""Which rows of a table fulfil a rule; an empty cell leaves it undecided."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from axilla.cohort.eligibility.rules import (
    Column,
    Compared,
    Comparison,
    Constant,
    IsEmpty,
    Joined,
    Not,
    Rule,
)
from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import UNKNOWN_WORDS, Cell, cell_in, code_of, measured
from axilla.cohort.values.dates import dates_in
from axilla.records.findings import Finding

Verdicts = tuple[bool | None, ...]
"""Per row of the table: True, False, or None where an empty cell leaves it open."""

_SIGNS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def decide(rule: Rule, sheet: Sheet) -> tuple[Verdicts, tuple[Finding, ...]]:
    """Return each row's verdict, and the cells that cannot be compared as the rule asks.

    All columns of the rule must exist. Texts are compared as codes: case, 1 and 1.0, true and yes
    do not matter. A rule with an open part is open, unless its other parts decide it.
    """
    findings: list[Finding] = []
    verdicts = _verdicts(rule, sheet, findings)
    return verdicts, tuple(dict.fromkeys(findings))


def _verdicts(rule: Rule, sheet: Sheet, findings: list[Finding]) -> Verdicts:
    match rule:
        case Not(inner):
            return tuple(None if v is None else not v for v in _verdicts(inner, sheet, findings))
        case Joined(word, rules):
            parts = [_verdicts(part, sheet, findings) for part in rules]
            return tuple(_joined(row, decisive=word == "or") for row in zip(*parts, strict=True))
        case IsEmpty(column):
            return tuple(_empty(cell) for cell in _cells(sheet, column))
        case Compared(left, sign, right):
            return _compared(sheet, left, right, sign=sign, findings=findings)
    codes = {_code(option) for option in rule.options}
    return tuple(
        None if _empty(cell) else code_of(cell.text) in codes for cell in _cells(sheet, rule.column)
    )


def _joined(verdicts: Sequence[bool | None], *, decisive: bool) -> bool | None:
    if decisive in verdicts:
        return decisive
    return None if None in verdicts else not decisive


def _cells(sheet: Sheet, column: Column) -> list[Cell]:
    return [cell_in(sheet, row, column.name) for row in sheet.rows]


def _empty(cell: Cell) -> bool:
    return cell.text.casefold() in UNKNOWN_WORDS


def _code(constant: Constant) -> str:
    return code_of(constant.isoformat() if isinstance(constant, date) else str(constant))


def _compared(
    sheet: Sheet,
    left: Column | Constant,
    right: Column | Constant,
    *,
    sign: Comparison,
    findings: list[Finding],
) -> Verdicts:
    kinds = {type(side) for side in (left, right) if not isinstance(side, Column)}
    ordered = sign not in ("==", "!=")
    if date in kinds or (not kinds and _holds_dates(sheet, left, right)):
        sides = [_dates(sheet, side, findings) for side in (left, right)]
    elif ordered:
        sides = [_numbers(sheet, side, findings) for side in (left, right)]
    else:
        sides = [_codes(sheet, side) for side in (left, right)]
    compare = _SIGNS[sign]
    return tuple(
        None if a is None or b is None else compare(a, b) for a, b in zip(*sides, strict=True)
    )


def _holds_dates(sheet: Sheet, *columns: Column | Constant) -> bool:
    """Whether two columns are compared as dates: every cell is one, and not all are numbers."""
    texts = []
    for column in columns:
        if not isinstance(column, Column):
            return False
        cells = [cell for cell in _cells(sheet, column) if not _empty(cell)]
        dates, _ = dates_in(sheet, column.name)
        if len(cells) > sum(day is not None for day in dates):
            return False
        texts += [cell.text for cell in cells]
    return any(measured(text) is None for text in texts)


def _dates(sheet: Sheet, side: Column | Constant, findings: list[Finding]) -> Sequence[Any]:
    if not isinstance(side, Column):
        return [side] * len(sheet.rows)
    dates, wrong = dates_in(sheet, side.name)
    findings += wrong
    return dates


def _numbers(sheet: Sheet, side: Column | Constant, findings: list[Finding]) -> Sequence[Any]:
    if not isinstance(side, Column):
        return [side] * len(sheet.rows)
    cells = _cells(sheet, side)
    numbers = [None if _empty(cell) else measured(cell.text) for cell in cells]
    findings += [
        cell.refuse(
            "eligibility",
            "a number or an empty cell, as an eligibility rule compares it",
            remedy="Correct the cell, or compare with a 'text' by ==, != or in.",
        )
        for cell, number in zip(cells, numbers, strict=True)
        if number is None and not _empty(cell)
    ]
    return numbers


def _codes(sheet: Sheet, side: Column | Constant) -> Sequence[Any]:
    if not isinstance(side, Column):
        return [_code(side)] * len(sheet.rows)
    return [None if _empty(cell) else code_of(cell.text) for cell in _cells(sheet, side)]
