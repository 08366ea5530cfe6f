"""Run-length encoded frames (DICOM PS3.5, Annex G)."""

import struct

import numpy as np
from numpy.typing import NDArray
from rle.rle import decode_segment  # type: ignore[import-not-found]

from axilla.imaging.dicom.dicom_errors import DAMAGED, damaged

_HEADER = struct.Struct("<16I")
# A pair of bytes may stand for 128 equal ones, so longer segments are unpacked by count.
_MAX_QUICK_BYTES = 2 << 20
_LITERAL_BELOW, _REPEAT_ABOVE = 128, 128


def unpacked_segments(stream: bytes, *, segments: int, count: int) -> NDArray[np.uint8]:
    """Return the (`segments`, `count`) bytes of a frame; raise `Refused` if there are fewer."""
    if len(stream) < _HEADER.size:
        raise damaged("truncated RLE data")
    found, *starts = _HEADER.unpack_from(stream)
    if found != segments:
        raise damaged(f"{found} RLE segments where {segments} are needed")
    bounds = [*starts[:segments], len(stream)]
    planes = np.empty((segments, count), np.uint8)
    for index in range(segments):
        plain = _unpacked(stream[bounds[index] : bounds[index + 1]], count)
        if len(plain) < count:
            raise damaged("fewer pixels than declared")
        planes[index] = np.frombuffer(plain, np.uint8, count)
    return planes


def _unpacked(segment: bytes, count: int) -> bytes:
    if not segment:
        return b""
    if len(segment) > _MAX_QUICK_BYTES:
        return _unpacked_by_count(segment, count)
    try:
        return bytes(decode_segment(segment))
    except DAMAGED as error:
        raise damaged("damaged RLE data") from error


def _unpacked_by_count(segment: bytes, count: int) -> bytes:
    """Return the segment's bytes, stopping at `count`."""
    plain = bytearray()
    position = 0
    while position < len(segment) and len(plain) < count:
        head = segment[position]
        if head < _LITERAL_BELOW:
            plain += segment[position + 1 : position + 2 + head]
            position += head + 2
        elif head > _REPEAT_ABOVE:
            plain += segment[position + 1 : position + 2] * (257 - head)
            position += 2
        else:
            position += 1
    return bytes(plain)
