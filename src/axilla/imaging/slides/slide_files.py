"""Which files are whole slides, told from a few hundred bytes and without OpenSlide."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from axilla.imaging.raster import MAX_PIXELS

SUFFIXES = (".svs", ".svslide", ".ndpi", ".vms", ".vmu", ".mrxs", ".scn", ".bif", ".czi")
_TIFF_SUFFIXES = (".tif", ".tiff")
_HEAD_BYTES = 1024
_MOST_DIRECTORIES = 64
_MOST_ENTRIES = 4096

# TIFF 6.0 tags, and how many bytes a value of each integer type takes (16 to 18: BigTIFF).
_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES = 256, 257, 322, 323, 330
_TILE_OFFSETS = 324  # of this one tag the number of its values is kept, not the first
_VALUE_BYTES = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}

# DICOM PS3.10: (0002,0002) UI; PS3.4: VL Whole Slide Microscopy Image Storage.
_SOP_CLASS = b"\x02\x00\x02\x00UI"
_WHOLE_SLIDE = b"1.2.840.10008.5.1.4.1.1.77.1.6"

_Tags = dict[int, int]


def is_slide(path: Path) -> bool:
    """Tell whether a file is a whole slide, by its name or by its first bytes; never raises.

    A TIFF file is one if it is stored in tiles and either is a pyramid or has more pixels than
    are read as one image; a photograph saved as TIFF stays an image. A DICOM file is one if its
    class is VL Whole Slide Microscopy.
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            if path.suffix.lower() in _TIFF_SUFFIXES:
                return _is_slide_tiff(stream, head)
        return _is_dicom_slide(head)
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return False


def lists_all_tiles(path: Path) -> bool:
    """Tell whether a TIFF slide lists the tiles that its size takes; never raises.

    One that lists fewer is damaged: OpenSlide shows what is missing as blank, however large it
    claims to be. Of other files nothing is asked, so they list all.
    """
    try:
        with path.open("rb") as stream:
            directories = _directories(stream, stream.read(_HEAD_BYTES))
            return all(_tiles_missing(tags) <= 0 for tags in directories)
    except (OSError, ValueError, struct.error):
        return True


def _tiles_missing(tags: _Tags) -> int:
    if not (tags.get(_TILE_WIDTH) and tags.get(_TILE_HEIGHT)):
        return 0
    across = -(-tags.get(_WIDTH, 0) // tags[_TILE_WIDTH])
    down = -(-tags.get(_HEIGHT, 0) // tags[_TILE_HEIGHT])
    return across * down - tags.get(_TILE_OFFSETS, 0)


def is_dicom_slide(path: Path) -> bool:
    """Tell whether a file is a DICOM whole slide, by its first bytes; never raises."""
    try:
        with path.open("rb") as stream:
            return _is_dicom_slide(stream.read(_HEAD_BYTES))
    except (OSError, ValueError):
        return False


def _is_dicom_slide(head: bytes) -> bool:
    """Read the media storage SOP class, which every DICOM file has explicit, little-endian."""
    at = head.find(_SOP_CLASS)
    if head[128:132] != b"DICM" or at < 0 or at + 8 > len(head):
        return False
    (length,) = struct.unpack_from("<H", head, at + len(_SOP_CLASS))
    value = head[at + 8 : at + 8 + length]
    return value.rstrip(b"\0 ") == _WHOLE_SLIDE


def _is_slide_tiff(stream: BinaryIO, head: bytes) -> bool:
    try:
        directories = _directories(stream, head)
        first = next(directories, {})
        if _TILE_WIDTH not in first:
            return False
        if first.get(_WIDTH, 0) * first.get(_HEIGHT, 0) > MAX_PIXELS or _SUB_DIRECTORIES in first:
            return True
        return any(_TILE_WIDTH in tags and _smaller(tags, first) for tags in directories)
    except struct.error:  # the file ends within a directory
        return False


def _smaller(tags: _Tags, first: _Tags) -> bool:
    return 0 < tags.get(_WIDTH, 0) < first.get(_WIDTH, 0)


def _directories(stream: BinaryIO, head: bytes) -> Iterator[_Tags]:
    """Yield the tags of each directory of a TIFF or BigTIFF file, the first value of each."""
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return
    (version,) = struct.unpack_from(f"{order}H", head, 2)
    if version not in (42, 43):
        return
    big = version == 43  # noqa: PLR2004 - BigTIFF
    count_form, entry_form, link_form = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    at = struct.unpack_from(order + link_form, head, 8 if big else 4)[0]
    for _ in range(_MOST_DIRECTORIES):  # a damaged file may link its directories in a ring
        if not at:
            return
        stream.seek(at)
        (count,) = _unpack(stream, order + count_form)
        if count > _MOST_ENTRIES:
            return
        tags: _Tags = {}
        for _ in range(count):
            tag, kind, number = _unpack(stream, order + entry_form)
            value = stream.read(8 if big else 4)
            size = _VALUE_BYTES.get(kind, 0)
            if tag == _TILE_OFFSETS:
                tags[tag] = number
            elif 0 < size <= len(value):
                form = {2: "H", 4: "I", 8: "Q"}[size]
                (tags[tag],) = struct.unpack_from(order + form, value)
            else:
                tags[tag] = 0
        yield tags
        (at,) = _unpack(stream, order + link_form)


def _unpack(stream: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, stream.read(struct.calcsize(form)))
