"""Required columns of a table, and the mapping of a hospital's headers and codes to them."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, describe_column
from axilla.cohort.values.cells import RANGES, WORDS, code_of
from axilla.cohort.values.dates import BIRTH
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning
from axilla.records.types import IMAGE_MODALITIES

ROI = ("roi_left", "roi_top", "roi_width", "roi_height")
_SHOWN = 12


def check_columns(sheet: Sheet, wanted: CohortSchema, *, strict: bool) -> Iterator[Finding]:
    """Yield an error for every column that is missing or used against its meaning.

    Unless `strict`, the outcome, grouping, site, reader and evaluation columns may be absent.
    """
    if "patient_id" not in sheet.columns and "patient_id" not in wanted.columns:
        yield _missing(f"{sheet.name}, row 1", "patient_id", sheet=sheet, asked_by=sheet.name)
    for setting, column in _list_wanted_columns(wanted, strict=strict):
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


def _list_wanted_columns(wanted: CohortSchema, *, strict: bool) -> Iterator[tuple[str, str]]:
    for modality in IMAGE_MODALITIES:
        if modality in wanted.modalities:
            yield f"models.{modality}", modality
    for column in wanted.clinical:
        yield f"clinical.{column}", column
    if strict:
        yield from _asked_of_a_study(wanted)


def _asked_of_a_study(wanted: CohortSchema) -> Iterator[tuple[str, str]]:
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


def _settings(wanted: CohortSchema) -> Iterator[Finding]:
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


def _clinical_settings(wanted: CohortSchema) -> Iterator[Finding]:
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


def translate(sheet: Sheet, wanted: CohortSchema) -> tuple[Sheet, tuple[Finding, ...]]:
    """Return the table under our names and words, and what is wrong with the dictionary.

    A mapping that cannot be used is left out. Cells keep what the file says in `Row.written`.
    """
    if not wanted.columns and not wanted.values:
        return sheet, ()
    findings: list[Finding] = []
    named = _rename_headers(sheet, _usable(sheet, wanted, findings))
    meanings = _meanings(named, wanted, findings)
    rows = tuple(_translate_row(row, meanings) for row in named.rows) if meanings else named.rows
    return replace(named, rows=rows), tuple(findings)


def _usable(sheet: Sheet, wanted: CohortSchema, findings: list[Finding]) -> dict[str, str]:
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
            findings.append(_find_taken_column(sheet, wanted, column=column, header=header))
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
    alike = [column for column in sheet.columns if _fold_header(column) == _fold_header(asked)]
    return alike[0] if len(alike) == 1 else None


def _fold_header(header: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", header).casefold().split())


def _no_header(sheet: Sheet, wanted: CohortSchema, *, column: str) -> Finding:
    asked = wanted.columns[column]
    near = nearest(asked, sheet.columns)
    problem = Problem(
        f"{wanted.asked_by}, cohort.columns.{column}",
        f"no column {asked!r}",
        f"one of the columns of {sheet.name}: {', '.join(sheet.columns)}",
        f"Did you mean {near}?" if near else "Write the header as the table has it.",
    )
    return error("column_missing", problem)


def _find_taken_column(sheet: Sheet, wanted: CohortSchema, *, column: str, header: str) -> Finding:
    return _refuse(
        wanted,
        f"columns.{column}",
        f"{header!r}, while {sheet.name} has a column {column!r} too",
        "a name that the table does not use itself",
        f"Remove the mapping, or rename or map column {column!r} of the table.",
    )


def _refuse(wanted: CohortSchema, key: str, found: str, expected: str, remedy: str) -> Finding:
    place = f"{wanted.asked_by}, cohort.{key}"
    return error("column_mapping", Problem(place, found, expected, remedy))


def _rename_headers(sheet: Sheet, headers: Mapping[str, str]) -> Sheet:
    ours = {header: column for column, header in headers.items() if header != column}
    if not ours:
        return sheet
    rows = tuple(
        SheetRow(
            row.number,
            {ours.get(c, c): text for c, text in row.cells.items()},
            {ours.get(c, c): text for c, text in row.written.items()},
        )
        for row in sheet.rows
    )
    columns = tuple(ours.get(column, column) for column in sheet.columns)
    return Sheet(sheet.name, columns, rows, {column: header for header, column in ours.items()})


def _meanings(
    sheet: Sheet, wanted: CohortSchema, findings: list[Finding]
) -> dict[str, dict[str, str]]:
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
            findings.append(_find_unused_mapping(sheet, unused, column=column, place=place))
        meanings[column] = {code_of(code): meaning for code, meaning in words.items()}
    return meanings


def _no_column(sheet: Sheet, wanted: CohortSchema, *, column: str) -> Finding:
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


def _find_unused_mapping(sheet: Sheet, unused: list[str], *, column: str, place: str) -> Finding:
    there = list(dict.fromkeys(row.cells[column] for row in sheet.rows if row.cells[column]))
    more = [f"and {len(there) - _SHOWN} more"] if len(there) > _SHOWN else []
    problem = Problem(
        place,
        f"{', '.join(map(repr, unused))}, which no cell says",
        f"codes of column {describe_column(column, sheet.headers.get(column))}: "
        f"{', '.join([*map(repr, there[:_SHOWN]), *more]) or 'all cells are empty'}",
        "Correct a misspelt code; a rare one may well be absent.",
    )
    return warning("value_mapping", problem)


def _translate_row(row: SheetRow, meanings: Mapping[str, Mapping[str, str]]) -> SheetRow:
    cells, written = dict(row.cells), dict(row.written)
    for column, words in meanings.items():
        text = cells[column]
        meaning = words.get(code_of(text), text).strip()
        if meaning != text:
            cells[column] = meaning
            written.setdefault(column, text)
    return SheetRow(row.number, cells, written)
