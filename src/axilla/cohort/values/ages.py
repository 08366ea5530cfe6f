"""Ages in whole years, from numbers with a unit or from dates of birth, which go no further."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, describe_column
from axilla.cohort.values.cells import UNKNOWN_WORDS, as_number, name_of
from axilla.cohort.values.dates import BIRTH, DATES, dates_in
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning

AGE = "age"
_OLDEST_YEARS = 120
_DICOM = re.compile(r"(\d{3})([DWMY])")  # value representation AS
_PER_YEAR: Mapping[str, float] = {"D": 365.25, "W": 365.25 / 7, "M": 12, "Y": 1}
_UNITS = (
    "years old|years|year|yrs|yr|yo|y|周岁|岁|歲|歳|才|세|살|jahre|jahr|ans|an|años|anni|anos"
    "|lata|lat|let|roků|jaar|år|лет|года|год|г"  # noqa: RUF001 - Russian
)
_WITH_UNIT = re.compile(rf"(\d{{1,3}}(?:\.\d+)?)\s*(?:{_UNITS})\.?", re.IGNORECASE)


def with_ages(sheet: Sheet, wanted: CohortSchema) -> tuple[Sheet, tuple[Finding, ...]]:
    """Return the table with ages as plain numbers and without dates of birth; say what is wrong.

    `age` keeps what it says (53, 53岁, 053Y); where it is empty or missing, it becomes the age at
    the first date that the row has of ultrasound, biopsy and surgery. What is wrong with dates of
    birth is said only if something asks for the age, and without quoting them.
    """
    findings: list[Finding] = []
    ages = [_plain(row.cells[AGE]) for row in sheet.rows] if AGE in sheet.columns else None
    if BIRTH not in sheet.columns:
        return (_with_column(sheet, ages, header=None) if ages else sheet), ()
    counted = _compute_ages(sheet, findings)
    if ages is None:
        header = sheet.headers.get(BIRTH, BIRTH)
        completed = _with_column(sheet, [_text(n) for n in counted], header=header)
    else:
        findings += _conflicts(sheet, ages, counted)
        filled = [own or _text(n) for own, n in zip(ages, counted, strict=True)]
        completed = _with_column(sheet, filled, header=None)
    return _without_births(completed), tuple(findings) if wanted.asks_for(AGE) else ()


def age_at(day: date, born: date) -> int:
    """Return the whole years between two days; who is born on 29 February ages on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip()
    if found := _DICOM.fullmatch(plain):
        return str(int(int(found[1]) / _PER_YEAR[found[2]]))
    if found := _WITH_UNIT.fullmatch(plain):
        return f"{float(found[1]):g}"
    return text


def _text(years: int | None) -> str:
    return "" if years is None else str(years)


def _compute_ages(sheet: Sheet, findings: list[Finding]) -> list[int | None]:
    """Return every row's age by its date of birth, None where it cannot be counted."""
    present = [column for column in DATES if column in sheet.columns]
    if not present:
        findings.append(_no_day(sheet))
    births, wrong = dates_in(sheet, BIRTH)
    findings += wrong
    columns = []
    for column in present:
        days, wrong = dates_in(sheet, column)
        findings += wrong
        columns.append(days)
    counted: list[int | None] = []
    for i, (row, born) in enumerate(zip(sheet.rows, births, strict=True)):
        day = next((days[i] for days in columns if days[i] is not None), None)
        years = None if born is None or day is None else age_at(day, born)
        if years is not None and not 0 <= years <= _OLDEST_YEARS:
            findings.append(_implausible(sheet, row, years))
            years = None
        counted.append(years)
    return counted


def _no_day(sheet: Sheet) -> Finding:
    problem = Problem(
        sheet.place(BIRTH),
        "dates of birth, but no day to count the age at",
        f"one of the columns {', '.join(DATES)}",
        "Add the day of the ultrasound examination, or a column age.",
    )
    return error("column_missing", problem)


def _implausible(sheet: Sheet, row: SheetRow, years: int) -> Finding:
    problem = Problem(
        sheet.place(BIRTH, row),
        f"an age of {years} years on the day of the examination",
        f"0 to {_OLDEST_YEARS} years",
        "Correct one of the dates.",
    )
    return error("unknown_value", problem, patients=(name_of(row),))


def _conflicts(
    sheet: Sheet, ages: Sequence[str], counted: Sequence[int | None]
) -> Iterator[Finding]:
    """Yield a warning if ages and dates of birth differ by more than rounding explains."""
    rows = []
    for row, age, years in zip(sheet.rows, ages, counted, strict=True):
        number = as_number(age)
        if number is not None and years is not None and abs(number - years) > 1:
            rows.append(row)
    if rows:
        problem = Problem(
            sheet.place(AGE),
            f"{len(rows)} ages that differ by more than a year from the dates of birth, "
            f"first in row {rows[0].number}",
            "one age per patient",
            "Correct the cells; the column age is used.",
        )
        yield warning("derived_conflict", problem, patients=map(name_of, rows))


def _with_column(sheet: Sheet, ages: Sequence[str], *, header: str | None) -> Sheet:
    rows = []
    for row, age in zip(sheet.rows, ages, strict=True):
        own = row.cells.get(AGE, "")
        written = dict(row.written)
        if own and own != age and own.casefold() not in UNKNOWN_WORDS:
            written.setdefault(AGE, own)
        rows.append(SheetRow(row.number, {**row.cells, AGE: age}, written))
    columns = sheet.columns if AGE in sheet.columns else (*sheet.columns, AGE)
    headers = {**sheet.headers, AGE: describe_column(BIRTH, header)} if header else sheet.headers
    return replace(sheet, columns=columns, rows=tuple(rows), headers=headers)


def _without_births(sheet: Sheet) -> Sheet:
    def rest(cells: Mapping[str, str]) -> dict[str, str]:
        return {column: text for column, text in cells.items() if column != BIRTH}

    return Sheet(
        sheet.name,
        tuple(column for column in sheet.columns if column != BIRTH),
        tuple(SheetRow(row.number, rest(row.cells), rest(row.written)) for row in sheet.rows),
        rest(sheet.headers),
    )
