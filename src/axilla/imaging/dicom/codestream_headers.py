"""What a compressed frame says of itself, so that no decoder meets a size it was not told."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from axilla.imaging.dicom.dicom_errors import damaged_error

_JPEG_START = b"\xff\xd8"
_J2K_START = b"\xff\x4f\xff\x51"
# Frames that are not progressive, differential or arithmetic; JPEG-LS last.
_FRAME_MARKERS = (0xC0, 0xC1, 0xC3, 0xF7)
_OTHER_FRAMES = (0xC2, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_STANDALONE = (0x01, *range(0xD0, 0xD9))
_SCAN, _END, _ADOBE, _JFIF = 0xDA, 0xD9, 0xEE, 0xE0
_ADOBE_LENGTH = 12
_MAX_TILES = 1024
# Scans of one colour each, and a spare one.
_MAX_SCANS = 4
_LOSSLESS = 0xC3
_TABLES = (0xC4, 0xDB, 0xDD)  # Huffman tables, quantisation tables, restart interval
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_J2K_HEADER = struct.Struct(">HHIIIIIIIIH")


@dataclass(frozen=True, slots=True)
class Codestream:
    """Size and storage of a compressed frame; `process` is JPEG's frame marker (0: JPEG 2000)."""

    process: int
    width_px: int
    height_px: int
    bits: int
    samples: int
    names: bytes = b""
    jfif: bool = False
    adobe: bool = False


def jpeg_header(stream: bytes) -> Codestream:
    """Return what the markers before the first scan of a JPEG or JPEG-LS stream say."""
    if not stream.startswith(_JPEG_START):
        raise damaged_error("pixel data that are not JPEG")
    frame: Codestream | None = None
    jfif = adobe = False
    for marker, body, _ in _segments(stream):
        if marker in _OTHER_FRAMES:
            raise damaged_error("a kind of JPEG that DICOM does not allow")
        if marker in _FRAME_MARKERS:
            if frame is not None:
                raise damaged_error("two frames in one JPEG stream")
            frame = _jpeg_frame(marker, body)
        jfif |= marker == _JFIF and body.startswith(b"JFIF")
        adobe |= marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= _ADOBE_LENGTH
    if frame is None:
        raise damaged_error("JPEG data without a frame")
    return replace(frame, jfif=jfif, adobe=adobe)


def refuse_open_end(stream: bytes) -> None:
    """Raise `DicomError` unless the stream ends with its end marker, zeros apart.

    CharLS looks for the next bit of a stream without one for up to 2**31 steps, some seconds.
    """
    end = stream.rfind(bytes((0xFF, _END)))
    if end < 0 or stream[end + 2 :].strip(b"\0"):
        raise damaged_error("truncated JPEG-LS data")


def refuse_many_scans(stream: bytes) -> None:
    """Raise `DicomError` for more scans than colours, each of which would take a decoder's time."""
    scans = sum(marker == _SCAN for marker, _, _ in _segments(stream, whole=True))
    if scans > _MAX_SCANS:
        raise damaged_error(f"{scans} JPEG scans")


def essential_jpeg(stream: bytes, header: Codestream) -> bytes:
    """Return the stream with its frame, tables and scans only, checked one by one.

    GDCM ends the process on some application markers that it does not know.
    """
    kept = [_JPEG_START]
    scans = 0
    for marker, body, entropy in _segments(stream, whole=True):
        if marker == _SCAN:
            scans += 1
            _check_scan(body, header, scans)
        elif marker in _FRAME_MARKERS and scans:
            raise damaged_error("two frames in one JPEG stream")
        elif marker not in (*_TABLES, header.process):
            continue
        kept += [bytes((0xFF, marker)), (len(body) + 2).to_bytes(2, "big"), body, entropy]
    return b"".join([*kept, bytes((0xFF, _END))])


def _check_scan(body: bytes, header: Codestream, scans: int) -> None:
    parts = body[0] if body else 0
    if scans > _MAX_SCANS or not 1 <= parts <= header.samples or len(body) != 4 + 2 * parts:
        raise damaged_error("damaged JPEG scans")
    names = body[1 : 1 + 2 * parts : 2]
    if len(set(names)) != parts or not set(names) <= set(header.names):
        raise damaged_error("damaged JPEG scans")
    predictor, end, shift = body[-3:]
    lossless = 1 <= predictor <= 7 and shift < header.bits  # noqa: PLR2004 - of T.81, annex H
    whole = (predictor, end, shift) == (0, 63, 0)
    if not (lossless if header.process == _LOSSLESS else whole):
        raise damaged_error("damaged JPEG scans")


def jpeg2000_header(stream: bytes) -> tuple[Codestream, int]:
    """Return what the size marker says, and where the codestream starts (JP2 boxes come before).

    Refuses subsampled samples, samples of different depths and more than 1,024 tiles.
    """
    start = stream.find(_J2K_START)
    if start < 0:
        raise damaged_error("pixel data that are not JPEG 2000")
    try:
        fields = _J2K_HEADER.unpack_from(stream, start + 4)
        _, _, right, bottom, left, top, tile_w, tile_h, tile_left, tile_top, samples = fields
        parts = [
            struct.unpack_from(">BBB", stream, start + 4 + _J2K_HEADER.size + 3 * i)
            for i in range(min(samples, 4))
        ]
    except struct.error as error:
        raise damaged_error("truncated JPEG 2000 data") from error
    if not parts or len({part[0] for part in parts}) > 1 or {p[1:] for p in parts} != {(1, 1)}:
        raise damaged_error("JPEG 2000 samples of different sizes")
    if not (tile_w and tile_h and tile_left <= left < right and tile_top <= top < bottom):
        raise damaged_error("a JPEG 2000 size that contradicts itself")
    tiles = -(-(right - tile_left) // tile_w) * -(-(bottom - tile_top) // tile_h)
    if tiles > _MAX_TILES:
        raise damaged_error(f"{tiles} JPEG 2000 tiles")
    return Codestream(0, right - left, bottom - top, (parts[0][0] & 0x7F) + 1, samples), start


def _segments(stream: bytes, *, whole: bool = False) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (marker, body, entropy-coded bytes) of each segment; up to the first scan or all."""
    position = 2
    while position + 4 <= len(stream):
        if stream[position] != 0xFF:  # noqa: PLR2004 - every marker starts so
            raise damaged_error("damaged JPEG markers")
        marker = stream[position + 1]
        if marker == _END or (marker == _SCAN and not whole):
            return
        if marker == 0xFF or marker in _STANDALONE:  # noqa: PLR2004 - fill bytes
            position += 1 if marker == 0xFF else 2  # noqa: PLR2004
            continue
        start = position + 4
        position += 2 + max(int.from_bytes(stream[position + 2 : start], "big"), 2)
        body, entropy = stream[start:position], b""
        if marker == _SCAN:
            found = _NEXT_MARKER.search(stream, position)
            end = found.start() if found else len(stream)
            position, entropy = end, stream[position:end]
        yield marker, body, entropy


def _jpeg_frame(marker: int, body: bytes) -> Codestream:
    try:
        bits, height, width, samples = struct.unpack_from(">BHHB", body)
    except struct.error as error:
        raise damaged_error("truncated JPEG data") from error
    parts = [body[6 + 3 * i : 9 + 3 * i] for i in range(samples)]
    names = b"".join(part[:1] for part in parts)
    if len(body) != 6 + 3 * samples or len(set(names)) != samples:
        raise damaged_error("truncated JPEG data")
    return Codestream(marker, width, height, bits, samples, names=names)
