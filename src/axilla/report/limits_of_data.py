"""Limitations that lie in the patients: how many, how dependent, from where, what they lack."""

import re
from collections.abc import Iterator, Mapping

from axilla.report.limitation import Limitation
from axilla.report.number_format import LEVEL, counted, interval_text, listed, number, percent
from axilla.report.sections.methods import is_clustered
from axilla.report.study_results import StudyResults
from axilla.report.tables.comparison_rows import SIGNIFICANT, p_text
from axilla.report.tables.family_summary import Scored

# Vergouwe et al., J Clin Epidemiol 2005;58:475; Van Calster et al., J Clin Epidemiol 2016;74:167.
_FEWEST_FOR_PERFORMANCE, _FEWEST_FOR_CALIBRATION = 100, 200
_CLEARLY_ABOVE_CHANCE = 0.05
_SHOWN = 8
_EFFECTIVE = re.compile(r"effective n (\d+)")


def limits_of_data(results: StudyResults, headline: Scored) -> Iterator[Limitation]:
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


def _size(headline: Scored) -> Iterator[Limitation]:
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


def _groups(results: StudyResults, headline: Scored) -> Iterator[Limitation]:
    if not (results.config.cohort.group and is_clustered(results.metrics)):
        return
    columns = listed(list(results.config.cohort.group))
    flow = results.flow if isinstance(results.flow, Mapping) else {}
    groups = flow.get("groups")
    text = f"Patients who share {columns} are not independent"
    if isinstance(groups, int):
        text += f", and there are {counted(groups, 'group')}"
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
    text += f". To judge {headline.name}, {listed(worth)}." if worth else "."
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
    text = f"Missing: {listed(parts)}."
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
            f"({listed(shown)}), too few for a judgement.",
        )
