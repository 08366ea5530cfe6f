"""One patient, and the cohort of them, as the table and the study configuration define them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality, Modality

ClinicalValue = float | str | None


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image of a patient; `roi` and `mask` are in pixels of the original image.

    `frame` counts from 1 in a file that holds several; without it, the sharpest is read. `tile`
    is a rectangle of a whole slide, or of a microscope image, in pixels of its full resolution:
    then only that rectangle is the image. `pixel_mm` and `mpp` are the side of a pixel in mm
    (ultrasound) and in micrometres (pathology).
    """

    path: Path
    roi: Roi | None = None
    mask: Path | None = None
    pixel_mm: float | None = None
    mpp: float | None = None
    frame: int | None = None
    tile: Roi | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """One row of the cohort table; several images of one modality are a bag."""

    patient_id: str
    label: int | None
    group: str
    site: str | None = None
    split: Literal["development", "external"] = "development"
    ultrasound: tuple[ImageFile, ...] = ()
    pathology: tuple[ImageFile, ...] = ()
    clinical: Mapping[str, ClinicalValue] = field(default_factory=dict)
    reader_positive: bool | None = None
    attributes: Mapping[str, ClinicalValue] = field(default_factory=dict)
    """What only describes the patient: columns of subgroups and of Table 1, no model's input."""

    def images(self, modality: ImageModality) -> tuple[ImageFile, ...]:
        """Return the patient's images of one modality, in the table's order."""
        return self.ultrasound if modality == "ultrasound" else self.pathology

    def has(self, modality: Modality) -> bool:
        """Tell whether the patient brings this modality (clinical: any known value)."""
        if modality == "clinical":
            return any(value is not None for value in self.clinical.values())
        return bool(self.images(modality))


@dataclass(frozen=True, slots=True)
class Cohort:
    """The patients of a study, in the table's order; `digest` names the table and image bytes."""

    patients: tuple[Patient, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.patients)

    def __iter__(self) -> Iterator[Patient]:
        return iter(self.patients)

    @property
    def labelled_patients(self) -> tuple[Patient, ...]:
        """Patients whose outcome is known."""
        return tuple(patient for patient in self.patients if patient.label is not None)
