"""One row of the cohort table: its images, clinical values and part of the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from axilla.cohort.cells import Cell, cell_in, clinical_value
from axilla.cohort.findings import Finding
from axilla.cohort.image_cells import read_image_cells
from axilla.cohort.image_row import Listed
from axilla.cohort.sheets import Row, Sheet
from axilla.cohort.wanted import Wanted
from axilla.records.patients import ClinicalValue, ImageFile
from axilla.records.units import IMAGE_MODALITIES, ImageModality

SplitName = Literal["development", "external"]


@dataclass(frozen=True, slots=True)
class RowContent:
    """What one row says, the files it lists and what is wrong with it."""

    images: Mapping[ImageModality, tuple[ImageFile, ...]]
    clinical: Mapping[str, ClinicalValue]
    split: SplitName
    listed: tuple[Listed, ...]
    findings: tuple[Finding, ...]


def read_row(row: Row, wanted: Wanted, *, sheet: Sheet, folder: Path) -> RowContent:
    """Read the wanted columns of one row of `sheet`; image paths are relative to `folder`."""

    @cache
    def cell(column: str) -> Cell:
        return cell_in(sheet, row, column)

    images: dict[ImageModality, tuple[ImageFile, ...]] = dict.fromkeys(IMAGE_MODALITIES, ())
    listed: list[Listed] = []
    findings: list[Finding] = []
    for modality in IMAGE_MODALITIES:
        if modality in wanted.modalities and modality in row.cells:
            images[modality], files, wrong = read_image_cells(
                cell, modality, folder=folder, wanted=wanted
            )
            listed.extend(files)
            findings.extend(wrong)
    clinical: dict[str, ClinicalValue] = {}
    for column, kind in wanted.clinical.items():
        value = clinical_value(cell(column), kind)
        clinical[column] = None if isinstance(value, Finding) else value
        findings.extend([value] if isinstance(value, Finding) else [])
    split = _split(cell("split"))
    findings.extend([split] if isinstance(split, Finding) else [])
    return RowContent(
        images=images,
        clinical=clinical,
        split="development" if isinstance(split, Finding) else split,
        listed=tuple(listed),
        findings=tuple(findings),
    )


def _split(cell: Cell) -> SplitName | Finding:
    match cell.text.casefold():
        case "" | "development":
            return "development"
        case "external":
            return "external"
    expected = "development, external or an empty cell"
    return cell.refuse("unknown_value", expected, remedy=cell.translate)
