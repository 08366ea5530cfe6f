"""The files of a DICOM whole slide: which belong together, and whether their frames are whole.

OpenSlide finds the other files of a series by itself, but crashes (SIGSEGV) where the table of
frames points beside a frame, so that table is checked before a series is opened.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from axilla.imaging.slides.slide_files import is_dicom_slide

_READ = ("SeriesInstanceUID", "NumberOfFrames", "ExtendedOffsetTable")
_PIXEL_DATA, _ITEM, _END = 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF

# What pydicom makes of damaged headers.
_DAMAGED = (
    InvalidDicomError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    struct.error,
)


def other_files(path: Path) -> list[Path]:
    """Return the other files in its folder of the series of a DICOM slide, by name."""
    series = _series(path)
    if series is None:
        return []
    beside = sorted(file for file in path.parent.iterdir() if file.is_file() and file != path)
    return [file for file in beside if _series(file) == series]


def frames_are_whole(path: Path) -> bool:
    """Tell whether each frame of a DICOM slide is in the file, where its tables say it is."""
    try:
        with path.open("rb") as stream:
            header = _header(stream)
            tag, length = _tag(stream), _length(stream)
            if tag != _PIXEL_DATA:
                return False
            if length != _UNDEFINED:
                return stream.tell() + length <= path.stat().st_size
            table = _basic_table(stream)
            starts = list(_item_starts(stream))
        extended = bytes(header.get("ExtendedOffsetTable", b""))
        table = table or struct.unpack(f"<{len(extended) // 8}Q", extended)
        frames = int(header.get("NumberOfFrames", 1))
        return frames == len(table or starts) and set(table) <= set(starts)
    except _DAMAGED:
        return False


def _series(path: Path) -> str | None:
    """Return which series a DICOM slide file belongs to; none for any other file."""
    if not is_dicom_slide(path):
        return None
    try:
        with path.open("rb") as stream:
            return str(_header(stream).get("SeriesInstanceUID", "")) or None
    except _DAMAGED:
        return None


def _header(stream: BinaryIO) -> Dataset:
    """Read a few elements; the stream then stands at the pixel data."""
    return dcmread(stream, specific_tags=list(_READ), stop_before_pixels=True)


def _tag(stream: BinaryIO) -> int:
    group, element = struct.unpack("<HH", stream.read(4))
    return int(group << 16 | element)


def _length(stream: BinaryIO) -> int:
    """Read representation and length of explicit little endian, as compressed pixels have."""
    return int(struct.unpack("<4xI", stream.read(8))[0])


def _basic_table(stream: BinaryIO) -> tuple[int, ...]:
    tag, length = _tag(stream), struct.unpack("<I", stream.read(4))[0]
    if tag != _ITEM:
        raise EOFError
    return struct.unpack(f"<{length // 4}I", stream.read(length))


def _item_starts(stream: BinaryIO) -> Iterator[int]:
    """Yield where each fragment begins, from the end of the basic table on; all must be there."""
    origin = stream.tell()
    size = stream.seek(0, 2)
    at = origin
    while True:
        stream.seek(at)
        tag, length = _tag(stream), struct.unpack("<I", stream.read(4))[0]
        if tag == _END:
            return
        if tag != _ITEM or at + 8 + length > size:
            raise EOFError
        yield at - origin
        at += 8 + length
