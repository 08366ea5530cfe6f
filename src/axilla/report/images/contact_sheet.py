"""The contact sheet of `axilla check`: the images of a cohort beside what was found in them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from axilla import RESEARCH_USE_ONLY, __version__
from axilla.cohort.cohort_reader import ImagesOf, look_up_images, study_wanted
from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.tables.columns import translate
from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.config.study import StudyConfig
from axilla.records.errors import CohortError, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.run_folder import RunFolder, write_bytes
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.report.images.thumbnails import Thumbnail, overview_of
from axilla.report.number_format import pluralise
from axilla.report.page import render
from axilla.report.tables.flow_and_checks import (
    FindingGroup,
    FindingText,
    Severity,
    finding_groups,
    patients_named,
)

MOST_PICTURES: Final = 24  # of one group
MOST_BYTES: Final = 4_000_000  # of all pictures, as text of the page
_MOST_LINES: Final = 12
_MOST_PATIENTS: Final = 4  # of a finding that is about images; more is about the cohort
_MOST_OF_ONE: Final = 2  # pictures of one patient in one card
_COLUMNS: Final = re.compile(r"column (ultrasound|pathology|roi_)")
FILE: Final = "check.html"
_SAMPLED: Final = 12  # patients without any finding
_NOBODY: Final[tuple[str, ...]] = ()
_PARTS: Final[Mapping[Severity, str]] = {
    "error": "Errors: the study does not run",
    "warning": "Warnings: they limit what it can show",
    "accepted": "Accepted: looked at, and let stand",
}


@dataclass(frozen=True, slots=True)
class SheetPicture:
    """One image of a patient, or why it is not shown."""

    patient: str
    modality: ImageModality
    image: Thumbnail | None


@dataclass(frozen=True, slots=True)
class Card:
    """One finding with its pictures."""

    finding: FindingText
    pictures: tuple[SheetPicture, ...]


@dataclass(frozen=True, slots=True)
class FindingBlock:
    """A group of findings: some with their pictures, some as lines, and how many more."""

    group: FindingGroup
    cards: tuple[Card, ...]
    lines: tuple[FindingText, ...]
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

    def picture(self, patient: str, modality: ImageModality, *, file: ImageFile) -> SheetPicture:
        """Return a picture of the file; without an image where it cannot be read."""
        if file not in self._made:
            try:
                self._made[file] = overview_of(file)
            except UnreadableImage:
                self._made[file] = None
        image = self._made[file]
        self._bytes += len(image.uri) if image else 0
        return SheetPicture(patient, modality, image)


def may_be_pictured(group: FindingGroup) -> tuple[FindingText, ...]:
    """Return the findings of a group that are about images of a few patients, bounded."""
    about = [finding for finding in group.findings if _about_images(finding)]
    return tuple(about[:MOST_PICTURES])


def block_of(
    group: FindingGroup, images: Mapping[str, ImagesOf], darkroom: Darkroom
) -> FindingBlock:
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
    return FindingBlock(group, tuple(cards), lines, more=len(rest) - len(lines))


def clean_cards(
    patients: Iterable[str], images: Mapping[str, ImagesOf], darkroom: Darkroom
) -> Iterator[tuple[SheetPicture, ...]]:
    """Yield, for each of `patients` that has images, the first of every modality."""
    for patient in patients:
        pictures = tuple(
            darkroom.picture(patient, modality, file=files[0])
            for modality in IMAGE_MODALITIES
            if patient in images and (files := images[patient].files[modality])
        )
        if pictures and not darkroom.full:
            yield pictures


def _about_images(finding: FindingText) -> bool:
    few = 0 < len(finding.patients) <= _MOST_PATIENTS
    return few and bool(_COLUMNS.search(finding.place) or "rois.csv" in finding.place)


def _files(
    finding: FindingText, known: ImagesOf | None
) -> Sequence[tuple[ImageModality, ImageFile]]:
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


def write_contact_sheet(config: StudyConfig, folder: RunFolder) -> Path:
    """Write results/check.html from results/check.json and the images; return its path.

    One file that needs nothing else, below 5 MB. Images are read again from where the table
    says they are; what cannot be read is said in its place. Without a readable table the page
    holds the findings alone.
    """
    check = json.loads(folder.table("check.json").read_text(encoding="utf-8"))
    groups = finding_groups(check)
    table = folder.root / config.cohort.table
    try:
        wanted = study_wanted(config, folder.root)
        clean = _clean_patients(table, wanted, check)
        images = _images(table, wanted, groups=groups, clean=clean)
    except CohortError:
        clean, images = _NOBODY, {}
    darkroom = Darkroom()
    # The sample first: it is what the other images are compared with, and bounded.
    samples = tuple(clean_cards(clean, images, darkroom))
    blocks = tuple(block_of(group, images, darkroom) for group in groups)
    page = render(
        "contact_sheet.html.j2",
        name=config.study.name,
        facts=_facts(check),
        parts=[
            (severity, title, own)
            for severity, title in _PARTS.items()
            if (own := [block for block in blocks if block.group.severity == severity])
        ],
        samples=samples,
        shown=len(_list_pictured(blocks, samples)),
        style=render("report.css") + render("contact_sheet.css"),
        research_use_only=RESEARCH_USE_ONLY,
        version=__version__,
    )
    path = folder.table(FILE)
    write_bytes(path, page.encode())
    return path


def _clean_patients(table: Path, wanted: CohortSchema, check: Mapping[str, Any]) -> Sequence[str]:
    """Return some patients whom no finding names, spread over the table."""
    sheet, _ = translate(read_sheet(table), wanted)
    named = patients_named(check)
    ids = dict.fromkeys(row.cells.get("patient_id", "") for row in sheet.rows)
    clean = [patient for patient in ids if patient and patient not in named]
    count = min(_SAMPLED, len(clean))
    return [clean[index * len(clean) // count] for index in range(count)]


def _images(
    table: Path, wanted: CohortSchema, *, groups: Sequence[FindingGroup], clean: Sequence[str]
) -> Mapping[str, ImagesOf]:
    patients = {
        patient
        for group in groups
        for finding in may_be_pictured(group)
        for patient in finding.patients
    }
    return look_up_images(table, wanted, patients=patients | {*clean})


def _list_pictured(
    blocks: Sequence[FindingBlock], samples: Sequence[tuple[SheetPicture, ...]]
) -> frozenset[str]:
    """Return every patient whose pixels the page holds."""
    cards = (card.pictures for block in blocks for card in block.cards)
    return frozenset(
        picture.patient
        for pictures in (*cards, *samples)
        for picture in pictures
        if picture.image is not None
    )


def _facts(check: Mapping[str, Any]) -> list[str]:
    summary = check.get("summary") or {}
    accepted = len(check.get("accepted") or ())
    return [
        pluralise(summary.get("in_table", 0), "patient"),
        f"{summary.get('positive', 0)} positive, {summary.get('negative', 0)} negative",
        pluralise(summary.get("images", 0), "image"),
        pluralise(len(check.get("errors") or ()), "error"),
        pluralise(len(check.get("warnings") or ()), "warning"),
        *([f"{accepted} accepted"] if accepted else []),
    ]
