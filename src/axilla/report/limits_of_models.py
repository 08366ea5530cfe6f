"""Limitations that lie in the models and in how they were judged."""

import math
from collections.abc import Iterator

from axilla.report.limitation import Limitation
from axilla.report.number_format import (
    counted,
    inside_sentence,
    interval_text,
    listed,
    number,
    overlap,
    sentence,
    signed,
)
from axilla.report.reported_models import FamilyKey, of_family
from axilla.report.study_results import StudyResults
from axilla.report.tables.comparison_rows import SIGNIFICANT, compared, p_text
from axilla.report.tables.family_summary import Scored, Standing, standing_of

_FAMILIES: tuple[FamilyKey, ...] = ("ultrasound", "pathology", "clinical", "fusion", "models")
_MANY_MODELS = 3
_WIDE_SPREAD = 0.1
_FLOORS = "against trivial features"


def limits_of_models(results: StudyResults, headline: Scored) -> Iterator[Limitation]:
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
        text += f" (AUC of the best after the fact against what the folds chose: {listed(gaps)})"
    text += "."
    tests = [row for row in compared(results, test="delong") if math.isfinite(row.p)]
    if len(tests) > 1:
        plain = sum(row.p < SIGNIFICANT for row in tests)
        corrected = sum(row.p_holm < SIGNIFICANT for row in tests)
        text += (
            f" Of {len(tests)} tests between AUCs, {plain} have p < {SIGNIFICANT} and {corrected} "
            "still have it after Holm's correction within their families."
        )
    yield Limitation("Many models", "bias", text)


def _floor(results: StudyResults) -> Iterator[Limitation]:
    tests = {row.first: row for row in compared(results, test="delong", family=_FLOORS)}
    for family in _FAMILIES:
        standing = standing_of(results, family)
        if standing is None or standing.floor is None:
            continue
        test = tests.get(standing.fair.entry.name)
        if test is not None and math.isfinite(test.p):
            reached = not (test.decided and test.value > 0)
            how = f"a difference of {signed(test.value)}, {p_text(test.p)}"
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


def _network(standing: Standing) -> str:
    if standing.chosen:
        return "the network chosen in each fold"
    return inside_sentence(standing.fair.entry.label)


def _clear(standing: Standing) -> bool:
    floor, fair = standing.floor, standing.fair
    if floor is None:
        return True
    return fair.auc.value > floor.auc.value and not overlap(fair.auc, floor.auc)


def _calibration(results: StudyResults, headline: Scored) -> Iterator[Limitation]:
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
            f"its calibration intercept is {signed(intercept.value)} where 0 is right: its "
            f"probabilities are too {way} on average"
        )
    if not said:
        return
    text = f"{sentence('; '.join(said))}."
    if results.provenance and results.config.validation.recalibration == "none":
        text += " No recalibration was fitted."
    yield Limitation("Calibration", "bias", f"{text} Read them as an order, not as risks.")


def _thresholds(results: StudyResults, headline: Scored) -> Iterator[Limitation]:
    rows = results.predictions[results.predictions["model"] == headline.entry.name]
    thresholds = rows.groupby(["repeat", "fold"])["threshold"].first()
    low, high = float(thresholds.min()), float(thresholds.max())
    if high - low > _WIDE_SPREAD:
        yield Limitation(
            "Thresholds",
            "precision",
            f"The operating threshold of {headline.name} was {number(low)} to "
            f"{number(high)} in {counted(len(thresholds), 'fold')}. Sensitivity and specificity "
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
            f"All numbers rest on one random split and its {counted(tested, 'test patient')}; "
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
