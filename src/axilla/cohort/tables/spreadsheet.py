"""Spreadsheets as people make them: CSV in several dialects and Excel, every cell as text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_uppercase

from axilla.cohort.tables.csv_text import csv_records
from axilla.cohort.tables.table_limits import refuse_wide
from axilla.records.errors import CohortError, Problem

_TEXT = (".csv", ".tsv", ".txt")
_EXCEL = (".xlsx", ".xlsm")
_BLANK = "\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}\N{WORD JOINER}"


@dataclass(frozen=True, slots=True)
class SheetRow:
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
    rows: tuple[SheetRow, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    def place(self, column: str, row: SheetRow | None = None) -> str:
        """Name a column, or one of its cells, as messages do: with the table's own header too."""
        where = f"{self.name}, row {row.number}" if row else self.name
        return f"{where}, column {describe_column(column, self.headers.get(column))}"


def describe_column(column: str, header: str | None) -> str:
    """Name a column as messages do: her2 ('HER2状态')."""
    return f"{column} ({header!r})" if header and header != column else column


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file or the first visible sheet of an Excel workbook; empty cells are ''.

    CSV: comma, semicolon, tab or bar; UTF-8, UTF-16 and the usual encodings of East Asia and
    Europe; a decimal comma becomes a point where semicolon or tab separate. Excel: whole numbers
    print as integers, dates as ISO 8601. Empty rows are skipped. Raises `CohortError` with every
    problem of the table's shape.
    """
    if not path.is_file():
        raise CohortError(
            Problem(path.name, "no such file", "a CSV or Excel table", "Correct the table's path.")
        )
    suffix = path.suffix.lower()
    if suffix in _EXCEL:
        from axilla.cohort.tables.excel import excel_records  # noqa: PLC0415 - openpyxl is slow

        return make_sheet(path.name, excel_records(path))
    if suffix in _TEXT:
        return make_sheet(path.name, csv_records(path))
    raise CohortError(
        Problem(
            path.name,
            f"a file of kind {suffix!r}",
            f"one of {', '.join(_TEXT + _EXCEL)}",
            "Save the table as .xlsx or as CSV.",
        )
    )


def make_sheet(name: str, raw: Sequence[Sequence[str]]) -> Sheet:
    """Return a table of its header and rows; raise `CohortError` with every fault of its shape."""
    records = [[_trim(cell) for cell in record] for record in raw]
    refuse_wide(records, name)
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
    header, below = [" ".join(name.split()) for name in filled[0][1]], filled[1:]
    if not below:
        raise CohortError(
            Problem(name, "column names but no rows", "one row per patient", "Add the patients.")
        )
    if problems := [*_header_problems(name, header), *_shape_problems(name, header, below=below)]:
        raise CohortError(problems)
    rows = tuple(
        SheetRow(n, {c: _at(record, i) for i, c in enumerate(header) if c}) for n, record in below
    )
    return Sheet(name, tuple(column for column in header if column), rows)


def column_letters(number: int) -> str:
    """Return what spreadsheets call a column, counted from 1: A to Z, AA and on."""
    letters = ""
    while number:
        number, letter = divmod(number - 1, len(ascii_uppercase))
        letters = ascii_uppercase[letter] + letters
    return letters


def _trim(cell: str) -> str:
    """Return the cell without blanks around it, of full and of no width too."""
    return cell.strip().strip(_BLANK).strip()


def _at(record: Sequence[str], index: int) -> str:
    return record[index] if index < len(record) else ""


def _header_problems(name: str, header: Sequence[str]) -> Iterator[Problem]:
    letters_of = defaultdict[str, list[str]](list)
    for i, column in enumerate(header, start=1):
        if column:
            letters_of[column].append(column_letters(i))
    for column, letters in letters_of.items():
        if len(letters) > 1:
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
                f"{record[stray[0]]!r} in column {column_letters(stray[0] + 1)}, which has no name",
                f"at most the {len(named)} named columns",
                "Name the column in row 1, clear the cell, or quote a text that holds "
                "the delimiter.",
            )
