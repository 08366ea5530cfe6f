"""Read a cohort table into patients, with every problem of the table at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import TypeVar

from axilla.cohort.cohort_schema import CohortSchema, wanted_by
from axilla.cohort.eligibility.criteria import Screening, screen
from axilla.cohort.image_columns import Listed
from axilla.cohort.patient_row import RowContent, read_row
from axilla.cohort.roi_table import study_rois
from axilla.cohort.splits.group_sampling import group_patients
from axilla.cohort.tables.columns import check_columns, translate
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow, read_sheet
from axilla.cohort.tables.table_limits import MOST_PATIENTS, too_large
from axilla.cohort.values.ages import with_ages
from axilla.cohort.values.cells import name_of
from axilla.cohort.values.derived_columns import with_derived
from axilla.cohort.values.descriptive_columns import check_attributes, read_attributes
from axilla.cohort.values.outcomes import (
    check_outcome,
    check_reader,
    outcome_labels,
    reader_opinions,
)
from axilla.config.study import StudyConfig
from axilla.imaging.slides.content_digest import slide_digest
from axilla.records.digests import digest_of, digest_of_files
from axilla.records.errors import Problem
from axilla.records.findings import Finding, cohort_error, error, errors_in, warning
from axilla.records.patients import Cohort, ImageFile, Patient
from axilla.records.progress import Progress, Silent
from axilla.records.roi_rectangle import DrawnRoi
from axilla.records.run_folder import RunFolder
from axilla.records.types import IMAGE_MODALITIES, ImageModality

_SILENT = Silent()
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class TableReading:
    """What could be understood of a table, what is wrong with it, and the files it lists.

    `patients` are those who are eligible; `screening` tells who is not, and `passed_over` are the
    paths of their images as the table writes them. `drawn` are the rectangles of rois.csv.
    """

    patients: tuple[Patient, ...]
    findings: tuple[Finding, ...]
    listed: tuple[Listed, ...]
    screening: Screening = field(default_factory=Screening)
    drawn: Mapping[str, DrawnRoi] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()


def read_cohort(config: StudyConfig, folder: Path, *, progress: Progress = _SILENT) -> Cohort:
    """Read the study's cohort; paths in the table are relative to the table.

    Image headers are read, pixels are not. Raises `CohortError` with every problem at once.
    """
    table = folder / config.cohort.table
    return cohort_of(read_table(table, study_wanted(config, folder), progress=progress), table)


def study_wanted(config: StudyConfig, folder: Path) -> CohortSchema:
    """Return what a study reads, with the rectangles of its rois.csv; `folder` holds study.toml.

    Raises `CohortError` if rois.csv cannot be read.
    """
    plans = RunFolder(folder).cache / "tiles"
    return replace(wanted_by(config), drawn=study_rois(config, folder), plans=plans)


def read_cases(table: Path, wanted: CohortSchema, *, progress: Progress = _SILENT) -> Cohort:
    """Read a table to be scored: outcome, group, site and reader columns may be absent.

    The outcome may also hold one class only. Raises `CohortError` with every problem at once.
    """
    return cohort_of(read_table(table, wanted, strict=False, progress=progress), table)


def cohort_of(reading: TableReading, table: Path) -> Cohort:
    """Return the cohort of a reading without errors; raise `CohortError` with all of them.

    The digest names the bytes of the table, of every image and mask that was read, and the
    rectangles of rois.csv.
    """
    if faults := errors_in(reading.findings):
        raise cohort_error(faults)
    paths = dict.fromkeys(listed.path for listed in reading.listed)
    drawn = sorted((image, str(one.roi)) for image, one in reading.drawn.items())
    contents = [digest_of_files([table]), *map(slide_digest, paths)]
    return Cohort(reading.patients, digest_of(contents, drawn))


def read_table(
    table: Path, wanted: CohortSchema, *, strict: bool = True, progress: Progress = _SILENT
) -> TableReading:
    """Read as much of a table as can be understood, and everything wrong with the rest.

    `strict` is what a study needs; see `read_cases` for less. Raises `CohortError` only if the
    file itself is not a table.
    """
    whole, screening, said = _screen(_patients_sheet(table), wanted, strict=strict)
    sheet = replace(whole, rows=_those_who(screening.stays, whole.rows))
    ids = tuple(name_of(row) for row in sheet.rows)
    labels = outcome_labels(sheet, wanted)
    groups = group_patients(whole, wanted.group, patient_ids=[name_of(row) for row in whole.rows])
    contents = _contents(sheet, wanted, folder=table.parent, progress=progress)
    findings = [
        *said,
        *check_columns(sheet, wanted, strict=strict),
        *check_attributes(sheet, wanted),
        *check_outcome(sheet, wanted, strict=strict),
        *check_reader(sheet, wanted, strict=strict),
        *_check_ids(whole),
        *(_check_sites(sheet, wanted, labels=labels) if strict else ()),
        *_check_modalities(sheet, wanted, ids=ids, labels=labels, strict=strict),
        *(finding for content in contents for finding in content.findings),
    ]
    return TableReading(
        _patients(
            sheet,
            wanted,
            ids=ids,
            labels=labels,
            groups=_those_who(screening.stays, groups),
            contents=contents,
        ),
        tuple(findings),
        tuple(listed for content in contents for listed in content.listed),
        screening,
        wanted.drawn,
        passed_over=tuple(_paths(_those_who([not s for s in screening.stays], whole.rows))),
    )


def _screen(
    raw: Sheet, wanted: CohortSchema, *, strict: bool
) -> tuple[Sheet, Screening, tuple[Finding, ...]]:
    """Return the table in our words with all that follows from it, and who of it is eligible."""
    named, about_names = translate(raw, wanted)
    aged, about_ages = with_ages(named, wanted)
    whole, about_derived = with_derived(aged, wanted)
    screening = Screening((True,) * len(whole.rows))
    about_criteria: tuple[Finding, ...] = ()
    if strict:
        screening, about_criteria = screen(whole, wanted, labels=outcome_labels(whole, wanted))
    about_cells = screening.about_those_who_stay((*about_ages, *about_derived))
    said = dict.fromkeys((*about_names, *about_cells, *about_criteria))
    return whole, screening, tuple(said)


def _paths(rows: Sequence[SheetRow]) -> Iterator[str]:
    for row in rows:
        for modality in IMAGE_MODALITIES:
            parts = row.cells.get(modality, "").split(";")
            yield from (path for part in parts if (path := part.strip()))


def _patients_sheet(table: Path) -> Sheet:
    sheet = read_sheet(table)
    if len(sheet.rows) > MOST_PATIENTS:
        raise too_large(sheet.name, f"more than {MOST_PATIENTS:,} patients")
    return sheet


def _those_who(stay: Sequence[bool], everybody: Sequence[_Item]) -> tuple[_Item, ...]:
    return tuple(compress(everybody, stay))


def _contents(
    sheet: Sheet, wanted: CohortSchema, *, folder: Path, progress: Progress
) -> tuple[RowContent, ...]:
    contents = []
    with progress.task("Reading the cohort", total=len(sheet.rows)) as advance:
        for row in sheet.rows:
            contents.append(read_row(row, wanted, sheet=sheet, folder=folder))
            advance(1)
    return tuple(contents)


def _patients(
    sheet: Sheet,
    wanted: CohortSchema,
    *,
    ids: Sequence[str],
    labels: Sequence[int | None],
    groups: Sequence[str],
    contents: Sequence[RowContent],
) -> tuple[Patient, ...]:
    opinions = reader_opinions(sheet, wanted)
    attributes = read_attributes(sheet, wanted, contents=contents)
    return tuple(
        Patient(
            patient_id=ids[i],
            label=labels[i],
            group=groups[i],
            site=(row.cells.get(wanted.site) or None) if wanted.site else None,
            split=content.split,
            ultrasound=content.images["ultrasound"],
            pathology=content.images["pathology"],
            clinical=content.clinical,
            reader_positive=opinions[i],
            attributes=attributes[i],
        )
        for i, (row, content) in enumerate(zip(sheet.rows, contents, strict=True))
    )


def _check_ids(sheet: Sheet) -> Iterator[Finding]:
    if "patient_id" not in sheet.columns:
        return
    first: dict[str, int] = {}
    for row in sheet.rows:
        patient_id = row.cells["patient_id"]
        place = sheet.place("patient_id", row)
        if not patient_id:
            expected = "an identifier of the patient"
            yield error("patient_id", Problem(place, "nothing", expected, "Fill in the cell."))
        elif (earlier := first.setdefault(patient_id, row.number)) != row.number:
            problem = Problem(
                place,
                f"{patient_id!r}, which row {earlier} has too",
                "one row per patient",
                "Join several images of one patient with ';', or correct the identifier.",
            )
            yield error("patient_id", problem, patients=(patient_id,))


def _check_sites(
    sheet: Sheet, wanted: CohortSchema, *, labels: Sequence[int | None]
) -> Iterator[Finding]:
    if not wanted.by_site or wanted.site is None or wanted.site not in sheet.columns:
        return
    for row, label in zip(sheet.rows, labels, strict=True):
        if label is not None and not row.cells[wanted.site]:
            problem = Problem(
                sheet.place(wanted.site, row),
                "nothing",
                "a site, as validation.scheme is 'site'",
                "Fill in the cell, or choose another scheme.",
            )
            yield error("site_missing", problem, patients=(row.cells.get("patient_id", ""),))


def _check_modalities(
    sheet: Sheet,
    wanted: CohortSchema,
    *,
    ids: Sequence[str],
    labels: Sequence[int | None],
    strict: bool,
) -> Iterator[Finding]:
    """Yield the rows that hold no modality: a warning if a study has no outcome for them either."""
    columns: list[str] = [m for m in IMAGE_MODALITIES if m in wanted.modalities]
    if "clinical" in wanted.modalities:
        columns += wanted.clinical
    present = [column for column in columns if column in sheet.columns]
    for row, patient_id, label in zip(sheet.rows, ids, labels, strict=True):
        if present and not any(row.cells[column] for column in present):
            problem = Problem(
                f"{sheet.name}, row {row.number}",
                f"nothing in {', '.join(present)}",
                "at least one modality of every patient",
                "Fill in a cell, or remove the row.",
            )
            kind = warning if strict and label is None else error
            yield kind("no_modality", problem, patients=(patient_id,))


@dataclass(frozen=True, slots=True)
class ImagesOf:
    """The images of one patient that are where the table says, and how many it says there are."""

    files: Mapping[ImageModality, tuple[ImageFile, ...]]
    listed: Mapping[ImageModality, int]


def look_up_images(
    table: Path, wanted: CohortSchema, *, patients: Collection[str]
) -> dict[str, ImagesOf]:
    """Return the images of `patients` by identifier; those whom the table lacks are left out.

    Files that are gone or cannot be opened are left out too: only `listed` still counts them.
    Raises `CohortError` if the file is not a table.
    """
    sheet, _ = translate(read_sheet(table), wanted)
    found: dict[str, ImagesOf] = {}
    for row in sheet.rows:
        patient_id = row.cells.get("patient_id", "")
        if patient_id in patients and patient_id not in found:
            content = read_row(row, wanted, sheet=sheet, folder=table.parent)
            found[patient_id] = ImagesOf(
                files=content.images,
                listed={
                    modality: sum(bool(part.strip()) for part in row.cells[modality].split(";"))
                    for modality in IMAGE_MODALITIES
                    if modality in wanted.modalities and modality in row.cells
                },
            )
    return found
