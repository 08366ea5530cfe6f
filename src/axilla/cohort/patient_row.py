"""One row of the cohort table: its images, clinical values and part of the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.image_columns import ImageCells, Listed, read_image_cells
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow
from axilla.cohort.values.cells import cell_in, clinical_value
from axilla.records.findings import Finding
from axilla.records.patients import ClinicalValue, ImageFile
from axilla.records.types import IMAGE_MODALITIES, ImageModality

SplitName = Literal["development", "external"]


@dataclass(frozen=True, slots=True)
class RowContent:
    """What one row says, the files it lists and what is wrong with it."""

    images: Mapping[ImageModality, tuple[ImageFile, ...]]
    clinical: Mapping[str, ClinicalValue]
    split: SplitName
    listed: tuple[Listed, ...]
    findings: tuple[Finding, ...]


def read_row(row: SheetRow, wanted: CohortSchema, *, sheet: Sheet, folder: Path) -> RowContent:
    """Read the wanted columns of one row of `sheet`; image paths are relative to `folder`."""
    images: dict[ImageModality, tuple[ImageFile, ...]] = dict.fromkeys(IMAGE_MODALITIES, ())
    image_row = ImageCells(row, sheet, folder)
    for modality in IMAGE_MODALITIES:
        if modality in wanted.modalities and modality in row.cells:
            images[modality] = read_image_cells(image_row, modality, wanted=wanted)
    clinical, findings = _clinical(row, wanted, sheet=sheet)
    split = _split(row, sheet)
    return RowContent(
        images=images,
        clinical=clinical,
        split="development" if isinstance(split, Finding) else split,
        listed=tuple(image_row.listed),
        findings=(
            *image_row.findings,
            *findings,
            *([split] if isinstance(split, Finding) else []),
        ),
    )


def _clinical(
    row: SheetRow, wanted: CohortSchema, *, sheet: Sheet
) -> tuple[dict[str, ClinicalValue], list[Finding]]:
    values: dict[str, ClinicalValue] = {}
    findings = []
    for column, kind in wanted.clinical.items():
        filled = row.cells.get(column)
        value = clinical_value(cell_in(sheet, row, column), kind) if filled else None
        values[column] = None if isinstance(value, Finding) else value
        findings.extend([value] if isinstance(value, Finding) else [])
    return values, findings


def _split(row: SheetRow, sheet: Sheet) -> SplitName | Finding:
    match row.cells.get("split", "").casefold():
        case "" | "development":
            return "development"
        case "external":
            return "external"
    expected = "development, external or an empty cell"
    cell = cell_in(sheet, row, "split")
    return cell.refuse("unknown_value", expected, remedy=cell.translate)
