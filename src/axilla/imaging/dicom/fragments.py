"""Where the bytes of each compressed frame lie in the file."""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from axilla.imaging.dicom.dicom_errors import damaged_error

_ITEM = 0xE000
_DELIMITER = 0xE0DD
_ITEM_GROUP = 0xFFFE
_MAX_FRAGMENTS = 200_000
# Start of image in the JPEG family and in JPEG 2000.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a compressed frame: where it starts in the file, and its length in bytes."""

    offset: int
    length: int


def locate(
    stream: BinaryIO, *, offset: int, frames: int, extended_offsets: bytes = b""
) -> list[list[Fragment]]:
    """Return the fragments of each frame of pixel data at `offset`; raise `DicomError`.

    Frames are told apart by their number, the offset tables, or the start of a codestream.
    """
    table, *fragments = _walk(stream, offset)
    if frames == 1:
        grouped = [fragments]
    elif len(fragments) == frames:
        grouped = [[fragment] for fragment in fragments]
    else:
        starts = _offsets(stream, table, extended_offsets)
        grouped = _by_offset(fragments, starts) if starts else _by_start(stream, fragments)
    if len(grouped) < frames or not all(grouped):
        raise damaged_error(f"{len(grouped)} compressed frames where {frames} are declared")
    return grouped[:frames]


def read_fragments(stream: BinaryIO, fragments: Sequence[Fragment], *, at_most: int) -> bytes:
    """Return the joined bytes of one frame; refuse more than `at_most`, and what is cut short."""
    if sum(fragment.length for fragment in fragments) > at_most:
        raise damaged_error("a compressed frame larger than its pixels")
    parts = []
    for fragment in fragments:
        stream.seek(fragment.offset)
        parts.append(stream.read(fragment.length))
        if len(parts[-1]) != fragment.length:
            raise damaged_error("a truncated file")
    return b"".join(parts)


def _walk(stream: BinaryIO, offset: int) -> list[Fragment]:
    """Return the offset table and the fragments; their delimiter may be missing at the end."""
    end = stream.seek(0, os.SEEK_END)
    found: list[Fragment] = []
    while offset + 8 <= end:
        stream.seek(offset)
        group, element, length = struct.unpack("<HHI", stream.read(8))
        if group == _ITEM_GROUP and element == _DELIMITER:
            break
        if (group, element) != (_ITEM_GROUP, _ITEM) or len(found) > _MAX_FRAGMENTS:
            raise damaged_error("pixel data that are not in fragments")
        if offset + 8 + length > end:
            raise damaged_error("a truncated file")
        found.append(Fragment(offset + 8, length))
        offset += 8 + length
    if len(found) <= 1:
        raise damaged_error("no pixels")
    return found


def _offsets(stream: BinaryIO, table: Fragment, extended: bytes) -> tuple[int, ...]:
    if extended:
        return struct.unpack(f"<{len(extended) // 8}Q", extended[: len(extended) // 8 * 8])
    stream.seek(table.offset)
    count = table.length // 4
    return struct.unpack(f"<{count}I", stream.read(count * 4))


def _by_offset(fragments: list[Fragment], starts: tuple[int, ...]) -> list[list[Fragment]]:
    """Group fragments by where frames start, counted from the first fragment's item."""
    origin = fragments[0].offset
    wanted = {start + origin for start in starts}
    return _group_fragments(fragments, [fragment.offset in wanted for fragment in fragments])


def _by_start(stream: BinaryIO, fragments: list[Fragment]) -> list[list[Fragment]]:
    begins = []
    for fragment in fragments:
        stream.seek(fragment.offset)
        begins.append(stream.read(min(3, fragment.length)) in _STARTS)
    return _group_fragments(fragments, begins)


def _group_fragments(fragments: list[Fragment], begins: list[bool]) -> list[list[Fragment]]:
    grouped: list[list[Fragment]] = []
    for fragment, begin in zip(fragments, begins, strict=True):
        if begin or not grouped:
            grouped.append([])
        grouped[-1].append(fragment)
    return grouped
