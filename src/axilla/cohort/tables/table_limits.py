"""How large a table of patients may be; more is a bomb, or a file of something else."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TypeVar

from axilla.records.errors import CohortError, Problem

MOST_BYTES = 100_000_000
"""Unpacked, for a workbook; a table of 20,000 patients and 60 columns has half of it."""

MOST_CELLS = 5_000_000
MOST_ROWS = 1_000_000  # predictions have one per patient, model and repetition
MOST_WORKBOOK_ROWS = 200_000  # openpyxl takes its time, for empty rows too
MOST_PATIENTS = 50_000
MOST_COLUMNS = 4_000
LARGEST_RATIO = 100
"""How many times its size a workbook's member may unpack to; Excel's own sheets reach 20."""

Record = TypeVar("Record", bound=Sized)


def refuse_large_file(path: Path) -> None:
    """Raise `CohortError` if a file has more bytes than any table of patients."""
    if path.stat().st_size > MOST_BYTES:
        raise too_large(path.name, f"more than {MOST_BYTES // 1_000_000} MB")


def limit_rows(records: Iterable[Record], name: str, *, rows: int) -> Iterator[Record]:
    """Yield at most `rows` rows, `MOST_CELLS` cells in all; raise `CohortError` if there are more.

    Nothing beyond them is read.
    """
    cells = 0
    for number, record in enumerate(records, start=1):
        cells += len(record)
        if number > rows or cells > MOST_CELLS:
            raise too_large(name, f"more than {rows:,} rows or {MOST_CELLS:,} cells")
        yield record


def refuse_wide(records: Sequence[Sequence[str]], name: str) -> None:
    """Raise `CohortError` if a row has a filled cell beyond the last column allowed."""
    if any(len(record) > MOST_COLUMNS and any(record[MOST_COLUMNS:]) for record in records):
        raise too_large(name, f"more than {MOST_COLUMNS:,} columns")


def too_large(name: str, found: str) -> CohortError:
    """Return the error that a table is larger than any table of patients."""
    remedy = "Keep only the rows, columns, sheets and pictures that the study needs."
    return CohortError(Problem(name, found, "a table of patients", remedy))
