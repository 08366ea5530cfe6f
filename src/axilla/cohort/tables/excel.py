"""Excel workbooks: the first visible sheet, every cell as the text that a person sees in it."""

import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element
from zipfile import BadZipFile, ZipInfo

from openpyxl.reader.excel import ExcelReader
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml.functions import iterparse

from axilla.cohort.tables.table_limits import (
    LARGEST_RATIO,
    MOST_BYTES,
    MOST_CELLS,
    MOST_WORKBOOK_ROWS,
    limit_rows,
    too_large,
)
from axilla.records.errors import CohortError, Problem

_SURELY_HARMLESS_BYTES = 1_000_000
# What openpyxl lets through on files that are not, or no longer, Excel workbooks.
_CORRUPT = (
    InvalidFileException,
    BadZipFile,
    SyntaxError,  # of XML
    zlib.error,
    KeyError,
    ValueError,
    OverflowError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    RuntimeError,  # encrypted, or compressed in an unusual way
    OSError,
    StopIteration,
)


@dataclass(slots=True)
class _Layout:
    """What the values of a sheet do not show: merged cells, and formulas never computed."""

    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    """First column, first row, last column and last row, from 1."""
    not_computed: list[str] = field(default_factory=list)


def excel_records(path: Path) -> list[list[str]]:
    """Read all rows of a workbook's first visible sheet; raise `CohortError` with its faults.

    Whole numbers print as integers, dates as ISO 8601, percentages with their sign, and numbers
    shown with leading zeros keep them. Rows share a cell that is merged over them.
    """
    try:
        records, layout = _read(path)
    except _CORRUPT as error:
        raise CohortError(
            Problem(
                path.name,
                f"no readable Excel workbook ({type(error).__name__})",
                "an .xlsx file with the table in its first sheet",
                "Open it in Excel or LibreOffice and save it again as .xlsx or CSV.",
            )
        ) from error
    if problems := [*_not_computed(path.name, layout), *_across(path.name, layout)]:
        raise CohortError(problems)
    return _filled_down(path.name, records, layout)


def _read(path: Path) -> tuple[list[list[str]], _Layout]:
    with path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of styles and validation, which we skip
        reader = ExcelReader(stream, read_only=True, data_only=True)
        _refuse_bomb(reader.archive.infolist(), path.name)
        reader.read()
        sheets = [sheet for sheet in reader.wb.worksheets if sheet.sheet_state == "visible"]
        sheet = (sheets or reader.wb.worksheets)[0]
        sheet.reset_dimensions()  # some programs write a wrong table size
        rows = limit_rows(sheet.iter_rows(), path.name, rows=MOST_WORKBOOK_ROWS)
        records = [[_text(cell) for cell in row] for row in rows]
        targets = {about.name: rel.target for about, rel in reader.parser.find_sheets()}
        with reader.archive.open(targets[sheet.title]) as source:
            return records, _layout(source)


def _refuse_bomb(members: Sequence[ZipInfo], name: str) -> None:
    if sum(entry.file_size for entry in members) > MOST_BYTES:
        raise too_large(name, f"more than {MOST_BYTES // 1_000_000} MB when unpacked")
    for entry in members:
        ratio = entry.file_size / max(1, entry.compress_size)
        if entry.file_size > _SURELY_HARMLESS_BYTES and ratio > LARGEST_RATIO:
            raise too_large(name, f"a part that unpacks to {ratio:.0f} times its size")


def _text(cell: Any) -> str:
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case int() | float():
            return _number(value, str(cell.number_format))
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
    return str(value)


def _number(value: float, form: str) -> str:
    if "%" in form:
        return f"{value * 100:.12g}%"
    if value == int(value):
        digits = len(form) if re.fullmatch("0+", form) and value >= 0 else 0
        return str(int(value)).zfill(digits)
    return f"{value:.15g}"  # as many digits as Excel keeps


def _layout(source: IO[bytes]) -> _Layout:
    layout = _Layout()
    rows: Element | None = None
    for event, element in iterparse(source, ("start", "end")):
        match event, element.tag.rpartition("}")[2]:
            case "start", "sheetData":
                rows = element
            case "end", "c":
                if _never_computed(element):
                    layout.not_computed.append(element.get("r", ""))
                element.clear()
            case "end", "row" if rows is not None:
                rows.clear()
            case "end", "mergeCell":
                layout.merged.append(range_boundaries(element.get("ref", "")))
    return layout


def _never_computed(cell: Element) -> bool:
    """Whether a cell holds a formula whose result was not stored; an empty text is a result."""
    parts = {child.tag.rpartition("}")[2]: child for child in cell}
    value = parts.get("v")
    stored = value is not None and (bool(value.text) or cell.get("t") == "str")
    return "f" in parts and not stored


def _not_computed(name: str, layout: _Layout) -> Iterator[Problem]:
    if cells := layout.not_computed:
        more = f" and in {len(cells) - 1} more cells" if cells[1:] else ""
        yield Problem(
            f"{name}, cell {cells[0]}",
            f"a formula whose result is not stored{more}",
            "values, or formulas that Excel has computed",
            "Open the table in Excel or LibreOffice and save it again.",
        )


def _across(name: str, layout: _Layout) -> Iterator[Problem]:
    for left, top, right, bottom in layout.merged:
        if top == 1 or left != right:
            cells = f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}"
            yield Problem(
                f"{name}, row {top}",
                f"merged cells {cells}",
                "one column name per column in row 1, one value per cell below",
                "Split the cells; a title above the column names has to go.",
            )


def _filled_down(name: str, records: list[list[str]], layout: _Layout) -> list[list[str]]:
    # Merged cells lie side by side, so that they span no more than the sheet has; damaged ones may.
    if sum(bottom - top for _, top, _, bottom in layout.merged) > MOST_CELLS:
        raise too_large(name, "overlapping merged cells")
    for column, top, _, bottom in layout.merged:
        shared = _at(records[top - 1], column - 1) if top <= len(records) else ""
        for record in records[top:bottom]:
            if any(text.strip() for text in record):
                record.extend([""] * (column - len(record)))
                record[column - 1] = shared
    return records


def _at(record: Sequence[str], index: int) -> str:
    return record[index] if index < len(record) else ""
