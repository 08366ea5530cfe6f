"""comparisons.csv as the report reads it: who was compared, the difference, and its test."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from axilla.evaluation.comparisons.planned_comparisons import VERDICT
from axilla.report.number_format import LEVEL, format_signed, p_value
from axilla.report.study_results import StudyResults

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One row of comparisons.csv: first model minus second by one test."""

    first: str
    second: str
    family: str
    value: float
    low: float
    high: float
    n: int
    method: str
    p: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        """Tell whether the difference differs from 0 at the 5 % level, before any correction."""
        return self.p < SIGNIFICANT

    def __str__(self) -> str:
        return f"{format_signed(self.value)} ({LEVEL} interval {self.bounds}; {p_text(self.p)})"

    @property
    def bounds(self) -> str:
        """Print the interval."""
        if not math.isfinite(self.low):
            return "no interval"
        return f"{format_signed(self.low)} to {format_signed(self.high)}"


@dataclass(frozen=True, slots=True)
class ModelPair:
    """Two models in one family: the difference of their AUCs and of their accuracies."""

    first: str
    second: str
    auc: ComparisonRow | None
    accuracy: ComparisonRow | None


def get_comparison_rows(
    results: StudyResults, *, test: str, family: str | None = None
) -> list[ComparisonRow]:
    """Return the rows of one test, in the table's order; of one family if given."""
    rows = results.comparisons
    rows = rows[rows["test"] == test]
    if family is not None:
        rows = rows[rows["family"] == family]
    return [_parse_comparison(row) for row in rows.to_dict("records")]


def families(results: StudyResults) -> Iterator[tuple[str, list[ModelPair]]]:
    """Yield each family's name and its contests, in the table's order."""
    for family in results.comparisons["family"].drop_duplicates():
        areas = {
            (c.first, c.second): c
            for c in get_comparison_rows(results, test="delong", family=family)
        }
        shares = {
            (c.first, c.second): c
            for c in get_comparison_rows(results, test="mcnemar", family=family)
        }
        pairs = dict.fromkeys([*areas, *shares])
        yield (
            str(family),
            [ModelPair(*pair, areas.get(pair), shares.get(pair)) for pair in pairs],
        )


def verdict_row(results: StudyResults) -> ComparisonRow | None:
    """Return fusion minus the best single modality, or None where the study has no such pair."""
    rows = get_comparison_rows(results, test="delong", family=VERDICT)
    known = [row for row in rows if math.isfinite(row.value)]
    return known[0] if known else None


def p_text(p: float) -> str:
    """Print a p-value in a sentence."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _parse_comparison(row: dict[Any, Any]) -> ComparisonRow:
    return ComparisonRow(
        first=str(row["model_a"]),
        second=str(row["model_b"]),
        family=str(row["family"]),
        value=float(row["estimate"]),
        low=float(row["low"]),
        high=float(row["high"]),
        n=int(row["n"]),
        method="" if pd.isna(row["method"]) else str(row["method"]),
        p=float(row["p"]),
        p_holm=float(row["p_holm"]),
    )
