"""The subgroups of the model that a report leads with, as figure and table show them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from axilla.records.estimate import Estimate
from axilla.report.number_format import p_value, sentence
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults, first_estimate
from axilla.report.tables.family_summary import headline_of

METRICS: Final = {"auc": "AUC", "recall": "Sensitivity", "specificity": "Specificity"}
# A column of forty hospitals would fill a page; subgroups.csv has them all.
_MOST_LEVELS: Final = 12
_ABBREVIATIONS: Final = frozenset({"er", "pr", "her2"})


@dataclass(frozen=True, slots=True)
class SubgroupRow:
    """One level of a column: how it prints, and its estimates, None where undefined."""

    title: str
    n: int
    n_positive: int
    small: bool
    estimates: Mapping[str, Estimate | None]

    @property
    def one_class(self) -> bool:
        """Tell whether all patients of the level have the same outcome."""
        return self.n_positive in (0, self.n)


@dataclass(frozen=True, slots=True)
class SubgroupColumn:
    """One column: its levels, the p of each metric's interaction test, and levels left out."""

    title: str
    lines: tuple[SubgroupRow, ...]
    interactions: Mapping[str, float]
    hidden: int

    def told_p(self, metric: str) -> str:
        """Print the p of a metric's test, as in a sentence: p = 0.04, p < 0.001, not tested."""
        if not math.isfinite(p := self.interactions[metric]):
            return "not tested"
        text = p_value(p)
        return f"p {text}" if text.startswith("<") else f"p = {text}"


@dataclass(frozen=True, slots=True)
class Subgroups:
    """All columns for one model, beside what it reaches in all patients.

    `tests` counts the interaction tests shown, `all_tests` those of every model.
    """

    entry: StudyModel
    overall: SubgroupRow
    blocks: tuple[SubgroupColumn, ...]
    tests: int
    all_tests: int


def subgroups_of(results: StudyResults) -> Subgroups | None:
    """Return the leading model's subgroups, or None where the study names none."""
    headline = headline_of(results)
    if headline is None or results.subgroups.empty:
        return None
    rows = results.subgroups[results.subgroups["model"] == headline.entry.name]
    if rows.empty:
        return None
    blocks = tuple(_block(str(column), part) for column, part in rows.groupby("column", sort=False))
    tested = results.subgroups.dropna(subset="p_interaction")
    return Subgroups(
        entry=headline.entry,
        overall=SubgroupRow(
            "All patients",
            headline.auc.n,
            headline.auc.n_positive,
            small=False,
            estimates={name: results.estimate(headline.entry.name, name) for name in METRICS},
        ),
        blocks=blocks,
        tests=sum(math.isfinite(p) for block in blocks for p in block.interactions.values()),
        all_tests=len(tested[["column", "model", "metric"]].drop_duplicates()),
    )


def _block(column: str, rows: pd.DataFrame) -> SubgroupColumn:
    sizes = rows.groupby("level", sort=False)["n"].first()
    largest = set(sizes.nlargest(_MOST_LEVELS).index)
    shown = [level for level in sizes.index if level in largest]
    tests = rows.groupby("metric")["p_interaction"].first()
    return SubgroupColumn(
        title=_title(column),
        lines=tuple(_line(str(level), rows[rows["level"] == level]) for level in shown),
        interactions={name: float(tests.get(name, math.nan)) for name in METRICS},
        hidden=len(sizes) - len(shown),
    )


def _line(level: str, rows: pd.DataFrame) -> SubgroupRow:
    first = rows.iloc[0]
    return SubgroupRow(
        title=level.replace(">= ", "≥ "),
        n=int(first["n"]),
        n_positive=int(first["n_positive"]),
        small=str(first["small"]) == "True",
        estimates={name: first_estimate(rows[rows["metric"] == name]) for name in METRICS},
    )


def _title(column: str) -> str:
    if column.casefold() in _ABBREVIATIONS:
        return column.upper()
    return sentence(column.replace("_", " "))
