"""The most confident errors of the headline model, with their images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from axilla.cohort.cohort_reader import ImagesOf, look_up_images, study_wanted
from axilla.cohort.cohort_schema import wanted_by
from axilla.records.errors import CohortError, RoiError, UnreadableImage
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.report.images.thumbnails import Thumbnail, thumbnail_of
from axilla.report.reported_models import FAMILY_TITLES, FamilyKey, StudyModel, of_family
from axilla.report.study_results import StudyResults
from axilla.report.tables.family_summary import headline_of, standing_of

_SINGLES: tuple[FamilyKey, ...] = ("ultrasound", "pathology", "clinical")


@dataclass(frozen=True, slots=True)
class ModelOpinion:
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
    model: ModelOpinion
    others: tuple[tuple[str, ModelOpinion], ...]
    readers: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class ErrorsMade:
    """The worst errors of one kind, the most confident first, and how many there are in all."""

    shown: tuple[ErrorMade, ...]
    of: int


def errors_made(
    results: StudyResults, model: StudyModel, *, most: int
) -> tuple[ErrorsMade, ErrorsMade]:
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


def _others(
    results: StudyResults, model: StudyModel
) -> list[tuple[str, Mapping[str, ModelOpinion]]]:
    """What each single modality said: as chosen in each fold, where the study says it."""
    found: list[tuple[str, Mapping[str, ModelOpinion]]] = []
    for family in _SINGLES:
        standing = standing_of(results, family)
        if standing and standing.fair.entry != model:
            said = said_by(results.predictions, standing.fair.entry.name)
            found.append((f"{FAMILY_TITLES[family]} alone", said))
    return found


def _readers(results: StudyResults) -> list[tuple[str, Mapping[str, ModelOpinion]]]:
    return [
        (entry.title, said_by(results.predictions, entry.name))
        for entry in of_family(results.entries, "reader")
    ]


def said_by(predictions: pd.DataFrame, model: str) -> dict[str, ModelOpinion]:
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
        str(patient): ModelOpinion(float(p), float(t), int(repeats), int(wrong))
        for patient, p, t, repeats, wrong in table.itertuples(name=None)
    }


@dataclass(frozen=True, slots=True)
class CasePicture:
    """One modality of a case: its first image, or why there is none."""

    modality: ImageModality
    image: Thumbnail | None
    note: str


@dataclass(frozen=True, slots=True)
class GalleryCase:
    """One error with its pictures."""

    error: ErrorMade
    pictures: tuple[CasePicture, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """The cases of one kind of error, the most confident first, out of all of that kind."""

    title: str
    cases: tuple[GalleryCase, ...]
    of: int


@dataclass(frozen=True, slots=True)
class FailureGallery:
    """The errors of the model that the report leads with."""

    model: StudyModel
    kinds: tuple[Kind, ...]
    pictured: bool
    note: str = ""


def gallery_of(results: StudyResults, root: Path) -> FailureGallery | None:
    """Return the gallery; None if the study switched it off, or the model made no error.

    Images are read again from where the cohort table under `root` says they are. One that has
    moved since is a note in its place, not a failure of the report.
    """
    most = results.config.evaluation.gallery
    headline = headline_of(results)
    if not most or headline is None:
        return None
    false_positives, false_negatives = errors_made(results, headline.entry, most=most)
    if not (false_positives.of or false_negatives.of):
        return None
    errors = (*false_positives.shown, *false_negatives.shown)
    images = _images(results, root, errors)
    kinds = tuple(
        Kind(
            title,
            tuple(GalleryCase(error, _pictures(error, images)) for error in made.shown),
            made.of,
        )
        for title, made in (
            ("False positives", false_positives),
            ("False negatives", false_negatives),
        )
    )
    pictured = any(p.image for kind in kinds for case in kind.cases for p in case.pictures)
    gone = "The cohort table is not where it was, so the images are not found."
    return FailureGallery(headline.entry, kinds, pictured, note=gone if images is None else "")


def _images(
    results: StudyResults, root: Path, errors: tuple[ErrorMade, ...]
) -> Mapping[str, ImagesOf] | None:
    """The images of these patients; None if the table is not there any more."""
    if not any(m in wanted_by(results.config).modalities for m in IMAGE_MODALITIES):
        return {}
    table = root / results.config.cohort.table
    try:
        wanted = study_wanted(results.config, root)
        return look_up_images(table, wanted, patients={error.patient_id for error in errors})
    except CohortError:
        return None


def _pictures(error: ErrorMade, images: Mapping[str, ImagesOf] | None) -> tuple[CasePicture, ...]:
    if images is None:
        return ()
    found = images.get(error.patient_id)
    if found is None:
        return ()
    return tuple(
        _picture(modality, found) for modality in IMAGE_MODALITIES if found.listed.get(modality)
    )


def _picture(modality: ImageModality, found: ImagesOf) -> CasePicture:
    files, listed = found.files[modality], found.listed[modality]
    if not files:
        return CasePicture(modality, None, "image not found")
    note = f"1 of {listed}" if listed > 1 else ""
    try:
        return CasePicture(modality, thumbnail_of(files[0]), note)
    except (UnreadableImage, RoiError):
        return CasePicture(modality, None, "image or region cannot be read")
