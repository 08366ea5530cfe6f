"""Limitations of a study, computed from its data, models and results."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from axilla.report.number_format import (
    LEVEL,
    format_signed,
    inside_sentence,
    interval_text,
    join_items,
    number,
    overlap,
    percent,
    pluralise,
    sentence,
)
from axilla.report.page import PageSection, render
from axilla.report.reported_models import FamilyKey, of_family
from axilla.report.sections.methods import is_clustered
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import StudyResults
from axilla.report.tables.comparison_rows import SIGNIFICANT, get_comparison_rows, p_text
from axilla.report.tables.family_summary import FamilySummary, ScoredModel, headline_of, standing_of

Concern = Literal["bias", "precision", "generalisability"]
# Vergouwe et al., J Clin Epidemiol 2005;58:475; Van Calster et al., J Clin Epidemiol 2016;74:167.
_FEWEST_FOR_PERFORMANCE, _FEWEST_FOR_CALIBRATION = 100, 200
_CLEARLY_ABOVE_CHANCE = 0.05
_SHOWN = 8
_EFFECTIVE = re.compile(r"effective n (\d+)")
_FAMILIES: tuple[FamilyKey, ...] = ("ultrasound", "pathology", "clinical", "fusion", "models")
_MANY_MODELS = 3
_WIDE_SPREAD = 0.1
_FLOORS = "against trivial features"


@dataclass(frozen=True, slots=True)
class Limitation:
    """What it is about, what it puts at risk, and the sentence with its numbers."""

    topic: str
    concern: Concern
    text: str


def limits_of_data(results: StudyResults, headline: ScoredModel) -> Iterator[Limitation]:
    """Yield what limits any conclusion from these patients, as far as the data show it."""
    yield from _outcome(results)
    yield from _size(headline)
    yield from _groups(results, headline)
    yield from _origin(results)
    yield from _new_places(results)
    yield from _missing(results)
    yield from _subgroups(results)


def _outcome(results: StudyResults) -> Iterator[Limitation]:
    if results.config.study.about.strip():
        yield Limitation(
            "Outcome",
            "bias",
            f"Column {results.config.study.outcome} is taken as the truth. How it was established, "
            "and for whom it stands, is said at the top of this report, and no number here can "
            "check it.",
        )


def _size(headline: ScoredModel) -> Iterator[Limitation]:
    auc = headline.auc
    negative = auc.n - auc.n_positive
    fewest = min(auc.n_positive, negative)
    if fewest >= _FEWEST_FOR_CALIBRATION:
        return
    text = f"{auc.n:,} patients, {auc.n_positive:,} positive and {negative:,} negative"
    if fewest < _FEWEST_FOR_PERFORMANCE:
        text += (
            f": fewer than the {_FEWEST_FOR_PERFORMANCE} of each class that a validation should "
            "have (Vergouwe et al., J Clin Epidemiol 2005;58:475)."
        )
    else:
        text += (
            f": fewer than the {_FEWEST_FOR_CALIBRATION} of each class from which a calibration "
            "curve can be trusted (Van Calster et al., J Clin Epidemiol 2016;74:167)."
        )
    if auc.high > auc.low:
        text += (
            f" The {LEVEL} interval of the AUC of {headline.name} is "
            f"{number(auc.high - auc.low)} wide ({interval_text(auc)})."
        )
    yield Limitation("Sample size", "precision", text)


def _groups(results: StudyResults, headline: ScoredModel) -> Iterator[Limitation]:
    if not (results.config.cohort.group and is_clustered(results.metrics)):
        return
    columns = join_items(list(results.config.cohort.group))
    flow = results.flow if isinstance(results.flow, Mapping) else {}
    groups = flow.get("groups")
    text = f"Patients who share {columns} are not independent"
    if isinstance(groups, int):
        text += f", and there are {pluralise(groups, 'group')}"
    sizes = {
        "recall": headline.auc.n_positive,
        "specificity": headline.auc.n - headline.auc.n_positive,
    }
    classes = {"recall": "positive", "specificity": "negative"}
    worth = [
        f"the {sizes[metric]:,} {name} patients are worth {effective} independent ones"
        for metric, name in classes.items()
        if (effective := _effective(results, headline.entry.name, metric=metric)) is not None
    ]
    text += f". To judge {headline.name}, {join_items(worth)}." if worth else "."
    yield Limitation("Few groups", "precision", text)


def _effective(results: StudyResults, model: str, *, metric: str) -> int | None:
    estimate = results.estimate(model, metric)
    found = _EFFECTIVE.search(estimate.method) if estimate else None
    return int(found.group(1)) if found else None


def _origin(results: StudyResults) -> Iterator[Limitation]:
    """Say of each site or device column that tells the outcome what that is worth."""
    table = results.confounding
    whole = table["level"].isna() | (table["level"] == "")
    for row in table[whole].to_dict("records"):
        related = row["p"] < SIGNIFICANT
        if not related and row["auc"] - row["auc_by_chance"] < _CLEARLY_ABOVE_CHANCE:
            continue
        levels = table[(table["column"] == row["column"]) & ~whole].sort_values("prevalence")
        low, high = levels.iloc[0], levels.iloc[-1]
        text = (
            f"The outcome differs by {row['column']}: {percent(low['prevalence'])} positive at "
            f"{low['level']} (n = {low['n']:,}), {percent(high['prevalence'])} at {high['level']} "
            f"(n = {high['n']:,}); {p_text(row['p'])}. Sorting patients by {row['column']} alone "
            f"reaches an AUC of {number(row['auc'])} ({number(row['auc_by_chance'])} by chance). "
            "A model that sees on an image where it comes from gets this for nothing."
        )
        yield Limitation("Confounding by origin", "bias", text)


def _new_places(results: StudyResults) -> Iterator[Limitation]:
    if not results.provenance:
        return
    flow = results.flow if isinstance(results.flow, Mapping) else {}
    sites = flow.get("sites")
    several = len(sites) if isinstance(sites, Mapping) else 0
    if results.config.validation.scheme == "site" or not results.external.empty:
        return
    if several > 1:
        where = f"Patients of all {several} sites are in training and in testing alike"
    else:
        where = "All patients are from one site" if several else "The table names no site"
    yield Limitation(
        "No external set",
        "generalisability",
        f"{where}, so nothing here says how the models do at a site they have not seen.",
    )


def _missing(results: StudyResults) -> Iterator[Limitation]:
    table = results.missingness
    some = table[(table["n_missing"] > 0) & (table["n_missing"] < table["n"])]
    some = some.sort_values("n_missing", ascending=False, kind="stable")
    if some.empty:
        return
    rows = some.to_dict("records")
    parts = [
        f"{row['column']} in {row['n_missing']:,} of {row['n']:,} "
        f"({percent(row['n_missing'] / row['n'])})"
        for row in rows[:_SHOWN]
    ]
    if len(rows) > _SHOWN:
        parts.append(f"{len(rows) - _SHOWN} more columns")
    text = f"Missing: {join_items(parts)}."
    informative = [row for row in rows if row["p"] < SIGNIFICANT]
    for row in informative:
        text += (
            f" Whether {row['column']} is missing is related to the outcome: "
            f"{percent(row['prevalence_missing'])} of those without it are positive, "
            f"{percent(row['prevalence_known'])} of those with it ({p_text(row['p'])})."
        )
    yield Limitation("Missing data", "bias", text)


def _subgroups(results: StudyResults) -> Iterator[Limitation]:
    table = results.subgroups
    if table.empty:
        if results.provenance:
            yield Limitation(
                "Subgroups",
                "generalisability",
                "No subgroup was evaluated, so whether the models do as well at every age, on "
                "every device and at every site is unknown.",
            )
        return
    levels = table.drop_duplicates(["column", "level"])
    small = levels[levels["small"].astype(bool)]
    if len(small):
        names = [f"{row['column']} {row['level']}" for row in small.to_dict("records")]
        shown = names[:_SHOWN] + ([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])
        fewer = results.config.evaluation.smallest_subgroup
        yield Limitation(
            "Subgroups",
            "precision",
            f"{len(small)} of {len(levels)} subgroups have fewer than {fewer} patients of a class "
            f"({join_items(shown)}), too few for a judgement.",
        )


def limits_of_models(results: StudyResults, headline: ScoredModel) -> Iterator[Limitation]:
    """Yield what limits any conclusion from these models, as far as the results show it."""
    yield from _many_models(results)
    yield from _floor(results)
    yield from _calibration(results, headline)
    yield from _thresholds(results, headline)
    yield from _one_run(results)
    yield from _reader(results)


def _many_models(results: StudyResults) -> Iterator[Limitation]:
    models = [entry for entry in results.entries if entry.competes]
    if len(models) < _MANY_MODELS:
        return
    text = (
        f"{len(models)} models were measured on the same patients, so the highest of them is too "
        "high on average"
    )
    standings = [found for family in _FAMILIES if (found := standing_of(results, family))]
    gaps = [
        f"{standing.family} {number(standing.highest.auc.value)} against "
        f"{number(standing.chosen.auc.value)}"
        for standing in standings
        if standing.chosen and standing.highest.auc.value > standing.chosen.auc.value
    ]
    if gaps:
        text += (
            f" (AUC of the best after the fact against what the folds chose: {join_items(gaps)})"
        )
    text += "."
    tests = [row for row in get_comparison_rows(results, test="delong") if math.isfinite(row.p)]
    if len(tests) > 1:
        plain = sum(row.p < SIGNIFICANT for row in tests)
        corrected = sum(row.p_holm < SIGNIFICANT for row in tests)
        text += (
            f" Of {len(tests)} tests between AUCs, {plain} have p < {SIGNIFICANT} and {corrected} "
            "still have it after Holm's correction within their families."
        )
    yield Limitation("Many models", "bias", text)


def _floor(results: StudyResults) -> Iterator[Limitation]:
    tests = {row.first: row for row in get_comparison_rows(results, test="delong", family=_FLOORS)}
    for family in _FAMILIES:
        standing = standing_of(results, family)
        if standing is None or standing.floor is None:
            continue
        test = tests.get(standing.fair.entry.name)
        if test is not None and math.isfinite(test.p):
            reached = not (test.is_significant and test.value > 0)
            how = f"a difference of {format_signed(test.value)}, {p_text(test.p)}"
        else:
            reached = not _clear(standing)
            how = "with overlapping intervals"
        if reached:
            yield Limitation(
                "Trivial features",
                "bias",
                f"Colour, brightness and size of the {family} image alone reach an AUC of "
                f"{number(standing.floor.auc.value)}; {_network(standing)} reaches "
                f"{number(standing.fair.auc.value)} ({how}). That it saw more than these "
                "is not shown.",
            )


def _network(standing: FamilySummary) -> str:
    if standing.chosen:
        return "the network chosen in each fold"
    return inside_sentence(standing.fair.entry.label)


def _clear(standing: FamilySummary) -> bool:
    floor, fair = standing.floor, standing.fair
    if floor is None:
        return True
    return fair.auc.value > floor.auc.value and not overlap(fair.auc, floor.auc)


def _calibration(results: StudyResults, headline: ScoredModel) -> Iterator[Limitation]:
    label = headline.name
    said = []
    slope = results.estimate(headline.entry.name, "calibration_slope")
    if slope and (slope.low > 1 or slope.high < 1):
        how = "too timid, they vary less than they should" if slope.value > 1 else "too extreme"
        said.append(
            f"the calibration slope of {label} is {number(slope.value)} ({interval_text(slope)}) "
            f"where 1 is right: its probabilities are {how}"
        )
    intercept = results.estimate(headline.entry.name, "calibration_intercept")
    if intercept and (intercept.low > 0 or intercept.high < 0):
        way = "low" if intercept.value > 0 else "high"
        said.append(
            f"its calibration intercept is {format_signed(intercept.value)} where 0 is right: its "
            f"probabilities are too {way} on average"
        )
    if not said:
        return
    text = f"{sentence('; '.join(said))}."
    if results.provenance and results.config.validation.recalibration == "none":
        text += " No recalibration was fitted."
    yield Limitation("Calibration", "bias", f"{text} Read them as an order, not as risks.")


def _thresholds(results: StudyResults, headline: ScoredModel) -> Iterator[Limitation]:
    rows = results.predictions[results.predictions["model"] == headline.entry.name]
    thresholds = rows.groupby(["repeat", "fold"])["threshold"].first()
    low, high = float(thresholds.min()), float(thresholds.max())
    if high - low > _WIDE_SPREAD:
        yield Limitation(
            "Thresholds",
            "precision",
            f"The operating threshold of {headline.name} was {number(low)} to "
            f"{number(high)} in {pluralise(len(thresholds), 'fold')}. Sensitivity and specificity "
            "are those of this mixture, not of the one threshold that a new patient would meet.",
        )


def _one_run(results: StudyResults) -> Iterator[Limitation]:
    if not results.provenance:
        return
    validation = results.config.validation
    if validation.scheme == "holdout" and validation.repeats == 1:
        tested = results.predictions["patient_id"].nunique()
        yield Limitation(
            "One split",
            "precision",
            f"All numbers rest on one random split and its {pluralise(tested, 'test patient')}; "
            "another split would give others.",
        )
    elif validation.repeats == 1:
        yield Limitation(
            "One run",
            "precision",
            "The validation ran once. Its intervals hold the luck of the patients, not that of the "
            "folds and of training; read them as somewhat too narrow.",
        )


def _reader(results: StudyResults) -> Iterator[Limitation]:
    everybody = results.predictions["patient_id"].nunique()
    for entry in of_family(results.entries, "reader"):
        read = results.predictions.loc[results.predictions["model"] == entry.name, "patient_id"]
        count = read.nunique()
        some = f", filled in {count:,} of {everybody:,} patients" if count < everybody else ""
        yield Limitation(
            "Reader",
            "bias",
            f"{entry.title} is a column of the table{some}. Who read, what else they knew of the "
            "patient, and whether they read before the outcome was known, is not in the data.",
        )


def limitations_of(results: StudyResults) -> tuple[Limitation, ...]:
    """Return the limitations that apply, those of the data first; none without an AUC."""
    headline = headline_of(results)
    if headline is None:
        return ()
    return (*limits_of_data(results, headline), *limits_of_models(results, headline))


def limitations_section(material: ReportContext) -> PageSection | None:
    """What the results do not show, and why."""
    found = limitations_of(material.results)
    if not found:
        return None
    html = render("sections/limitations.html.j2", limitations=found)
    return PageSection("Limitations", "limitations", html)
