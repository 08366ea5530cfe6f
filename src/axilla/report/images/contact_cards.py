"""Which images belong to which finding of a contact sheet."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from axilla.cohort.lookup import ImagesOf
from axilla.records.errors import UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.report.images.overview import overview_of
from axilla.report.images.thumbnails import Thumbnail
from axilla.report.tables.finding_groups import FindingGroup, Shown

MOST_PICTURES: Final = 24  # of one group
MOST_BYTES: Final = 4_000_000  # of all pictures, as text of the page
_MOST_LINES: Final = 12
_MOST_PATIENTS: Final = 4  # of a finding that is about images; more is about the cohort
_MOST_OF_ONE: Final = 2  # pictures of one patient in one card
_COLUMNS: Final = re.compile(r"column (ultrasound|pathology|roi_)")


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a patient, or why it is not shown."""

    patient: str
    modality: ImageModality
    image: Thumbnail | None


@dataclass(frozen=True, slots=True)
class Card:
    """One finding with its pictures."""

    finding: Shown
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A group of findings: some with their pictures, some as lines, and how many more."""

    group: FindingGroup
    cards: tuple[Card, ...]
    lines: tuple[Shown, ...]
    more: int


@dataclass(slots=True)
class Darkroom:
    """Makes each picture once, until the page is full."""

    _made: dict[ImageFile, Thumbnail | None] = field(default_factory=dict)
    _bytes: int = 0

    @property
    def full(self) -> bool:
        """Tell whether the page holds as much as it should."""
        return self._bytes >= MOST_BYTES

    def picture(self, patient: str, modality: ImageModality, *, file: ImageFile) -> Picture:
        """Return a picture of the file; without an image where it cannot be read."""
        if file not in self._made:
            try:
                self._made[file] = overview_of(file)
            except UnreadableImage:
                self._made[file] = None
        image = self._made[file]
        self._bytes += len(image.uri) if image else 0
        return Picture(patient, modality, image)


def may_be_pictured(group: FindingGroup) -> tuple[Shown, ...]:
    """Return the findings of a group that are about images of a few patients, bounded."""
    about = [finding for finding in group.findings if _about_images(finding)]
    return tuple(about[:MOST_PICTURES])


def block_of(group: FindingGroup, images: Mapping[str, ImagesOf], darkroom: Darkroom) -> Block:
    """Return the group with as many pictures as it and the page may have."""
    cards: list[Card] = []
    taken = 0
    for finding in may_be_pictured(group):
        if taken >= MOST_PICTURES or darkroom.full:
            break
        pictures = tuple(
            darkroom.picture(patient, modality, file=file)
            for patient in finding.patients
            for modality, file in _files(finding, images.get(patient))
        )
        if any(picture.image for picture in pictures):
            cards.append(Card(finding, pictures))
            taken += len(pictures)
    carded = {id(card.finding) for card in cards}
    rest = [finding for finding in group.findings if id(finding) not in carded]
    lines = tuple(rest[:_MOST_LINES])
    return Block(group, tuple(cards), lines, more=len(rest) - len(lines))


def clean_cards(
    patients: Iterable[str], images: Mapping[str, ImagesOf], darkroom: Darkroom
) -> Iterator[tuple[Picture, ...]]:
    """Yield, for each of `patients` that has images, the first of every modality."""
    for patient in patients:
        pictures = tuple(
            darkroom.picture(patient, modality, file=files[0])
            for modality in IMAGE_MODALITIES
            if patient in images and (files := images[patient].files[modality])
        )
        if pictures and not darkroom.full:
            yield pictures


def _about_images(finding: Shown) -> bool:
    few = 0 < len(finding.patients) <= _MOST_PATIENTS
    return few and bool(_COLUMNS.search(finding.place) or "rois.csv" in finding.place)


def _files(finding: Shown, known: ImagesOf | None) -> Sequence[tuple[ImageModality, ImageFile]]:
    """Return the files of one patient that the finding is about, each path once."""
    if known is None:
        return ()
    once = {file.path: (m, file) for m in IMAGE_MODALITIES for file in reversed(known.files[m])}
    named = [pair for path, pair in once.items() if _names(finding.found, path.name)]
    if named:
        return named[:_MOST_OF_ONE]
    # A finding on an image that cannot be shown says its name; others of the patient mislead.
    column = finding.place.rpartition("column ")[2]
    if column in IMAGE_MODALITIES and finding.found.startswith("'"):
        return ()
    modality = "pathology" if column.startswith("pathology") else "ultrasound"
    return [pair for pair in once.values() if pair[0] == modality][:1]


def _names(found: str, file_name: str) -> bool:
    return bool(re.search(rf"(^|[/\\'\"]){re.escape(file_name)}", found))
