"""The study's ultrasound images by opaque keys, with a cache of decoded ones."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Final

from PIL import Image

from axilla.annotation.annotation_export import own_roi
from axilla.annotation.image_index import StudyImage, study_images
from axilla.cohort.roi_table import image_key, study_rois
from axilla.config.load import read_study
from axilla.config.study import StudyConfig
from axilla.imaging.open_image import open_picture, require_ultrasound
from axilla.records.errors import AxillaError, Problem, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import DrawnRoi, Roi
from axilla.records.run_folder import RunFolder
from axilla.web.core.file_stamps import Stamp, stamp_of
from axilla.web.core.http_errors import NotFoundError

_KEY_BYTES: Final = 12
KEY: Final = r"^[0-9a-f]{24}$"
_MOST: Final = 64
_MOST_BYTES: Final = 128 << 20
_AT_ONCE: Final = 2  # a large clip takes a core and hundreds of MiB to decode


@dataclass(frozen=True, slots=True)
class Worklist:
    """What the study lists, in the table's order."""

    config: StudyConfig
    images: Mapping[str, StudyImage]
    places: Mapping[str, tuple[int, int]]
    """Which of how many images of its patient each is."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rectangle that the study has already, and the file that it is from."""

    roi: Roi
    source: str


class StudyImages:
    """Reads study.toml and the table when they have changed; safe for threads."""

    def __init__(self, folder: RunFolder) -> None:
        self.root = folder.root
        self._lock = Lock()
        self._listed: tuple[Stamp, Worklist] | None = None
        self._drawn: tuple[Stamp, Mapping[str, DrawnRoi]] | None = None

    def worklist(self) -> Worklist:
        """Return what the study lists; raise `AxillaError` if its files are damaged."""
        with self._lock:
            config_file = self.root / "study.toml"
            if self._listed is not None:
                table = self.root / self._listed[1].config.cohort.table
                if self._listed[0] == stamp_of((config_file, table)):
                    return self._listed[1]
            config = read_study(config_file)
            stamp = stamp_of((config_file, self.root / config.cohort.table))
            found = _list_images(config, self.root)
            self._listed = (stamp, found)
            return found

    def image(self, key: str) -> StudyImage:
        """Return the image of a key; raise `NotFoundError`."""
        found = self.worklist().images.get(key)
        if found is None:
            raise NotFoundError(Problem("image", "none of this key", "an image of the worklist"))
        return found

    def suggestion(self, image: StudyImage) -> Suggestion | None:
        """Return the rectangle of rois.csv, or else of the table or its mask."""
        config = self.worklist().config
        try:
            drawn = self._rois(config).get(image_key(image.text))
            if drawn is not None:
                return Suggestion(drawn.roi, drawn.table)
            roi = own_roi(image)
        except AxillaError:  # damaged files are `axilla check`'s to tell; drawing goes on
            return None
        return None if roi is None else Suggestion(roi, config.cohort.table)

    def _rois(self, config: StudyConfig) -> Mapping[str, DrawnRoi]:
        with self._lock:
            stamp = stamp_of((self.root / config.cohort.rois,))
            if self._drawn is None or self._drawn[0] != stamp:
                self._drawn = (stamp, study_rois(config, self.root))
            return self._drawn[1]


def key_of(text: str) -> str:
    """Return the key of an image, by its path as the table writes it."""
    return hashlib.blake2b(image_key(text).encode(), digest_size=_KEY_BYTES).hexdigest()


def _list_images(config: StudyConfig, root: Path) -> Worklist:
    images = {key_of(image.text): image for image in study_images(config, root)}
    mine: dict[int, list[str]] = {}
    for key, image in images.items():
        mine.setdefault(image.row, []).append(key)
    places = {
        key: (number, len(keys)) for keys in mine.values() for number, key in enumerate(keys, 1)
    }
    return Worklist(config, images, places)


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A PNG of the whole frame, upright, its size, and the side of its pixels where known."""

    png: bytes
    width_px: int
    height_px: int
    pixel_mm: float | None
    tag: str


class ImageCache:
    """Opens images of the study and keeps those seen last; safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, ShownPicture] = OrderedDict()
        self._lock = Lock()
        self._turn = BoundedSemaphore(_AT_ONCE)

    def open(self, image: StudyImage) -> ShownPicture:
        """Return an image as browsers show it; raise `UnreadableImage`."""
        tag = _tag(image)
        if (found := self._get_cached(tag)) is not None:
            return found
        with self._turn:
            if (found := self._get_cached(tag)) is not None:
                return found
            made = _encode_image(image, tag)
        with self._lock:
            self._kept[tag] = made
            held = sum(len(one.png) for one in self._kept.values())
            while len(self._kept) > _MOST or (held > _MOST_BYTES and len(self._kept) > 1):
                held -= len(self._kept.popitem(last=False)[1].png)
        return made

    def _get_cached(self, tag: str) -> ShownPicture | None:
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)


def _encode_image(image: StudyImage, tag: str) -> ShownPicture:
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
