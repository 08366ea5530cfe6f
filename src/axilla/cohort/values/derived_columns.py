"""Columns that follow from others by the paper's rules (2.2.3), where a table lacks them."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow
from axilla.cohort.values.cells import UNKNOWN_WORDS, cell_in, name_of, parse_number
from axilla.records.errors import Problem
from axilla.records.findings import Finding, error, warning

KI67_POSITIVE_PERCENT = 14
RECEPTOR_POSITIVE_PERCENT = 1
_RECEPTORS = ("er", "pr")
_IHC, _FISH = "her2_ihc", "her2_fish"
_SHARE = re.compile(r"(<|≥|>=|>)?\s*(\d+(?:\.\d+)?)\s*%")
_SCORE = re.compile(r"\(?(?:([0-3])\s*\+?|(\+{1,3})|(-))\)?")
_CALLS = {"positive": True, "+": True, "1": True, "negative": False, "-": False, "0": False}
_FEWEST_KI67 = 5
_PERCENT = 100

Known = bool | None
"""Positive, negative, or not known."""


def with_derived(sheet: Sheet, wanted: CohortSchema) -> tuple[Sheet, tuple[Finding, ...]]:
    """Return the table with her2, ki67_group and molecular_subtype where their sources exist.

    ER and PR given with a percent sign become positive from 1 % (ASCO/CAP 2020). A column of the
    table's own is kept; where it contradicts the rule, a warning names the patients.
    """
    findings: list[Finding] = []
    sheet = _receptors(sheet)
    if _IHC in sheet.columns:
        sheet = _derive(sheet, "her2", _her2, findings)
        if wanted.asks_for("her2") or wanted.asks_for("molecular_subtype"):
            findings += _unread_scores(sheet)
    if "ki67" in sheet.columns:
        sheet = _derive(sheet, "ki67_group", _ki67_group, findings)
        if wanted.asks_for("ki67") or wanted.asks_for("ki67_group"):
            findings += _unread_ki67(sheet, said_anyway="ki67" in wanted.clinical)
    if {*_RECEPTORS, "her2"} <= set(sheet.columns):
        sheet = _derive(sheet, "molecular_subtype", _subtype, findings)
    return sheet, tuple(findings)


def _derive(
    sheet: Sheet, column: str, rule: Callable[[Mapping[str, str]], str], findings: list[Finding]
) -> Sheet:
    texts = [rule(row.cells) for row in sheet.rows]
    if column in sheet.columns:
        findings += _conflict(sheet, column, texts)
        return sheet
    rows = tuple(
        replace(row, cells={**row.cells, column: text})
        for row, text in zip(sheet.rows, texts, strict=True)
    )
    return replace(sheet, columns=(*sheet.columns, column), rows=rows)


def _receptors(sheet: Sheet) -> Sheet:
    columns = [column for column in _RECEPTORS if column in sheet.columns]
    return replace(sheet, rows=tuple(_called_receptors(row, columns) for row in sheet.rows))


def _called_receptors(row: SheetRow, columns: Sequence[str]) -> SheetRow:
    cells, written = dict(row.cells), dict(row.written)
    for column in columns:
        call = _by_share(cells[column])
        if call is not None:
            written.setdefault(column, cells[column])
            cells[column] = "positive" if call else "negative"
    return SheetRow(row.number, cells, written)


def _by_share(text: str) -> Known:
    """Return the call of a share of stained cells; a bare number could be a score or a code."""
    found = _SHARE.fullmatch(_plain(text))
    if found is None:
        return None
    share = float(found[2])
    if found[1] == "<":
        return False if share <= RECEPTOR_POSITIVE_PERCENT else None
    if found[1] == ">" and share < RECEPTOR_POSITIVE_PERCENT:
        return None
    return share >= RECEPTOR_POSITIVE_PERCENT


def _her2(cells: Mapping[str, str]) -> str:
    """Call HER2 by IHC: 3+ positive, 0 and 1+ negative, 2+ by FISH (ASCO/CAP 2018)."""
    score = _score(cells[_IHC])
    if score is None:
        return ""
    call = _call(cells.get(_FISH, "")) if score == 2 else score == 3  # noqa: PLR2004 - the scores
    return "" if call is None else "positive" if call else "negative"


def _score(text: str) -> int | None:
    found = _SCORE.fullmatch(_plain(text))
    if found is None:
        return None
    return int(found[1]) if found[1] else len(found[2] or "")


def _ki67_group(cells: Mapping[str, str]) -> str:
    share = parse_number(cells["ki67"])
    if share is None or not 0 <= share <= _PERCENT:
        return ""
    return "positive" if share >= KI67_POSITIVE_PERCENT else "negative"


def _subtype(cells: Mapping[str, str]) -> str:
    er, pr, her2 = (_call(cells[column]) for column in (*_RECEPTORS, "her2"))
    if er or pr:
        return "luminal"
    if er is None or pr is None or her2 is None:
        return ""
    return "her2_overexpression" if her2 else "tnbc"


def _call(text: str) -> Known:
    return _CALLS.get(_plain(text)) if text else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _conflict(sheet: Sheet, column: str, texts: Sequence[str]) -> Iterator[Finding]:
    """Yield a warning for the patients whose own cell says something else than the rule."""
    rows = [
        row
        for row, text in zip(sheet.rows, texts, strict=True)
        if text and (own := _meaning(row.cells[column])) and own != text
    ]
    if rows:
        derived = texts[sheet.rows.index(rows[0])]
        first = cell_in(sheet, rows[0], column)
        problem = Problem(
            sheet.place(column),
            f"{len(rows)} cells that contradict the paper's rule, as {first.found} in row "
            f"{first.row}, where the other columns say {derived}",
            "what the other columns say",
            "Correct the cells; as they stand, the table's own column is used.",
        )
        yield warning("derived_conflict", problem, patients=map(name_of, rows))


def _meaning(text: str) -> str:
    """Return what a table's own word for a subtype or group means; nothing if that is not clear."""
    words = _plain(text)
    if words in ("positive", "negative"):
        return words
    if words.startswith("luminal"):
        return "luminal"
    if words == "tnbc" or "triple" in words or words.startswith("basal"):
        return "tnbc"
    return "her2_overexpression" if words.startswith(("her2", "her-2", "erbb2")) else ""


