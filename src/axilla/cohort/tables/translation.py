"""The hospital's own headers and codes in our words: [cohort.columns] and [cohort.values]."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from axilla.cohort.cohort_schema import Wanted
from axilla.cohort.tables.columns import nearest
from axilla.cohort.tables.spreadsheet import Row, Sheet, called
from axilla.cohort.values.cells import code_of
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning

_SHOWN = 12


def translate(sheet: Sheet, wanted: Wanted) -> tuple[Sheet, tuple[Finding, ...]]:
    """Return the table under our names and words, and what is wrong with the dictionary.

    A mapping that cannot be used is left out. Cells keep what the file says in `Row.written`.
    """
    if not wanted.columns and not wanted.values:
        return sheet, ()
    findings: list[Finding] = []
    named = _renamed(sheet, _usable(sheet, wanted, findings))
    meanings = _meanings(named, wanted, findings)
    rows = tuple(_translated(row, meanings) for row in named.rows) if meanings else named.rows
    return replace(named, rows=rows), tuple(findings)


def _usable(sheet: Sheet, wanted: Wanted, findings: list[Finding]) -> dict[str, str]:
    """Return the header of every column whose mapping can be applied."""
    headers: dict[str, str] = {}
    for column, asked in wanted.columns.items():
        header = _header(sheet, asked)
        if header is None:
            findings.append(_no_header(sheet, wanted, column=column))
        else:
            headers[column] = header
    columns_of: dict[str, list[str]] = defaultdict(list)
    for column, header in headers.items():
        columns_of[header].append(column)
    for header, columns in columns_of.items():
        if len(columns) > 1:
            found = f"{' and '.join(columns)} = {header!r}"
            remedy = "Keep the one that is right."
            findings.append(_refuse(wanted, "columns", found, "each header once", remedy))
    for column, header in headers.items():
        taken = column != header and column in sheet.columns and column not in columns_of
        if taken and len(columns_of[header]) == 1:
            findings.append(_taken(sheet, wanted, column=column, header=header))
    clear = {header for header, columns in columns_of.items() if len(columns) == 1}
    return {
        column: header
        for column, header in headers.items()
        if header in clear and (column not in sheet.columns or column in columns_of)
    }


def _header(sheet: Sheet, asked: str) -> str | None:
    """Return the header that is meant, also if only case, width or spaces differ."""
    if asked in sheet.columns:
        return asked
    alike = [column for column in sheet.columns if _folded(column) == _folded(asked)]
    return alike[0] if len(alike) == 1 else None


def _folded(header: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", header).casefold().split())


def _no_header(sheet: Sheet, wanted: Wanted, *, column: str) -> Finding:
    asked = wanted.columns[column]
    near = nearest(asked, sheet.columns)
    problem = Problem(
        f"{wanted.asked_by}, cohort.columns.{column}",
        f"no column {asked!r}",
        f"one of the columns of {sheet.name}: {', '.join(sheet.columns)}",
        f"Did you mean {near}?" if near else "Write the header as the table has it.",
    )
    return error("column_missing", problem)


def _taken(sheet: Sheet, wanted: Wanted, *, column: str, header: str) -> Finding:
    return _refuse(
        wanted,
        f"columns.{column}",
        f"{header!r}, while {sheet.name} has a column {column!r} too",
        "a name that the table does not use itself",
        f"Remove the mapping, or rename or map column {column!r} of the table.",
    )


def _refuse(wanted: Wanted, key: str, found: str, expected: str, remedy: str) -> Finding:
    place = f"{wanted.asked_by}, cohort.{key}"
    return error("column_mapping", Problem(place, found, expected, remedy))


def _renamed(sheet: Sheet, headers: Mapping[str, str]) -> Sheet:
    ours = {header: column for column, header in headers.items() if header != column}
    if not ours:
        return sheet
    rows = tuple(
        Row(
            row.number,
            {ours.get(c, c): text for c, text in row.cells.items()},
            {ours.get(c, c): text for c, text in row.written.items()},
        )
        for row in sheet.rows
    )
    columns = tuple(ours.get(column, column) for column in sheet.columns)
    return Sheet(sheet.name, columns, rows, {column: header for header, column in ours.items()})


def _meanings(sheet: Sheet, wanted: Wanted, findings: list[Finding]) -> dict[str, dict[str, str]]:
    """Return, per column of the table, what each folded code means."""
    meanings: dict[str, dict[str, str]] = {}
    for column, words in wanted.values.items():
        if column not in sheet.columns:
            if column not in wanted.columns:  # else its header has been reported
                findings.append(_no_column(sheet, wanted, column=column))
            continue
        found = {code_of(row.cells[column]) for row in sheet.rows}
        place = f"{wanted.asked_by}, cohort.values.{column}"
        findings += _contradictions(words, place=place)
        if unused := [code for code in words if code_of(code) not in found]:
            findings.append(_unused(sheet, unused, column=column, place=place))
        meanings[column] = {code_of(code): meaning for code, meaning in words.items()}
    return meanings


def _no_column(sheet: Sheet, wanted: Wanted, *, column: str) -> Finding:
    ours = {header: name for name, header in sheet.headers.items()}
    near = ours.get(column) or nearest(column, sheet.columns)
    problem = Problem(
        f"{wanted.asked_by}, cohort.values.{column}",
        f"no column {column!r}",
        f"one of the columns of {sheet.name}: {', '.join(sheet.columns)}",
        f"Did you mean {near}?" if near else "Correct the name, or remove the line.",
    )
    return error("column_missing", problem)


def _contradictions(words: Mapping[str, str], *, place: str) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for code, meaning in words.items():
        other = first.setdefault(code_of(code), code)
        if words[other] != meaning:
            problem = Problem(
                place,
                f"{other!r} = {words[other]!r} and {code!r} = {meaning!r}",
                "one meaning per code; these two are spellings of one",
                "Keep the one that is right.",
            )
            yield error("value_mapping", problem)


def _unused(sheet: Sheet, unused: list[str], *, column: str, place: str) -> Finding:
    there = list(dict.fromkeys(row.cells[column] for row in sheet.rows if row.cells[column]))
    more = [f"and {len(there) - _SHOWN} more"] if len(there) > _SHOWN else []
    problem = Problem(
        place,
        f"{', '.join(map(repr, unused))}, which no cell says",
        f"codes of column {called(column, sheet.headers.get(column))}: "
        f"{', '.join([*map(repr, there[:_SHOWN]), *more]) or 'all cells are empty'}",
        "Correct a misspelt code; a rare one may well be absent.",
    )
    return warning("value_mapping", problem)


def _translated(row: Row, meanings: Mapping[str, Mapping[str, str]]) -> Row:
    cells, written = dict(row.cells), dict(row.written)
    for column, words in meanings.items():
        text = cells[column]
        meaning = words.get(code_of(text), text).strip()
        if meaning != text:
            cells[column] = meaning
            written.setdefault(column, text)
    return Row(row.number, cells, written)
