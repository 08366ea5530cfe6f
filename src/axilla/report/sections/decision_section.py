"""The decision curve on the page: from which risk on acting on a model is worth it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from axilla.records.estimate import Estimate
from axilla.report.headline_models import protagonists, readers
from axilla.report.number_format import join_items, percent, sentence
from axilla.report.page import PageSection, render
from axilla.report.reported_models import StudyModel
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import StudyResults

_SHOWN: Final = (0.1, 0.2, 0.3, 0.5, 0.7)
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class _DecisionRow:
    """One model or reader at the thresholds shown."""

    title: str
    estimates: tuple[Estimate | None, ...]


def decision_section(material: ReportContext) -> PageSection | None:
    """The curves, the range in which the first model is worth acting on, and some of its values."""
    drawing = material.drawings.get("decision_curve")
    if drawing is None:
        return None
    results = material.results
    table = results.decision_curve
    known = set(table["model"])
    entries = [e for e in (*protagonists(results), *readers(results)) if e.name in known]
    thresholds = shown_thresholds(table)
    html = render(
        "sections/decision.html.j2",
        drawing=drawing,
        thresholds=thresholds,
        rows=[_row(results, entry, thresholds) for entry in entries],
        treat_all=_treat_all(table[table["model"] == entries[0].name], thresholds),
        sentence=worth_sentence(results, entries[0]),
        band_of=entries[0].long_label,
        has_reader=any(entry.family == "reader" for entry in entries),
    )
    return PageSection("Decision curve", "decision", html)


def shown_thresholds(table: pd.DataFrame) -> tuple[float, ...]:
    """Return the thresholds that the page's table has, of those that the file has."""
    there = table["threshold"].unique()
    chosen = tuple(t for t in _SHOWN if np.isclose(there, t, atol=_ROUNDING).any())
    return chosen or (float(there.min()), float(there.max()))


def worth_sentence(results: StudyResults, entry: StudyModel) -> str:
    """Say between which thresholds a model beats treating everybody and treating nobody."""
    table = results.decision_curve
    rows = table[table["model"] == entry.name].sort_values("threshold")
    name = sentence(entry.long_label)
    default = np.maximum(rows["treat_all"], 0) + _ROUNDING
    better = _ranges(rows["threshold"].to_numpy(), (rows["net_benefit"] > default).to_numpy())
    sure = _ranges(rows["threshold"].to_numpy(), (rows["low"] > default).to_numpy())
    if not better:
        return (
            f"At no threshold shown is acting on {entry.long_label} worth more than the better of "
            "treating everybody and treating nobody."
        )
    told = f"{name} is worth more than treating everybody or nobody at thresholds of {better}"
    if not sure:
        return f"{told}; at none of them does its interval lie above both."
    return f"{told}; at {sure} its whole interval lies above what both are worth here."


def _ranges(thresholds: np.ndarray, inside: np.ndarray) -> str:
    """Print the runs of thresholds that are inside: 12 % to 61 % and 70 % to 75 %."""
    edges = np.flatnonzero(np.diff(inside.astype(int), prepend=0, append=0))
    runs: Sequence[tuple[float, float]] = [
        (thresholds[start], thresholds[stop - 1])
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]
    return join_items(
        [
            percent(first) if first == last else f"{percent(first)} to {percent(last)}"
            for first, last in runs
        ]
    )


def _row(results: StudyResults, entry: StudyModel, thresholds: Sequence[float]) -> _DecisionRow:
    rows = results.decision_curve[results.decision_curve["model"] == entry.name]
    patients = results.predictions[results.predictions["model"] == entry.name]
    positive = int(patients.drop_duplicates("patient_id")["label"].sum())
    return _DecisionRow(
        sentence(entry.long_label),
        tuple(_at(rows, threshold, n_positive=positive) for threshold in thresholds),
    )


def _at(rows: pd.DataFrame, threshold: float, *, n_positive: int) -> Estimate | None:
    found = rows[np.isclose(rows["threshold"], threshold, atol=_ROUNDING)]
    if found.empty:
        return None
    row = found.iloc[0]
    return Estimate(
        value=float(row["net_benefit"]),
        low=float(row["low"]),
        high=float(row["high"]),
        n=int(row["n"]),
        n_positive=n_positive,
        method=str(row["method"]),
    )


def _treat_all(rows: pd.DataFrame, thresholds: Sequence[float]) -> tuple[float, ...]:
    known = rows.set_index("threshold")["treat_all"]
    return tuple(float(np.interp(t, known.index, known)) for t in thresholds)
