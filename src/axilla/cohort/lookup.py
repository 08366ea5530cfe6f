"""The images of a few patients, without reading the whole cohort."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from axilla.cohort.cohort_schema import Wanted
from axilla.cohort.patient_row import read_row
from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.cohort.tables.translation import translate
from axilla.records.patients import ImageFile
from axilla.records.types import IMAGE_MODALITIES, ImageModality


@dataclass(frozen=True, slots=True)
class ImagesOf:
    """The images of one patient that are where the table says, and how many it says there are."""

    files: Mapping[ImageModality, tuple[ImageFile, ...]]
    listed: Mapping[ImageModality, int]


def look_up_images(
    table: Path, wanted: Wanted, *, patients: Collection[str]
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
