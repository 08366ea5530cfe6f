"""A model's most confident errors: who was wrong by most, and what else was said of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from axilla.report.reported_models import FAMILY_TITLES, Entry, FamilyKey, of_family
from axilla.report.study_results import StudyResults
from axilla.report.tables.family_summary import standing_of

_SINGLES: tuple[FamilyKey, ...] = ("ultrasound", "pathology", "clinical")


@dataclass(frozen=True, slots=True)
class Said:
    """What one model or reader said of a patient, averaged over repeats."""

    probability: float
    threshold: float
    repeats: int = 1
    wrong: int = 0

    @property
    def positive(self) -> bool:
        """Tell whether it called the patient positive; over repeats, on average."""
        return self.probability >= self.threshold


@dataclass(frozen=True, slots=True)
class ErrorMade:
    """One patient whom the model called wrongly; the others by the name a page prints."""

    patient_id: str
    positive: bool
    model: Said
    others: tuple[tuple[str, Said], ...]
    readers: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class ErrorsMade:
    """The worst errors of one kind, the most confident first, and how many there are in all."""

    shown: tuple[ErrorMade, ...]
    of: int


def errors_made(results: StudyResults, model: Entry, *, most: int) -> tuple[ErrorsMade, ErrorsMade]:
    """Return the most confident false positives and false negatives of a model.

    Confidence is the distance between probability and threshold on the wrong side. Over several
    repeats both are averaged, so a patient appears once; equal distances go by identifier.
    """
    said = said_by(results.predictions, model.name)
    labels = results.predictions.drop_duplicates("patient_id").set_index("patient_id")["label"]
    others, readers = _others(results, model), _readers(results)
    kinds = []
    for truth in (False, True):
        wrong = [
            patient
            for patient, what in said.items()
            if what.positive != truth and bool(labels[patient]) == truth
        ]
        wrong.sort(key=lambda p: (-abs(said[p].probability - said[p].threshold), p))
        shown = tuple(
            ErrorMade(
                patient_id=patient,
                positive=truth,
                model=said[patient],
                others=tuple((name, by[patient]) for name, by in others if patient in by),
                readers=tuple((r, by[patient].positive) for r, by in readers if patient in by),
            )
            for patient in wrong[:most]
        )
        kinds.append(ErrorsMade(shown, len(wrong)))
    return kinds[0], kinds[1]


def _others(results: StudyResults, model: Entry) -> list[tuple[str, Mapping[str, Said]]]:
    """What each single modality said: as chosen in each fold, where the study says it."""
    found: list[tuple[str, Mapping[str, Said]]] = []
    for family in _SINGLES:
        standing = standing_of(results, family)
        if standing and standing.fair.entry != model:
            said = said_by(results.predictions, standing.fair.entry.name)
            found.append((f"{FAMILY_TITLES[family]} alone", said))
    return found


def _readers(results: StudyResults) -> list[tuple[str, Mapping[str, Said]]]:
    return [
        (entry.title, said_by(results.predictions, entry.name))
        for entry in of_family(results.entries, "reader")
    ]


def said_by(predictions: pd.DataFrame, model: str) -> dict[str, Said]:
    """Return what a model said of each patient whom it predicted, averaged over repeats."""
    rows = predictions[predictions["model"] == model]
    called = rows["probability"] >= rows["threshold"]
    rows = rows.assign(wrong=called != (rows["label"] > 0))
    table = rows.groupby("patient_id", sort=True).agg(
        probability=("probability", "mean"),
        threshold=("threshold", "mean"),
        repeats=("repeat", "size"),
        wrong=("wrong", "sum"),
    )
    return {
        str(patient): Said(float(p), float(t), int(repeats), int(wrong))
        for patient, p, t, repeats, wrong in table.itertuples(name=None)
    }