def _unread_scores(sheet: Sheet) -> Iterator[Finding]:
    for row in sheet.rows:
        cell = cell_in(sheet, row, _IHC)
        if _score(cell.text) is None and cell.text.casefold() not in UNKNOWN_WORDS:
            yield cell.refuse("unknown_value", "0, 1+, 2+, 3+ or an empty cell")


def _unread_ki67(sheet: Sheet, *, said_anyway: bool) -> Iterator[Finding]:
    cells = [cell_in(sheet, row, "ki67") for row in sheet.rows]
    filled = [cell for cell in cells if cell.text.casefold() not in UNKNOWN_WORDS]
    shares = [share for cell in filled if (share := parse_number(cell.text)) is not None]
    if not said_anyway:
        for cell in filled:
            if (share := parse_number(cell.text)) is None or not 0 <= share <= _PERCENT:
                yield cell.refuse("unknown_value", "a percentage from 0 to 100, or an empty cell")
    plain = not any("%" in cell.text for cell in filled)
    fractions = shares and max(shares) <= 1 and any(0 < share < 1 for share in shares)
    if plain and fractions and len(shares) >= _FEWEST_KI67:
        problem = Problem(
            sheet.place("ki67"),
            f"numbers from {min(shares):g} to {max(shares):g}, which seem to be fractions",
            "percentages from 0 to 100",
            "Multiply them by 100, or write them with a percent sign.",
        )
        yield error("unknown_value", problem)
