"""Dates as hospitals write them; day and month are never guessed from one cell alone."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import UNKNOWN_WORDS, Cell, cell_in
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning

_FORMS = "2019-03-05, 2019/3/5, 05.03.2019, 20190305, 2019年3月5日 or 5 Mar 2019"
_TIME = r"(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?"
_CERTAIN = tuple(
    re.compile(form + _TIME)
    for form in (
        r"(?P<y>\d{4})\s*[-/.年년]\s*(?P<m>\d{1,2})\s*[-/.月월]\s*(?P<d>\d{1,2})\s*[日일]?",
        r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})",
        r"(?P<d>\d{1,2})\.\s*(?P<m>\d{1,2})\.\s*(?P<y>\d{4})",
        r"(?P<d>\d{1,2})[ -](?P<m>[A-Za-z]{3})[a-z]*[ -](?P<y>\d{4})",
    )
)
_EITHER = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})" + _TIME)
_SERIAL = re.compile(r"[1-9]\d{4}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EXCEL_ZERO = date(1899, 12, 30)  # day 0 of Excel's serials, its 29 Feb 1900 taken into account
_MOST_LETTERS = 24

DATES = ("ultrasound_date", "biopsy_date", "surgery_date")
BIRTH = "birth_date"


@dataclass(frozen=True, slots=True)
class _Either:
    """A date whose first two numbers may be day and month, or month and day."""

    first: int
    second: int
    year: int

    def day_first(self) -> date | None:
        return _date(self.year, self.second, self.first)

    def month_first(self) -> date | None:
        return _date(self.year, self.first, self.second)


def read_date(text: str) -> date | None:
    """Return the date that the text says beyond doubt, or None."""
    read = _read(text)
    if isinstance(read, _Either):
        orders = {read.day_first(), read.month_first()} - {None}
        return orders.pop() if len(orders) == 1 else None
    return read


def dates_in(sheet: Sheet, column: str) -> tuple[tuple[date | None, ...], tuple[Finding, ...]]:
    """Return the column's dates, None where a cell is empty or wrong, and what is wrong.

    03/05/2019 is read in the order that another cell of the column shows (25/03/2019), and refused
    where none does. Texts of birth dates are not quoted.
    """
    cells = [cell_in(sheet, row, column) for row in sheet.rows]
    reads = [None if _unknown(cell.text) else _read(cell.text) for cell in cells]
    open_order = [read for read in reads if isinstance(read, _Either)]
    day_first = any(read.month_first() is None and read.day_first() for read in open_order)
    month_first = any(read.day_first() is None and read.month_first() for read in open_order)
    dates: list[date | None] = []
    doubtful: list[Cell] = []
    findings: list[Finding] = []
    for cell, read in zip(cells, reads, strict=True):
        found = read
        if isinstance(read, _Either):
            found = None
            if day_first != month_first:
                found = read.day_first() if day_first else read.month_first()
            elif read.day_first() or read.month_first():
                doubtful.append(cell)
        dates.append(found if isinstance(found, date) else None)
        if dates[-1] is None and not _unknown(cell.text) and cell not in doubtful:
            findings.append(_no_date(cell))
    findings += _on_order(sheet, column, doubtful=doubtful, both=day_first and month_first)
    if open_order and day_first != month_first:
        findings.append(_order_said(sheet, cells, reads, day_first=day_first))
    return tuple(dates), tuple(findings)


def quote_date(cell: Cell) -> str:
    """Quote a cell; of a birth date only its form, as the date itself stays in the table."""
    if cell.column != BIRTH:
        return cell.found
    form = re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "0", cell.text))
    return f"text of the form {form[:_MOST_LETTERS]!r}"


def _unknown(text: str) -> bool:
    return text.casefold() in UNKNOWN_WORDS


def _read(text: str) -> date | _Either | None:
    plain = unicodedata.normalize("NFKC", text).strip()
    for form in _CERTAIN:
        if found := form.fullmatch(plain):
            return _date(int(found["y"]), _month(found["m"]), int(found["d"]))
    if found := _EITHER.fullmatch(plain):
        either = _Either(*map(int, found.groups()))
        return either if either.day_first() or either.month_first() else None
    if _SERIAL.fullmatch(plain):
        return _EXCEL_ZERO + timedelta(days=int(plain))
    return None


def _month(text: str) -> int:
    """Return the number of a month, 0 for no month at all."""
    name = text.casefold()
    return int(text) if text.isdigit() else _MONTHS.index(name) + 1 if name in _MONTHS else 0


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:  # no such day
        return None


def _no_date(cell: Cell) -> Finding:
    return cell.refuse(
        "unknown_value", f"a date such as {_FORMS}, or an empty cell", found=quote_date(cell)
    )


def _on_order(
    sheet: Sheet, column: str, *, doubtful: Sequence[Cell], both: bool
) -> Iterator[Finding]:
    if not doubtful:
        return
    first = doubtful[0]
    found = f"{quote_date(first)} in row {first.row}"
    if len(doubtful) > 1:
        found += f" and {len(doubtful) - 1} more that could be day/month or month/day"
    if both:
        found += "; some cells say day/month, others month/day"
    problem = Problem(
        sheet.place(column),
        found,
        "dates of one order, which at least one day above 12 shows",
        "Write the dates as 2019-03-05.",
    )
    yield error("unknown_value", problem, patients=[cell.patient_id for cell in doubtful])


def _order_said(
    sheet: Sheet,
    cells: Sequence[Cell],
    reads: Sequence[date | _Either | None],
    *,
    day_first: bool,
) -> Finding:
    pairs = zip(cells, reads, strict=True)
    either = [(cell, read) for cell, read in pairs if isinstance(read, _Either)]
    shown = next(c for c, r in either if (r.month_first() if day_first else r.day_first()) is None)
    order = "day/month/year" if day_first else "month/day/year"
    problem = Problem(
        sheet.place(shown.column),
        f"{len(either)} dates with slashes, read as {order} since row {shown.row} can be no other",
        "dates of one order",
        f"If {shown.column} mixes orders, write its dates as 2019-03-05.",
    )
    return warning("date_order", problem)
