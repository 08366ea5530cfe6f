"""What a reader is shown: pictures and questions of one's own packet, and nothing that unblinds."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Final, Literal

import numpy as np
from PIL import Image

from axilla.explanation.overlay import STRENGTH
from axilla.explanation.reader_study.blinding_key import KEY, PACKETS, Key, read_key
from axilla.explanation.reader_study.packets import (
    IMAGES,
    Place,
    image_names,
    list_questions,
    read_places,
)
from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import RunFolder
from axilla.records.types import ImageModality
from axilla.web.core.http_errors import NotFoundError
from axilla.web.reader_study.reader_answers import ReadCase, ReaderAnswer

PictureKind = Literal["image", "map"]
Places = Mapping[tuple[str, ImageModality], Place]

_ALPHAS: Final = 256


class Packets:
    """Reads the key and the packets of the last export, again only after they have changed."""

    def __init__(self, folder: RunFolder) -> None:
        """Read what is in DIR/review, and the key in results/review."""
        self.folder = folder
        self._lock = Lock()
        self._keys: dict[int, Key] = {}
        self._places: dict[tuple[str, int], Places] = {}

    @property
    def root(self) -> Path:
        """Folder of the packets."""
        return self.folder.root / PACKETS

    def key(self) -> Key:
        """Return the key of the last export; raise `NotFoundError` if there is none yet."""
        path = self.folder.table(KEY)
        try:
            changed = path.stat().st_mtime_ns
        except OSError as error:
            remedy = "The study's lead exports packets on the page Scoring."
            raise NotFoundError(Problem("packets", "none yet", "an export", remedy)) from error
        with self._lock:
            if changed not in self._keys:
                self._keys = {changed: read_key(path)}
            return self._keys[changed]

    def places(self, reader: str) -> Places:
        """Return where maps lie on images; raise `StudyError` if the packet is not there."""
        folder = self.root / reader
        page = folder / "index.html"
        changed = page.stat().st_mtime_ns if page.is_file() else 0
        with self._lock:
            if (reader, changed) not in self._places:
                others = {at: one for at, one in self._places.items() if at[0] != reader}
                self._places = {**others, (reader, changed): read_places(folder)}
            return self._places[reader, changed]

    def picture(
        self, reader: str, code: str, modality: ImageModality, *, kind: PictureKind
    ) -> bytes:
        """Return a PNG of a packet; raise `StudyError` if it is gone."""
        image, heat = image_names(code, modality)
        path = self.root / reader / IMAGES / (image if kind == "image" else heat)
        try:
            content = path.read_bytes()
        except OSError as error:
            remedy = "The study's lead exports the packets again with the same settings."
            raise StudyError(Problem(code, "no picture", "that of the packet", remedy)) from error
        return content if kind == "image" else of_one_size(content)


def of_one_size(content: bytes) -> bytes:
    """Return the PNG of a map, its pixels as they are, in a size that only its shape decides.

    A compressed map tells by its length how its values lie, and so a decoy from a real one.
    """
    with Image.open(BytesIO(content)) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    plain = Image.fromarray(np.ascontiguousarray(alpha))
    # The bytes are indices now, of one colour in every opacity.
    plain.putpalette([*STRENGTH] * _ALPHAS)
    stream = BytesIO()
    plain.save(stream, "PNG", transparency=bytes(range(_ALPHAS)), compress_level=0)
    return stream.getvalue()


def questions(key: Key, code: str) -> tuple[tuple[ImageModality, str], ...]:
    """Return what a case asks: modality and criterion."""
    return tuple(
        (m, criterion) for _, m, criterion in list_questions([key.item(code)], key.criteria)
    )


def answers_of(key: Key, code: str, kept: ReadCase | None) -> tuple[ReaderAnswer, ...]:
    """Return an answer to every question of a case, empty where nobody has answered."""
    given = {(one.modality, one.criterion): one for one in kept.answers} if kept else {}
    return tuple(given.get(pair, ReaderAnswer(*pair)) for pair in questions(key, code))


def open_questions(key: Key, code: str, kept: ReadCase | None) -> int:
    """Return how many questions of a case are not answered yet."""
    return sum(not one.whole for one in answers_of(key, code, kept))
