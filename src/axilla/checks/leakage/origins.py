"""What is known of a patient's files apart from what they show."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol

from axilla.checks.leakage.metadata_leakage import Metadata, Value
from axilla.records.patients import ImageFile, Patient
from axilla.records.types import IMAGE_MODALITIES, ImageModality

DEVICE = "ultrasound_device"


class Looked(Protocol):
    """An image of a patient that was opened, as `axilla.checks.images.look.Look`."""

    @property
    def patient_id(self) -> str:
        """Whose image it is."""
        ...

    @property
    def modality(self) -> ImageModality:
        """What it was taken with."""
        ...

    @property
    def file(self) -> ImageFile:
        """Where it lies."""
        ...

    @property
    def width_px(self) -> int:
        """Width of the upright image."""
        ...

    @property
    def height_px(self) -> int:
        """Height of the upright image."""
        ...

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        ...

    @property
    def modified(self) -> date:
        """Day on which the file was last changed."""
        ...


def metadata_of(
    patients: Sequence[Patient],
    looks: Iterable[Looked],
    *,
    devices: Mapping[str, str] | None = None,
) -> tuple[Metadata, ...]:
    """Return the metadata of every patient of the development set whose outcome is known.

    Site, scanner, and per modality the number of images and the size, type and day of the first.
    `devices` gives scanners by patient, as DICOM files name them; the table's column
    ultrasound_device, where it is among the attributes, comes first.
    """
    firsts: dict[tuple[str, ImageModality], Looked] = {}
    for look in looks:
        firsts.setdefault((look.patient_id, look.modality), look)
    rows = []
    for patient in patients:
        if patient.label is None or patient.split != "development":
            continue
        device = patient.attributes.get(DEVICE) or (devices or {}).get(patient.patient_id)
        variables: dict[str, Value] = {
            "site": patient.site,
            "ultrasound device": None if device is None else str(device),
        }
        for modality in IMAGE_MODALITIES:
            first = firsts.get((patient.patient_id, modality))
            variables |= _of_images(first, modality, count=len(patient.images(modality)))
        rows.append(Metadata(patient.patient_id, patient.group, patient.label, variables))
    return tuple(rows)


def _of_images(first: Looked | None, modality: ImageModality, *, count: int) -> Mapping[str, Value]:
    """Return what one modality tells; without an image, nothing: gaps are another finding."""
    if first is None:
        return {}
    return {
        f"number of {modality} images": float(count),
        f"{modality} image size": f"{first.width_px} x {first.height_px}",
        f"{modality} pixels": float(first.width_px * first.height_px),
        f"{modality} file size": float(first.file_bytes),
        f"{modality} file date": float(first.modified.toordinal()),
        f"{modality} file type": first.file.path.suffix.lower(),
    }
