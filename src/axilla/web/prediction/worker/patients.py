"""How the worker makes a patient of a case that travelled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from axilla.imaging.open_image import require_frame, require_ultrasound
from axilla.records.patients import ImageFile, Patient
from axilla.records.roi_rectangle import Roi
from axilla.web.prediction.uploaded_case import Held
from axilla.web.prediction.worker.messages import Message

CASE: Final = "case"


def patient_of(message: Message, held: Held) -> Patient:
    """Return the patient of a message, files held; raise `UnreadableImage` or `RoiError`."""
    content = message.content

    def path_of(told: Mapping[str, Any], name: str) -> Path:
        return held.put(message.blobs[told["blob"]], f"{name}{told['suffix']}")

    def ultrasound(told: Mapping[str, Any], name: str) -> ImageFile:
        file = ImageFile(path_of(told, name), frame=told["frame"])
        require_ultrasound(file.path)
        if file.frame is not None:
            require_frame(file.path, file.frame)
        roi = Roi(*told["roi"]) if "roi" in told else None
        mask = path_of(told["mask"], f"{name}-mask") if "mask" in told else None
        return replace(file, roi=roi, mask=mask)

    def pathology(told: Mapping[str, Any], name: str) -> ImageFile:
        return ImageFile(path_of(told, name), mpp=told["mpp"])

    return Patient(
        CASE,
        label=None,
        group=CASE,
        ultrasound=_numbered(content["ultrasound"], ultrasound, "ultrasound"),
        pathology=_numbered(content["pathology"], pathology, "pathology"),
        clinical=content["clinical"],
    )


def _numbered(
    files: Sequence[Mapping[str, Any]],
    make: Callable[[Mapping[str, Any], str], ImageFile],
    name: str,
) -> tuple[ImageFile, ...]:
    return tuple(make(told, f"{name}-{number}") for number, told in enumerate(files, start=1))
