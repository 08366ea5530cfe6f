"""What a published table says: every figure as the whole number of last places that was printed.

Spreadsheets drop trailing zeros, so 0.625 in a table of four digits was printed 0.6250. How many
digits a table prints is told from all its figures together.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from math import log10
from pathlib import Path
from types import MappingProxyType
from typing import Final

from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, make_sheet, read_sheet
from axilla.records.errors import CohortError, ConfigError, Problem

# Figures that a confusion matrix determines, in the order in which reports list them.
FIGURES: Final = ("precision", "recall", "f1", "accuracy", "specificity", "npv")
# Those whose denominator all models of one test set share; without one of them no size shows.
ANCHORED: Final = ("accuracy", "recall", "specificity")
FEWEST_FIGURES: Final = 2
MOST_DIGITS: Final = 12

_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "precision": ("precision", "ppv", "positive predictive value"),
        "recall": ("recall", "sensitivity", "true positive rate", "tpr"),
        "f1": ("f1", "f1 score", "f score", "f measure"),
        "accuracy": ("accuracy", "acc"),
        "specificity": ("specificity", "true negative rate", "tnr"),
        "npv": ("npv", "negative predictive value"),
        "auc": ("auc", "auroc", "roc auc", "area under the curve"),
        "model": ("model", "method", "name", "algorithm", "network", "classifier", "strategy"),
        "table": ("table", "test set"),
    }
)
_EMPTY: Final = frozenset({"", "-", "\u2013", "\u2014", "na", "n/a", "nan", "nr"})
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_ALIKE: Final = 0.8  # a column this like a figure's name is a misspelling, not a remark
# Of printed figures one in ten ends in a zero that can get lost; more digits than the table
# prints are a rarity; a column goes its own way if that is a thousand times likelier.
_ENDS_IN_ZERO: Final = 0.1
_EXTRA_DIGITS: Final = 1e-3
_OWN_WAY: Final = 3.0


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed figure: `places` units of 10^-`digits`, so 0.6250 is 6250 of 4 digits."""

    places: int
    digits: int

    def __str__(self) -> str:
        return f"{Decimal(self.places).scaleb(-self.digits):.{self.digits}f}"


@dataclass(frozen=True, slots=True)
class ReportedModel:
    """One row: its figures by column, only those that were printed."""

    table: str
    model: str
    figures: Mapping[str, Printed]
    auc: Printed | None

    @property
    def one_class(self) -> bool:
        """Tell whether it called nobody positive: recall, F1 or precision are printed as 0."""
        zeros = sum(figure.places == 0 for figure in self.figures.values())
        return zeros >= FEWEST_FIGURES

    @property
    def label(self) -> str:
        """Name the row as messages do."""
        return f"{self.table}, {self.model}" if self.table else self.model


