"""Performance tables (paper, Tables 2 to 4), and fusion by available modalities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from axilla.records.estimate import Estimate
from axilla.report.number_format import join_items, overlap
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults, estimate_of

COLUMNS = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1-score",
    "accuracy": "Accuracy",
    "specificity": "Specificity",
    "auc": "AUC",
}


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """One model of a table: its estimates by metric, and the metrics in which it is highest."""

    entry: StudyModel
    estimates: dict[str, Estimate | None]
    highest: frozenset[str]


@dataclass(frozen=True, slots=True)
class PerformanceTable:
    """One family's table; `note` says what the marked values do not mean."""

    rows: tuple[PerformanceRow, ...]
    sizes: tuple[tuple[int, int], ...]
    note: str


def performance_frame(results: StudyResults, entries: Sequence[StudyModel]) -> pd.DataFrame:
    """Return the table as written to CSV: each metric with its interval, at full precision."""
    records = []
    for entry in entries:
        rows = results.metrics[results.metrics["model"] == entry.name]
        record: dict[str, object] = {"model": entry.name, "modality": entry.modality}
        for metric in COLUMNS:
            estimate = results.estimate(entry.name, metric)
            record[metric] = estimate.value if estimate else math.nan
            record[f"{metric}_low"] = estimate.low if estimate else math.nan
            record[f"{metric}_high"] = estimate.high if estimate else math.nan
        for column in ("n", "n_positive", "threshold_rule"):
            known = rows[column].dropna()
            record[column] = known.iloc[0] if len(known) else ""
        records.append(record)
    return pd.DataFrame.from_records(records)


def performance_table(results: StudyResults, entries: Sequence[StudyModel]) -> PerformanceTable:
    """Return the table as the page shows it: the highest AUC first, baselines and readers last."""
    estimates = {
        entry.name: {metric: results.estimate(entry.name, metric) for metric in COLUMNS}
        for entry in entries
    }
    ranked = results.rank_models(entries)
    compared = [entry.name for entry in ranked if entry.competes]
    highest = {metric: _highest(estimates, compared, metric=metric) for metric in COLUMNS}
    rows = tuple(
        PerformanceRow(
            entry=entry,
            estimates=estimates[entry.name],
            highest=frozenset(m for m, names in highest.items() if entry.name in names),
        )
        for entry in ranked
    )
    known = [e for row in rows for e in row.estimates.values() if e is not None]
    return PerformanceTable(
        rows=rows,
        sizes=tuple(sorted({(e.n, e.n_positive) for e in known})),
        note=_note(estimates, compared),
    )


def _highest(
    estimates: dict[str, dict[str, Estimate | None]], names: Sequence[str], *, metric: str
) -> frozenset[str]:
    known = {name: e.value for name in names if (e := estimates[name][metric]) is not None}
    if len(known) < 2:  # noqa: PLR2004
        return frozenset()
    top = max(known.values())
    return frozenset(name for name, value in known.items() if value == top)


def _note(estimates: dict[str, dict[str, Estimate | None]], names: Sequence[str]) -> str:
    apart = []
    for metric, title in COLUMNS.items():
        known = sorted(
            (e for name in names if (e := estimates[name][metric]) is not None),
            key=lambda estimate: -estimate.value,
        )
        if len(known) < 2:  # noqa: PLR2004
            continue
        if not overlap(known[0], known[1]):
            apart.append(title)
    if len(names) < 2:  # noqa: PLR2004
        return ""
    marked = (
        "Bold: the highest model of a column, picked after the fact "
        "(baselines, readers and what the folds chose do not compete)."
    )
    if not apart:
        return (
            f"{marked} In every column its interval overlaps that of the next model, "
            "so the table does not rank them."
        )
    return (
        f"{marked} Only in {join_items(apart)} is its interval clear of that of the next model; "
        "elsewhere the intervals overlap and the table does not rank the models."
    )


@dataclass(frozen=True, slots=True)
class Pattern:
    """One column: what was shown, whether something was withheld, in how many patients."""

    title: str
    about: str
    n: int
    n_positive: int


@dataclass(frozen=True, slots=True)
class AvailabilityTable:
    """AUC of each fusion (rows) from each choice of modalities (columns)."""

    patterns: tuple[Pattern, ...]
    rows: tuple[tuple[str, tuple[Estimate | None, ...]], ...]
    taught: bool
    """Whether fusion was trained on incomplete cases too."""


def availability_table(results: StudyResults) -> AvailabilityTable | None:
    """Return the table, or None where every prediction was made from the same modalities."""
    auc = results.availability[results.availability["metric"] == "auc"]
    pairs = zip(auc["withheld"].astype(int), auc["shown"].astype(str), strict=True)
    keys = list(dict.fromkeys(pairs))
    if len(keys) < 2:  # noqa: PLR2004
        return None
    keys.sort(key=lambda key: (key[0], -key[1].count("+")))
    cells = {
        (str(row["model"]), (int(row["withheld"]), str(row["shown"]))): row
        for row in auc.to_dict("records")
    }
    titles = {entry.name: entry.title for entry in results.entries}
    models = list(dict.fromkeys(auc["model"]))
    return AvailabilityTable(
        patterns=tuple(_pattern(key, auc) for key in keys),
        rows=tuple(
            (titles.get(model, model), tuple(estimate_of(cells.get((model, k))) for k in keys))
            for model in models
        ),
        taught=results.config.training.modality_dropout > 0,
    )


def _pattern(key: tuple[int, str], auc: pd.DataFrame) -> Pattern:
    withheld, shown = key
    names = shown.split("+")
    rows = auc[(auc["withheld"] == withheld) & (auc["shown"] == shown)]
    only = " only" if len(names) == 1 else ""
    return Pattern(
        title=" + ".join(names).capitalize() + only,
        about="the rest withheld" if withheld else "all they have",
        n=int(rows["n"].iloc[0]),
        n_positive=int(rows["n_positive"].iloc[0]),
    )
