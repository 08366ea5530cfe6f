"""Uploads decoded for display: images, frames of clips, overviews of slides."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from axilla.imaging.dicom.dicom_reader import frames_in
from axilla.imaging.dicom.signature import is_dicom
from axilla.imaging.open_image import open_picture, require_frame, require_ultrasound
from axilla.imaging.slides import is_slide
from axilla.imaging.slides.slide_pool import close_slides
from axilla.imaging.slides.tile_pixels import slide_size, thumbnail
from axilla.records.errors import AxillaError, Problem
from axilla.records.patients import ImageFile
from axilla.web.prediction.uploaded_case import TempFiles
from axilla.web.prediction.worker.worker_loop import too_large
from axilla.web.prediction.worker.worker_process import Message, refusal_message

_LONGEST_PX: Final = 2000


@dataclass(frozen=True, slots=True)
class PreviewDecoder:
    """Decodes one upload at a time; `folder` is the process's own."""

    folder: Path

    def answer(self, batch: Sequence[Message]) -> list[Message]:
        """Answer each request with a PNG and what is known of its file."""
        return [self._one(message) for message in batch]

    def _one(self, message: Message) -> Message:
        asked = message.content
        name = f"{asked['kind']}{asked['suffix']}"
        try:
            with TempFiles(self.folder) as held:
                path = held.put(message.blobs[0], name)
                if asked["kind"] == "ultrasound":
                    require_ultrasound(path)
                return _slide(path) if is_slide(path) else _image(path, asked["frame"])
        except AxillaError as error:
            return refusal_message(
                *(error.problems or (Problem(name, str(error), "an image that can be read"),))
            )
        except MemoryError:
            return too_large(name)
        finally:
            close_slides()


def _image(path: Path, frame: int | None) -> Message:
    if frame is not None:
        require_frame(path, frame)
    picture = open_picture(ImageFile(path, frame=frame))
    height, width = picture.pixels.shape[:2]
    dicom = is_dicom(path)
    return _make_preview(
        Image.fromarray(picture.pixels),
        {
            "kind": "dicom" if dicom else "image",
            "width_px": width,
            "height_px": height,
            "pixel_mm": picture.pixel_mm,
            "frames": frames_in(path) if dicom else 1,
            "frame": int(picture.tags.get("Frame", "1")),
        },
    )


def _slide(path: Path) -> Message:
    width, height = slide_size(path)
    return _make_preview(
        Image.fromarray(thumbnail(path, longest_px=_LONGEST_PX)),
        {
            "kind": "slide",
            "width_px": width,
            "height_px": height,
            "pixel_mm": None,
            "frames": 1,
            "frame": 1,
        },
    )


def _make_preview(image: Image.Image, content: dict[str, Any]) -> Message:
    image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS, reducing_gap=2)
    stream = BytesIO()
    image.save(stream, "PNG", compress_level=1)
    size = {"shown_width_px": image.width, "shown_height_px": image.height}
    return Message(
        content | size | {"factor": image.width / content["width_px"]}, (stream.getvalue(),)
    )
