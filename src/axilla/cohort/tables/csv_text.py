"""CSV as programs of all countries write it: encodings, delimiters, decimal commas."""

import csv
import re
from collections.abc import Sequence
from io import StringIO
from itertools import islice
from pathlib import Path

from axilla.cohort.tables.encoding_detection import decode_text
from axilla.cohort.tables.table_limits import MOST_ROWS, limit_rows, refuse_large_file, refuse_wide
from axilla.records.errors import CohortError, Problem

_DELIMITERS = (",", ";", "\t", "|")
_SEP = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # Excel's first line; Excel does not show it
_LOOKED_AT = 20
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_PLAIN_NUMBER = re.compile(r"[+-]?\d+")


def csv_records(path: Path) -> list[list[str]]:
    """Read all rows of a CSV file, cells as they stand; raise `CohortError` if it is not one.

    The delimiter is what a first line `sep=;` says, or else the one of comma, semicolon, tab and
    bar that gives the first rows one length.
    """
    refuse_large_file(path)
    text = _text(path)
    if marked := _SEP.match(text):
        text, delimiter = text[marked.end() :], marked[1]
    else:
        delimiter = _delimiter(text)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        # Not a comprehension: an error needs the rows so far.
        for record in limit_rows(reader, path.name, rows=MOST_ROWS):
            records += [record]
    except csv.Error as error:
        raise CohortError(
            Problem(
                f"{path.name}, row {len(records) + 1}",
                f"text that is not CSV ({error})",
                "cells with balanced quotation marks",
                "Mend the row, or save the table as .xlsx.",
            )
        ) from error
    refuse_wide(records, path.name)
    return records if delimiter in ",|" else _decimal_points(records)


def _text(path: Path) -> str:
    decoded = decode_text(path.read_bytes())
    if decoded is not None:
        return decoded.text
    raise CohortError(
        Problem(
            path.name,
            "bytes that are not text, or text damaged in places",
            "a CSV file in UTF-8",
            "Save it again as CSV.",
        )
    )


def _delimiter(text: str) -> str:
    return max(_DELIMITERS, key=lambda mark: _fit(text, mark))


def _fit(text: str, mark: str) -> tuple[bool, int]:
    """Return whether the first rows agree on their length, and the length of the header."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=mark)
    try:
        lengths = [len(record) for record in islice(reader, _LOOKED_AT) if record]
    except csv.Error:  # reported when the whole table is read
        lengths = [len(text.split("\n", 1)[0].split(mark))]
    columns = lengths[0] if lengths else 0
    return columns > 1 and len(set(lengths)) == 1, columns


def _decimal_points(records: list[list[str]]) -> list[list[str]]:
    """Write 7,5 as 7.5 in columns of such numbers, where the comma is free for it."""
    width = max(map(len, records), default=0)
    commas = {
        column
        for column in range(width)
        if _has_commas([record[column] for record in records[1:] if column < len(record)])
    }
    return [
        [cell.replace(",", ".", 1) if i in commas else cell for i, cell in enumerate(record)]
        if number
        else record
        for number, record in enumerate(records)
    ]


def _has_commas(cells: Sequence[str]) -> bool:
    if not any("," in cell for cell in cells):
        return False
    filled = [text for cell in cells if (text := cell.strip())]
    return any(map(_COMMA_NUMBER.fullmatch, filled)) and all(
        _COMMA_NUMBER.fullmatch(text) or _PLAIN_NUMBER.fullmatch(text) for text in filled
    )
