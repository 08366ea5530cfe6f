"""Spreadsheets as people make them: CSV in several dialects and Excel, every cell as text."""

import csv
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from io import StringIO
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from axilla.records.errors import CohortError, Problem

_TEXT = (".csv", ".tsv", ".txt")
_EXCEL = (".xlsx", ".xlsm")
_DELIMITERS = (",", ";", "\t")

# What openpyxl lets through on files that are not, or no longer, Excel workbooks.
_CORRUPT_WORKBOOK = (
    InvalidFileException,
    BadZipFile,
    ParseError,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    RuntimeError,  # encrypted, or compressed in an unusual way
    OSError,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `number` is the one a person sees in the spreadsheet, where the header is row 1."""

    number: int
    cells: Mapping[str, str]
    written: Mapping[str, str] = field(default_factory=dict)
    """What the file says in those cells that are read as something else."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with a header and, as read, at least one row.

    `name` is the file's name without folder. `headers` are the table's own names of those columns
    that have another one here.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    def place(self, column: str, row: Row | None = None) -> str:
        """Name a column, or one of its cells, as messages do: with the table's own header too."""
        where = f"{self.name}, row {row.number}" if row else self.name
        return f"{where}, column {called(column, self.headers.get(column))}"


def called(column: str, header: str | None) -> str:
    """Name a column as messages do: her2 ('HER2状态')."""
    return f"{column} ({header!r})" if header and header != column else column


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file or the first sheet of an Excel workbook; empty cells are ''.

    CSV: comma, semicolon or tab, found in the header; UTF-8, UTF-16 with a byte order mark,
    GB 18030 or Windows-1252. Excel: whole numbers print as integers, dates as ISO 8601. Empty
    rows are skipped. Raises `CohortError` with every problem of the table's shape.
    """
    if not path.is_file():
        raise CohortError(
            Problem(path.name, "no such file", "a CSV or Excel table", "Correct the table's path.")
        )
    suffix = path.suffix.lower()
    if suffix in _EXCEL:
        return _sheet(path.name, _excel_records(path))
    if suffix in _TEXT:
        return _sheet(path.name, _text_records(path))
    raise CohortError(
        Problem(
            path.name,
            f"a file of kind {suffix!r}",
            f"one of {', '.join(_TEXT + _EXCEL)}",
            "Save the table as .xlsx or as CSV.",
        )
    )


def _sheet(name: str, records: Sequence[Sequence[str]]) -> Sheet:
    filled = [(n, record) for n, record in enumerate(records, start=1) if any(record)]
    if not filled or filled[0][0] != 1:
        raise CohortError(
            Problem(
                f"{name}, row 1",
                "an empty table" if not filled else "an empty row",
                "column names in row 1 and one patient per row below",
                "Fill in the table, or remove the empty rows at its top.",
            )
        )
    header, below = filled[0][1], filled[1:]
    if not below:
        raise CohortError(
            Problem(name, "column names but no rows", "one row per patient", "Add the patients.")
        )
    if problems := [*_header_problems(name, header), *_shape_problems(name, header, below=below)]:
        raise CohortError(problems)
    rows = tuple(
        Row(n, {c: _at(record, i) for i, c in enumerate(header) if c}) for n, record in below
    )
    return Sheet(name, tuple(column for column in header if column), rows)


def _at(record: Sequence[str], index: int) -> str:
    return record[index] if index < len(record) else ""


def _header_problems(name: str, header: Sequence[str]) -> Iterator[Problem]:
    for column in dict.fromkeys(header):
        letters = [get_column_letter(i) for i, c in enumerate(header, start=1) if c == column]
        if column and len(letters) > 1:
            yield Problem(
                f"{name}, row 1",
                f"column name {column!r} in {' and '.join(letters)}",
                "each column name once",
                "Rename or remove one of them.",
            )


def _shape_problems(
    name: str, header: Sequence[str], *, below: Iterable[tuple[int, Sequence[str]]]
) -> Iterator[Problem]:
    named = {i for i, column in enumerate(header) if column}
    for number, record in below:
        stray = [i for i, text in enumerate(record) if text and i not in named]
        if stray:
            yield Problem(
                f"{name}, row {number}",
                f"{record[stray[0]]!r} in column {get_column_letter(stray[0] + 1)}, "
                "which has no name",
                f"at most the {len(named)} named columns",
                "Name the column in row 1, clear the cell, or quote a text that holds "
                "the delimiter.",
            )


def _text_records(path: Path) -> list[list[str]]:
    text = _decoded(path)
    reader = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    records: list[list[str]] = []
    try:
        for record in reader:  # not a comprehension: an error needs the rows so far
            records += [[cell.strip() for cell in record]]
    except csv.Error as error:
        raise CohortError(
            Problem(
                f"{path.name}, row {len(records) + 1}",
                f"text that is not CSV ({error})",
                "cells with balanced quotation marks",
                "Mend the row, or save the table as .xlsx.",
            )
        ) from error
    return records


def _delimiter(text: str) -> str:
    header = StringIO(text, newline="").readline()
    columns = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=columns.__getitem__)


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise CohortError(
        Problem(
            path.name, "bytes that are not text", "a CSV file in UTF-8", "Save it again as CSV."
        )
    )


def _encodings(content: bytes) -> tuple[str, ...]:
    """Return the encodings to try in turn; Chinese text has its high bytes in pairs."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    runs = re.findall(rb"[\x80-\xff]+", content)
    paired = all(len(run) % 2 == 0 for run in runs)
    return ("utf-8-sig", *(("gb18030", "cp1252") if paired else ("cp1252", "gb18030")))


def _excel_records(path: Path) -> list[list[str]]:
    try:
        with path.open("rb") as stream:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write a wrong table size
            return [[_cell_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    except _CORRUPT_WORKBOOK as error:
        raise CohortError(
            Problem(
                path.name,
                f"no readable Excel workbook ({type(error).__name__})",
                "an .xlsx file with the table in its first sheet",
                "Open it in Excel or LibreOffice and save it again as .xlsx or CSV.",
            )
        ) from error


def _cell_text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell).strip()
