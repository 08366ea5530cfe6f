"""The contact sheet of `axilla check`: the images of a cohort beside what was found in them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from axilla import RESEARCH_USE_ONLY, __version__
from axilla.cohort.cohort_reader import study_wanted
from axilla.cohort.cohort_schema import Wanted
from axilla.cohort.lookup import ImagesOf, look_up_images
from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.cohort.tables.translation import translate
from axilla.config.study import StudyConfig
from axilla.records.errors import CohortError
from axilla.records.run_folder import RunFolder, write_bytes
from axilla.report.images.contact_cards import (
    Block,
    Darkroom,
    Picture,
    block_of,
    clean_cards,
    may_be_pictured,
)
from axilla.report.number_format import counted
from axilla.report.page import render
from axilla.report.tables.finding_groups import (
    FindingGroup,
    Severity,
    finding_groups,
    patients_named,
)

FILE: Final = "check.html"
_SAMPLED: Final = 12  # patients without any finding
_NOBODY: Final[tuple[str, ...]] = ()
_PARTS: Final[Mapping[Severity, str]] = {
    "error": "Errors: the study does not run",
    "warning": "Warnings: they limit what it can show",
    "accepted": "Accepted: looked at, and let stand",
}


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
        shown=len(_pictured(blocks, samples)),
        style=render("report.css") + render("contact_sheet.css"),
        research_use_only=RESEARCH_USE_ONLY,
        version=__version__,
    )
    path = folder.table(FILE)
    write_bytes(path, page.encode())
    return path


def _clean_patients(table: Path, wanted: Wanted, check: Mapping[str, Any]) -> Sequence[str]:
    """Return some patients whom no finding names, spread over the table."""
    sheet, _ = translate(read_sheet(table), wanted)
    named = patients_named(check)
    ids = dict.fromkeys(row.cells.get("patient_id", "") for row in sheet.rows)
    clean = [patient for patient in ids if patient and patient not in named]
    count = min(_SAMPLED, len(clean))
    return [clean[index * len(clean) // count] for index in range(count)]


def _images(
    table: Path, wanted: Wanted, *, groups: Sequence[FindingGroup], clean: Sequence[str]
) -> Mapping[str, ImagesOf]:
    patients = {
        patient
        for group in groups
        for finding in may_be_pictured(group)
        for patient in finding.patients
    }
    return look_up_images(table, wanted, patients=patients | {*clean})


def _pictured(blocks: Sequence[Block], samples: Sequence[tuple[Picture, ...]]) -> frozenset[str]:
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
        counted(summary.get("in_table", 0), "patient"),
        f"{summary.get('positive', 0)} positive, {summary.get('negative', 0)} negative",
        counted(summary.get("images", 0), "image"),
        counted(len(check.get("errors") or ()), "error"),
        counted(len(check.get("warnings") or ()), "warning"),
        *([f"{accepted} accepted"] if accepted else []),
    ]
