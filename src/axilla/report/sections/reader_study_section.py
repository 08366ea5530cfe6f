"""What readers said of the maps: blinded ratings, real maps against decoys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from axilla.evaluation.agreement.reader_study import ALL
from axilla.records.estimate import Estimate
from axilla.report.number_format import (
    LEVEL,
    format_signed,
    interval_text,
    p_value,
    percent,
    sentence,
)
from axilla.report.page import PageSection, render
from axilla.report.sections.section_inputs import ReportContext

_QUESTIONS: Final = {"present": "seen in the image", "attention_matches": "attention matches"}
_AGREED: Final = ("kappa", "AC1")
_COMPARED: Final[Mapping[str, str]] = {
    "real_decoy": "Real less decoy maps, same cases",
    "real_decoy_real_first": "of these, real map first",
    "real_decoy_decoy_first": "of these, decoy map first",
    "right_wrong": "Model right less model wrong",
}


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question of a criterion: each reader's share of yes, and how well they agree."""

    modality: str
    criterion: str
    question: str
    shares: str
    coefficients: tuple[Estimate | None, ...]
    n: int | None


@dataclass(frozen=True, slots=True)
class MatchComparison:
    """One comparison of shares of matches over all criteria of a modality."""

    modality: str
    title: str
    part: bool
    shares: tuple[str, str]
    difference: str
    bounds: str
    p: str
    cases: int


def readings_section(material: ReportContext) -> PageSection | None:
    """Agreement of blinded readers, and real maps against decoys; None before any reading."""
    explained = material.results.explained
    agreed = list(_list_agreement(explained.agreement))
    compared = list(_list_comparisons(explained.comparison))
    if not agreed and not compared:
        return None
    html = render(
        "sections/readings.html.j2",
        sentences=list(_sentences(explained.comparison)),
        agreed=agreed,
        compared=compared,
        coefficients=_AGREED,
    )
    return PageSection("What readers said of the maps", "readings", html)


def _list_agreement(table: pd.DataFrame) -> Iterator[QuestionRow]:
    places = ["modality", "criterion", "question"]
    for (modality, criterion, question), part in table.groupby(places, sort=False):
        own = part[part["measure"] == "prevalence"]
        together = {str(row["measure"]): row for row in part.to_dict("records")}
        found = tuple(_estimate(together.get(name)) for name in _AGREED)
        if own.empty:
            continue
        yield QuestionRow(
            str(modality),
            str(criterion),
            _QUESTIONS.get(str(question), str(question)),
            ", ".join(f"{row['reader']} {percent(row['value'])}" for row in own.to_dict("records")),
            found,
            next((one.n for one in found if one is not None), None),
        )


def _estimate(row: Mapping[Any, Any] | None) -> Estimate | None:
    if row is None or pd.isna(row["value"]):
        return None
    low, high = float(row["low"]), float(row["high"])
    return Estimate(float(row["value"]), low, high, int(row["n"]), 0, str(row["method"]))


def _list_comparisons(table: pd.DataFrame) -> Iterator[MatchComparison]:
    for row in table[table["criterion"] == ALL].to_dict("records"):
        title = _COMPARED.get(str(row["comparison"]))
        if title is not None:
            yield MatchComparison(
                str(row["modality"]),
                title,
                part=title.startswith("of these"),
                shares=(percent(row["share_a"]), percent(row["share_b"])),
                difference=format_signed(row["estimate"]),
                bounds=_bounds(row),
                p=p_value(row["p"]),
                cases=int(row["n_cases"]),
            )


def _bounds(row: Mapping[Any, Any]) -> str:
    estimate = Estimate(float(row["estimate"]), float(row["low"]), float(row["high"]), 0, 0, "")
    return interval_text(estimate)


def _sentences(table: pd.DataFrame) -> Iterator[str]:
    """Say of each modality whether readers found real maps better than decoys."""
    rows = table[(table["criterion"] == ALL) & (table["comparison"] == "real_decoy")]
    for row in rows.to_dict("records"):
        shares = (
            f"real maps matched {percent(row['share_a'])} of the findings, decoys "
            f"{percent(row['share_b'])} (difference {format_signed(row['estimate'])}, {LEVEL} "
            f"interval {_bounds(row)})"
        )
        modality = sentence(str(row["modality"]))
        if row["low"] > 0:
            yield f"{modality}: {shares}. Real maps match what readers see better than decoys do."
        elif row["high"] < 0:
            yield f"{modality}: {shares}. Decoys match what readers see better than real maps do."
        else:
            yield (
                f"{modality}: {shares}. Readers were not shown to find real maps better than "
                "those of a model with shuffled weights."
            )
