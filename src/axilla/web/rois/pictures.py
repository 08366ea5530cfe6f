"""Images as browsers show them: decoded once, kept in memory for a while, never on disk."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from threading import BoundedSemaphore, Lock
from typing import Final

from PIL import Image

from axilla.annotation.image_index import StudyImage
from axilla.imaging.open_image import open_picture, require_ultrasound
from axilla.records.errors import Problem, UnreadableImage
from axilla.records.patients import ImageFile

_MOST: Final = 64
_MOST_BYTES: Final = 128 << 20
_AT_ONCE: Final = 2  # a large clip takes a core and hundreds of MiB to decode


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A PNG of the whole frame, upright, its size, and the side of its pixels where known."""

    png: bytes
    width_px: int
    height_px: int
    pixel_mm: float | None
    tag: str


class Pictures:
    """Opens images of the study and keeps those seen last; safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, ShownPicture] = OrderedDict()
        self._lock = Lock()
        self._turn = BoundedSemaphore(_AT_ONCE)

    def open(self, image: StudyImage) -> ShownPicture:
        """Return an image as browsers show it; raise `UnreadableImage`."""
        tag = _tag(image)
        if (found := self._seen(tag)) is not None:
            return found
        with self._turn:
            if (found := self._seen(tag)) is not None:
                return found
            made = _shown(image, tag)
        with self._lock:
            self._kept[tag] = made
            held = sum(len(one.png) for one in self._kept.values())
            while len(self._kept) > _MOST or (held > _MOST_BYTES and len(self._kept) > 1):
                held -= len(self._kept.popitem(last=False)[1].png)
        return made

    def _seen(self, tag: str) -> ShownPicture | None:
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)


def _shown(image: StudyImage, tag: str) -> ShownPicture:
    require_ultrasound(image.path)
    picture = open_picture(ImageFile(image.path, frame=image.frame))
    stream = BytesIO()
    Image.fromarray(picture.pixels).save(stream, format="PNG", compress_level=1)
    height, width = picture.pixels.shape[:2]
    scale = image.pixel_mm if image.pixel_mm is not None else picture.pixel_mm
    return ShownPicture(stream.getvalue(), width, height, scale, tag)


def _tag(image: StudyImage) -> str:
    """Return what changes with the file and with what the table says of it."""
    try:
        stat = image.path.stat()
    except (OSError, ValueError) as error:
        expected = "an image file"
        problem = Problem(f"row {image.row} of the table", "no such file", expected)
        raise UnreadableImage(problem) from error
    parts = (image.text, stat.st_mtime_ns, stat.st_size, image.frame, image.pixel_mm)
    return hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()
