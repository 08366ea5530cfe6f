"""Which columns of any patient table belong into a Table 1, and what they hold."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from axilla.cohort.tables.columns import nearest
from axilla.cohort.tables.spreadsheet import Sheet
from axilla.cohort.values.cells import RANGES, UNKNOWN_WORDS, as_number, code_of
from axilla.evaluation.table1.patient_table import Kind
from axilla.records.errors import CohortError, ConfigError, Problem

_MOST_CODES, _MOST_LEVELS, _MOST_GROUPS = 5, 20, 10
_FEWEST_NUMBERED, _LEAST_FILE_NUMBER = 30, 10_000
_MOSTLY = 0.8
_IDENTIFIER = re.compile(r"(.*[ _-])?(id|uid|mrn|identifier)", re.IGNORECASE)
_FILE = re.compile(
    r".*\.(png|jpe?g|tiff?|bmp|dcm|svs|ndpi|mrxs|nii(\.gz)?|csv|xlsx?|pdf)", re.IGNORECASE
)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
_GEOMETRY = re.compile(r"roi_(left|top|width|height)")


@dataclass(frozen=True, slots=True)
class ChosenColumns:
    """The variables of a table, in its order, and why each other column is not among them."""

    kinds: Mapping[str, Kind]
    left_out: Mapping[str, str]


def patient_frame(sheet: Sheet) -> pd.DataFrame:
    """Return the sheet's cells, one row per patient, indexed by the rows a person sees.

    Missing is None: an empty cell, NA, N/A, NaN, NULL and unknown, in any case. Raise `CohortError`
    if two rows have the same patient_id: they would count as two patients.
    """
    rows = [
        {c: None if text.casefold() in UNKNOWN_WORDS else text for c, text in row.cells.items()}
        for row in sheet.rows
    ]
    frame = pd.DataFrame(
        rows, index=[row.number for row in sheet.rows], columns=list(sheet.columns), dtype=object
    )
    if "patient_id" in frame:
        _check_patients(frame["patient_id"].dropna(), sheet.name)
    return frame


def group_values(frame: pd.DataFrame, by: str, *, source: str) -> pd.Series:
    """Return the group of each row of `frame`: two spellings of one code are one group.

    Raise `ConfigError` if there is no column `by`, `CohortError` unless it has 2 to 10 values.
    """
    check_named({"--by": (by,)}, frame.columns, source=source)
    first: dict[str, str] = {}
    for text in frame[by].dropna():
        first.setdefault(code_of(text), text)
    place = f"{source}, column {by}"
    if len(first) < 2:  # noqa: PLR2004
        found = f"only {next(iter(first.values()))!r}" if first else "no value"
        problem = Problem(place, found, "at least two groups of patients", "Name another column.")
        raise CohortError(problem)
    if len(first) > _MOST_GROUPS:
        found = f"{len(first)} different values"
        remedy = "Name another column, or make groups of its values."
        raise CohortError(Problem(place, found, f"2 to {_MOST_GROUPS} groups of patients", remedy))
    return frame[by].map(lambda text: None if text is None else first[code_of(text)])


def check_named(
    options: Mapping[str, Iterable[str]], columns: Iterable[str], *, source: str
) -> None:
    """Raise `ConfigError` with every column that an option names and `source` does not have."""
    known = [str(column) for column in columns]
    problems = []
    for option, names in options.items():
        for name in names:
            if name not in known:
                near = nearest(name, known)
                remedy = f"Did you mean {near}?" if near else "Correct the name."
                expected = f"one of the columns of {source}: {', '.join(known)}"
                problems.append(Problem(option, f"no column {name!r}", expected, remedy))
    if problems:
        raise ConfigError(problems)


def choose_columns(
    frame: pd.DataFrame,
    not_compared: Mapping[str, str],
    *,
    source: str,
    columns: Sequence[str] = (),
    numbers: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> ChosenColumns:
    """Return what a table of `frame` compares: `columns`, or all that can be compared.

    `not_compared` maps columns that play another part to that part. Without `columns`, empty,
    constant, identifying, path, date and region columns, and text of more than 20 levels, are left
    out, unless `numbers` or `categories` names them. Raise `ConfigError` for an unknown column or
    one named twice, `CohortError` for a cell of `numbers` that is none, or if nothing is left.
    """
    options = {"--columns": columns, "--number": numbers, "--category": categories}
    check_named(options, frame.columns, source=source)
    if both := [name for name in numbers if name in categories]:
        problem = Problem("--number and --category", f"{both[0]!r} in both", "it in one", "")
        raise ConfigError(problem)
    named = {*columns, *numbers, *categories}
    wanted = list(dict.fromkeys(columns)) or [str(column) for column in frame.columns]
    wanted += [name for name in (*numbers, *categories) if name not in wanted]
    left_out = {}
    for column in wanted:
        if column in not_compared:
            left_out[column] = not_compared[column]
        elif column not in named and (reason := next(_unfit(column, frame[column]), None)):
            left_out[column] = reason
    kept = [column for column in wanted if column not in left_out]
    if not kept:
        reasons = "; ".join(f"{column}: {reason}" for column, reason in left_out.items())
        problem = Problem(source, f"no column to compare ({reasons})", "one", "Use --columns.")
        raise CohortError(problem)
    kinds = _kinds(frame, kept, source=source, numbers=numbers, categories=categories)
    return ChosenColumns(kinds, left_out)


def kind_of(column: str, texts: Iterable[str]) -> Kind:
    """Return what a column holds, from its name and its cells that are not missing.

    It holds numbers where every cell is one, unless these are codes: at most five different whole
    numbers, each on average in two patients or more. `age` and `ki67` are never codes.
    """
    counts = Counter(as_number(text) for text in texts)
    if not counts or None in counts:
        return "category"
    if column in RANGES:
        return "number"
    codes = all(value is not None and value.is_integer() for value in counts)
    repeated = 2 * len(counts) <= counts.total()
    return "category" if codes and len(counts) <= _MOST_CODES and repeated else "number"


def _kinds(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    source: str,
    numbers: Sequence[str],
    categories: Sequence[str],
) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    problems: list[Problem] = []
    for column in columns:
        known = frame[column].dropna()
        kind = kind_of(column, known)
        kinds[column] = (
            "number" if column in numbers else "category" if column in categories else kind
        )
        if kinds[column] == "number":
            problems += _not_numbers(known, source)
    if problems:
        raise CohortError(problems)
    return kinds


def _not_numbers(known: pd.Series, source: str) -> Iterator[Problem]:
    for row, text in known.items():
        if as_number(text) is None:
            comma = "Write the decimal point as '.'. " if "," in text else ""
            yield Problem(
                f"{source}, row {row}, column {known.name}",
                repr(text),
                "a number, or an empty cell",
                f"{comma}If the column holds categories, say --category {known.name}.",
            )


def _unfit(column: str, cells: pd.Series) -> Iterator[str]:
    """Yield every reason not to compare a column that nobody named."""
    known = cells.dropna()
    distinct = known.nunique()
    if distinct == 0:
        yield "empty"
        return
    if distinct == 1:
        yield f"always {known.iloc[0]!r}"
    if _GEOMETRY.fullmatch(column):
        yield "a place in an image"
    if _IDENTIFIER.fullmatch(column) or (column not in RANGES and _is_numbering(known)):
        yield "an identifier"
    if _mostly(known, _FILE):
        yield "paths of files"
    if _mostly(known, _DATE):
        yield "dates"
    numeric = known.map(as_number).notna()
    if numeric.all() or distinct <= _MOST_LEVELS:
        return
    if numeric.mean() >= _MOSTLY:
        text = known[~numeric]
        yield f"numbers, but {text.iloc[0]!r} in row {text.index[0]}"
    yield f"text of {distinct} different values"


def _is_numbering(known: pd.Series) -> bool:
    """Tell whether each patient has a whole number of his own, in a row or of five digits."""
    numbers = known.map(as_number)
    if len(known) < _FEWEST_NUMBERED or numbers.isna().any() or not numbers.is_unique:
        return False
    in_a_row = numbers.max() - numbers.min() == len(numbers) - 1
    whole = numbers.map(float.is_integer).all()
    return bool(whole and (in_a_row or numbers.min() >= _LEAST_FILE_NUMBER))


def _mostly(known: pd.Series, pattern: re.Pattern[str]) -> bool:
    return bool(known.map(lambda text: bool(pattern.fullmatch(text))).mean() >= _MOSTLY)


def _check_patients(identifiers: pd.Series, source: str) -> None:
    repeated = identifiers[identifiers.duplicated()]
    if repeated.empty:
        return
    problems = [
        Problem(
            f"{source}, row {row}, column patient_id",
            f"{name!r} again",
            "one row per patient",
            "Join the rows of one patient, or correct the identifier.",
        )
        for row, name in repeated.items()
    ]
    raise CohortError(problems)
