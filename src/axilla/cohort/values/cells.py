"""What single cells mean: codes, numbers, clinical values with a known vocabulary."""

import json
import math
import re
import unicodedata
from dataclasses import dataclass

from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, describe_column
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error
from axilla.records.patients import ClinicalValue
from axilla.records.types import ClinicalKind

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# How people write that they do not know.
UNKNOWN_WORDS = frozenset({"", "na", "n/a", "nan", "null", "unknown"})
_EXCEL_ERRORS = frozenset(["#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#DIV/0!"])
_MEND_FORMULA = "Mend the formula in Excel, or clear the cell."
_SAME_CODE = {"true": "1", "yes": "1", "false": "0", "no": "0"}

# Clinical columns whose values are fixed; (low, high) of numbers in years and percent.
WORDS = {
    "er": ("positive", "negative"),
    "pr": ("positive", "negative"),
    "her2": ("positive", "negative"),
    "axillary_ultrasound": ("suspicious", "unsuspicious"),
    "menopausal_status": ("premenopausal", "perimenopausal", "postmenopausal", "menopause"),
}
RANGES = {"age": (0.0, 120.0), "ki67": (0.0, 100.0)}


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of a cell and where a person finds it.

    `header` is the table's own name of the column, `written` what the file says there, each where
    it differs from what axilla reads.
    """

    text: str
    column: str
    row: int
    table: str
    patient_id: str
    header: str = ""
    written: str = ""

    @property
    def place(self) -> str:
        """Name the cell as messages do."""
        return f"{self.table}, row {self.row}, column {describe_column(self.column, self.header)}"

    @property
    def found(self) -> str:
        """Quote the cell as messages do: as it is read, and as it is written if that differs."""
        return f"{self.text!r}, written {self.written!r}" if self.written else repr(self.text)

    def refuse(
        self, code: str, expected: str, *, remedy: str = "", found: str | None = None
    ) -> Finding:
        """Return the error that this cell holds something else than `expected`."""
        problem = Problem(self.place, found or self.found, expected, remedy)
        return error(code, problem, patients=(self.patient_id,))

    @property
    def translate(self) -> str:
        """The remedy for a code of the hospital's own: its line in study.toml."""
        own = json.dumps(self.written or self.text, ensure_ascii=False)
        return (
            f"Correct the cell, or say in study.toml what it means: [cohort.values] "
            f'{self.column} = {{ {own} = "..." }}.'
        )


def cell_in(sheet: Sheet, row: SheetRow, column: str) -> Cell:
    """Return a cell of the table, empty if the table has no such column."""
    return Cell(
        row.cells.get(column, ""),
        column,
        row=row.number,
        table=sheet.name,
        patient_id=name_of(row),
        header=sheet.headers.get(column, ""),
        written=row.written.get(column, ""),
    )


def name_of(row: SheetRow) -> str:
    """Return the patient's identifier, or the row's number where it is missing."""
    return row.cells.get("patient_id", "") or f"row {row.number}"


def code_of(text: str) -> str:
    """Return what two spellings of one code share: 1, 1.0, true, yes; Malignant, malignant."""
    folded = unicodedata.normalize("NFKC", text).strip().casefold()
    number = as_number(folded)
    if number is None:
        return _SAME_CODE.get(folded, folded)
    return str(int(number)) if number.is_integer() else repr(number)


def as_number(text: str) -> float | None:
    """Return the finite number that the text spells with a decimal point, or None."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # digits of full width
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def parse_number(text: str) -> float | None:
    """Return the number that the text spells, also with a percent sign: 30 for 30 %."""
    return as_number(unicodedata.normalize("NFKC", text).removesuffix("%").rstrip())


def number_in(
    cell: Cell, low: float = -math.inf, *, high: float = math.inf
) -> float | Finding | None:
    """Return the cell's number, None if it is empty, or why it is not between `low` and `high`."""
    if not cell.text:
        return None
    number = parse_number(cell.text)
    if number is not None and low <= number <= high:
        return number
    limits = f" from {low:g} to {high:g}" if math.isfinite(low) else ""
    return cell.refuse(
        "unknown_value",
        f"a number{limits}, or an empty cell",
        remedy="Write the decimal point as '.'." if "," in cell.text else "",
    )


def clinical_value(cell: Cell, kind: ClinicalKind) -> ClinicalValue | Finding:
    """Return the clinical value of a cell, None if it is empty, or why it cannot be one."""
    if kind == "number":
        low, high = RANGES.get(cell.column, (-math.inf, math.inf))
        return number_in(cell, low, high=high)
    if cell.text in _EXCEL_ERRORS:
        return cell.refuse("unknown_value", "a category or an empty cell", remedy=_MEND_FORMULA)
    words = WORDS.get(cell.column)
    if not cell.text or not words:
        return cell.text or None
    folded = cell.text.casefold()
    if folded in words:
        return folded
    expected = f"{', '.join(words)} or an empty cell"
    return cell.refuse("unknown_value", expected, remedy=cell.translate)
