"""The most confident errors of the headline model, with the images that it was wrong on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from axilla.cohort.cohort_reader import study_wanted
from axilla.cohort.cohort_schema import wanted_by
from axilla.cohort.lookup import ImagesOf, look_up_images
from axilla.records.errors import CohortError, RoiError, UnreadableImage
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.report.images.thumbnails import Thumbnail, thumbnail_of
from axilla.report.reported_models import Entry
from axilla.report.sections.failure_gallery import ErrorMade, errors_made
from axilla.report.study_results import StudyResults
from axilla.report.tables.family_summary import headline_of


@dataclass(frozen=True, slots=True)
class Picture:
    """One modality of a case: its first image, or why there is none."""

    modality: ImageModality
    image: Thumbnail | None
    note: str


@dataclass(frozen=True, slots=True)
class Case:
    """One error with its pictures."""

    error: ErrorMade
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """The cases of one kind of error, the most confident first, out of all of that kind."""

    title: str
    cases: tuple[Case, ...]
    of: int


@dataclass(frozen=True, slots=True)
class Gallery:
    """The errors of the model that the report leads with."""

    model: Entry
    kinds: tuple[Kind, ...]
    pictured: bool
    note: str = ""


def gallery_of(results: StudyResults, root: Path) -> Gallery | None:
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
        Kind(title, tuple(Case(error, _pictures(error, images)) for error in made.shown), made.of)
        for title, made in (
            ("False positives", false_positives),
            ("False negatives", false_negatives),
        )
    )
    pictured = any(p.image for kind in kinds for case in kind.cases for p in case.pictures)
    gone = "The cohort table is not where it was, so the images are not found."
    return Gallery(headline.entry, kinds, pictured, note=gone if images is None else "")


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


def _pictures(error: ErrorMade, images: Mapping[str, ImagesOf] | None) -> tuple[Picture, ...]:
    if images is None:
        return ()
    found = images.get(error.patient_id)
    if found is None:
        return ()
    return tuple(
        _picture(modality, found) for modality in IMAGE_MODALITIES if found.listed.get(modality)
    )


def _picture(modality: ImageModality, found: ImagesOf) -> Picture:
    files, listed = found.files[modality], found.listed[modality]
    if not files:
        return Picture(modality, None, "image not found")
    note = f"1 of {listed}" if listed > 1 else ""
    try:
        return Picture(modality, thumbnail_of(files[0]), note)
    except (UnreadableImage, RoiError):
        return Picture(modality, None, "image or region cannot be read")
