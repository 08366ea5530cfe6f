"""A case as it travels to the worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from axilla.records.patients import ClinicalValue
from axilla.records.roi_rectangle import Roi
from axilla.web.prediction.uploaded_case import suffix_of
from axilla.web.prediction.worker.messages import Message


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request: its bytes, its suffix, and what belongs to this image."""

    content: bytes
    suffix: str
    roi: Roi | None = None
    frame: int | None = None
    mask: "Upload | None" = None
    mpp: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody asks a prediction for."""

    ultrasound: tuple[Upload, ...]
    pathology: tuple[Upload, ...]
    clinical: Mapping[str, ClinicalValue]
    heatmaps: bool = False

    def message(self) -> Message:
        """Return the case as the worker gets it."""
        blobs: list[bytes] = []

        def told(upload: Upload) -> dict[str, Any]:
            blobs.append(upload.content)
            said: dict[str, Any] = {"blob": len(blobs) - 1, "suffix": upload.suffix}
            if upload.roi is not None:
                said["roi"] = list(upload.roi.sides)
            if upload.mask is not None:
                said["mask"] = told(upload.mask)
            return said | {"frame": upload.frame, "mpp": upload.mpp}

        content = {
            "ultrasound": [told(upload) for upload in self.ultrasound],
            "pathology": [told(upload) for upload in self.pathology],
            "clinical": dict(self.clinical),
            "heatmaps": self.heatmaps,
        }
        return Message(content, tuple(blobs))


def upload_of(name: str | None, content: bytes) -> Upload:
    """Return an uploaded file; of its name only the suffix is kept."""
    return Upload(content, suffix_of(name))