@dataclass(frozen=True, slots=True)
class ReportedTable:
    """Models in the order of the file; `columns` are the figures that the table has."""

    name: str
    columns: tuple[str, ...]
    models: tuple[ReportedModel, ...]
    ignored: tuple[str, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the names in the column `table`, each once, in order."""
        return tuple(dict.fromkeys(model.table for model in self.models))


def read_reported(path: Path) -> ReportedTable:
    """Read a published table of performance figures, CSV or Excel, one row per model.

    Columns: `model`, at least two of `FIGURES` under any common name, one of them accuracy,
    recall or specificity; `table` and `auc` where there are any. Figures are shares from 0 to 1,
    or percentages with a percent sign in the cell or the column's name. Raise `ConfigError` with
    every fault.
    """
    with _name_models():
        sheet = read_sheet(path)
    return _parse(sheet)


def parse_reported(name: str, raw: Sequence[Sequence[str]]) -> ReportedTable:
    """Return a published table of a header and rows of text, as `read_reported` does of a file."""
    with _name_models():
        sheet = make_sheet(name, raw)
    return _parse(sheet)


@contextmanager
def _name_models() -> Iterator[None]:
    """Turn `CohortError` of a table's shape into `ConfigError` that speaks of models."""
    try:
        yield
    except CohortError as error:
        raise ConfigError([_of_models(problem) for problem in error.problems]) from error


def _parse(sheet: Sheet) -> ReportedTable:
    known, ignored = _columns(sheet.name, sheet.columns)
    problems: list[Problem] = []
    cells: list[dict[str, Decimal]] = []
    for row in sheet.rows:
        place = f"{sheet.name}, row {row.number}"
        numbers = {name: _number(row.cells[column], f"{place}, column {column}", column=column)
                   for name, column in known.items() if name in (*FIGURES, "auc")}  # fmt: skip
        problems += [found for found in numbers.values() if isinstance(found, Problem)]
        cells.append({k: found for k, found in numbers.items() if isinstance(found, Decimal)})
    problems += _find_repeated_columns(sheet.name, sheet.rows, known=known)
    if problems:
        raise ConfigError(problems)
    tables = [row.cells[known["table"]] if "table" in known else "" for row in sheet.rows]
    digits = _digits_by_column(tables, cells)
    models = [
        _model(table, row.cells[known["model"]], numbers=numbers, digits=digits)
        for table, row, numbers in zip(tables, sheet.rows, cells, strict=True)
    ]
    columns = tuple(name for name in FIGURES if name in known)
    return ReportedTable(sheet.name, columns, tuple(models), ignored)


def _of_models(problem: Problem) -> Problem:
    """Say model where the reader of cohort tables says patient."""
    return replace(
        problem,
        expected=problem.expected.replace("patient", "model"),
        remedy=problem.remedy.replace("patient", "model"),
    )


def _bare(name: str) -> str:
    return re.sub(r"[\s_\-]+|\(%\)|%", "", name.casefold())


def _columns(table: str, columns: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return which column of the file holds which figure, and the columns that hold none."""
    names = {_bare(spelling): name for name, many in _NAMES.items() for spelling in many}
    known: dict[str, str] = {}
    ignored: list[str] = []
    problems: list[Problem] = []
    for column in columns:
        name = names.get(_bare(column))
        near = get_close_matches(_bare(column), names, n=1, cutoff=_ALIKE)
        if name in known:
            found = f"{known[name]!r} and {column!r}, which both mean {name}"
            problems += [Problem(f"{table}, row 1", found, "one of them", "Remove the other.")]
        elif name:
            known[name] = column
        elif near:
            meant = names[near[0]]
            problems += [
                Problem(
                    f"{table}, row 1",
                    f"unknown column {column!r}",
                    f"columns such as {', '.join(_NAMES)}",
                    f"Did you mean {meant}? Else rename or remove it.",
                )
            ]
        else:
            ignored.append(column)
    problems += [] if problems else _missing(table, columns, known=known)
    if problems:
        raise ConfigError(problems)
    return known, tuple(ignored)


def _missing(table: str, columns: Sequence[str], *, known: Mapping[str, str]) -> Iterator[Problem]:
    found = f"columns {', '.join(columns)}"
    if "model" not in known:
        yield Problem(f"{table}, row 1", found, "also model", "Name the column of model names so.")
    figures = [name for name in FIGURES if name in known]
    if len(figures) < FEWEST_FIGURES or not set(figures) & set(ANCHORED):
        yield Problem(
            f"{table}, row 1",
            found,
            f"two or more of {', '.join(FIGURES)}, among them {' or '.join(ANCHORED)}",
            "Add the figures that the paper prints; fewer do not determine a test set.",
        )


def _number(text: str, place: str, *, column: str) -> Decimal | Problem | None:
    """Return the share that a cell prints, None for an empty cell, or what is wrong with it."""
    if text.casefold() in _EMPTY:
        return None
    percent = "%" in text or "%" in column
    bare = text.replace("%", "").strip()
    if "," in bare and "." not in bare:
        bare = bare.replace(",", ".")
    if not _NUMBER.fullmatch(bare):
        negative = bare.startswith("-") and _NUMBER.fullmatch(bare[1:])
        expected = "a share from 0 to 1" if negative else "a single number such as 0.7344 or 73.44%"
        remedy = "Leave out intervals and signs; empty the cell if nothing is printed."
        return Problem(place, repr(text), expected, remedy)
    share = Decimal(bare).scaleb(-2 if percent else 0)
    if share > 1:
        remedy = "" if percent else f"If it is a percentage, write {bare}%."
        return Problem(place, repr(text), "a share from 0 to 1, or at most 100%", remedy)
    return round(share, MOST_DIGITS) if _decimals(share) > MOST_DIGITS else share


def _decimals(share: Decimal) -> int:
    return max(0, -int(share.as_tuple().exponent))


def _find_repeated_columns(
    table: str, rows: Sequence[SheetRow], *, known: Mapping[str, str]
) -> Iterator[Problem]:
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        names = tuple(row.cells[known[part]] for part in ("table", "model") if part in known)
        place = f"{table}, row {row.number}, column {known['model']}"
        if not names[-1]:
            yield Problem(place, "an empty cell", "the model's name", "Fill it in.")
        elif names in seen:
            yield Problem(
                place,
                f"{names[-1]!r}, which row {seen[names]} has too",
                "each model once per test set",
                "Rename one, or tell test sets apart in a column `table`.",
            )
        seen.setdefault(names, row.number)


def _digits_by_column(
    tables: Sequence[str], cells: Sequence[Mapping[str, Decimal]]
) -> dict[tuple[str, str], int]:
    """Return the printed digits by table and column."""
    found = {}
    for table in dict.fromkeys(tables):
        mine = [row for name, row in zip(tables, cells, strict=True) if name == table]
        columns = {column for row in mine for column in row}
        of = {c: Counter(_informing(row[c] for row in mine if c in row)) for c in columns}
        together = likeliest_digits(sum((of[c] for c in columns if c != "auc"), Counter()))
        for column in columns:
            own = likeliest_digits(of[column])
            gain = _likelihood(own, of[column]) - _likelihood(together, of[column])
            found[table, column] = own if gain > _OWN_WAY else together
    return found


def _informing(shares: Iterable[Decimal]) -> Iterator[int]:
    """Give the decimals of every share but 0 and 1, which people print as they like."""
    return (_decimals(share) for share in shares if 0 < share < 1)


def likeliest_digits(decimals: Counter[int]) -> int:
    """Return how many digits a table prints whose figures show these decimals (count of each)."""
    options = sorted(decimals) or [0]
    return max(options, key=lambda digits: (_likelihood(digits, decimals), digits))


def _likelihood(digits: int, decimals: Counter[int]) -> float:
    """Log10 of the chance of these decimals in a table of so many digits."""
    return sum(
        count * (log10(_EXTRA_DIGITS) if shown > digits else
                 log10(1 - _ENDS_IN_ZERO) + (digits - shown) * log10(_ENDS_IN_ZERO))
        for shown, count in decimals.items()
    )  # fmt: skip


def _model(
    table: str, model: str, *, numbers: Mapping[str, Decimal],
    digits: Mapping[tuple[str, str], int],
) -> ReportedModel:  # fmt: skip
    printed = {}
    for column, share in numbers.items():
        places = max(_decimals(share), digits[table, column])
        printed[column] = Printed(int(share.scaleb(places)), places)
    auc = printed.pop("auc", None)
    return ReportedModel(table, model, printed, auc)
