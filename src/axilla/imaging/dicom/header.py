"""The header of a DICOM file, parsed within bounds; pixels stay in the file."""

import io
import logging
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from pydicom import uid
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from axilla.imaging.dicom.dicom_errors import DAMAGED, DicomError, damaged_error, unsupported_error
from axilla.imaging.dicom.elements import Attributes, attributes_of
from axilla.imaging.dicom.signature import MAGIC, PREAMBLE_BYTES, opens_like_dicom
from axilla.imaging.dicom.tags import ALLOWED_TAGS, SEQUENCES

UNDEFINED_LENGTH = 0xFFFFFFFF
_META_GROUP = 2

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_DATA = 0x7FE00010
# Deflated files are inflated in memory: about 300 frames of 640 x 480 in colour.
_MAX_INFLATED_BYTES = 320 << 20
# What a header may cost: nested sequences and private blobs of undefined length are parsed.
_MAX_READS = 200_000
_MAX_READ_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20

# pydicom quotes values in warnings and log records; the switches that silence it are global.
_QUIET = threading.Lock()
_LOGGER = logging.getLogger("pydicom")


@dataclass(frozen=True, slots=True)
class PixelData:
    """Where the pixel data lie in `Header.stream`; `length` may be UNDEFINED_LENGTH."""

    offset: int
    length: int
    words: bool
    """Whether they are stored as 16-bit words (VR OW)."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of its image; `stream` holds the data set (inflated if need be)."""

    attributes: Attributes
    syntax: uid.UID
    sop_class: uid.UID
    little_endian: bool
    stream: BinaryIO
    pixels: PixelData | None


def read_header(stream: BinaryIO) -> Header:
    """Return the header of an open DICOM file; raise `DicomError`."""
    try:
        with _quietly():
            return _parse(stream)
    except DAMAGED as error:
        # Not chained: pydicom's messages quote what stands in the file.
        raise damaged_error(f"a damaged header ({type(error).__name__})") from None


class _Rationed:
    """A stream whose reader may read so often and so much, so that no header takes minutes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._reads = 0
        self._bytes = 0
        self.tell = stream.tell
        self.seek = stream.seek

    def read(self, size: int = -1) -> bytes:
        self._reads += 1
        if size < 0 or self._reads > _MAX_READS or self._bytes > _MAX_READ_BYTES:
            raise ValueError("header too long")
        chunk = self._stream.read(min(size, _MAX_READ_BYTES))
        self._bytes += len(chunk)
        return chunk


class _PixelStop:
    """Stops at the pixel data and notes where they are."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.found: PixelData | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag == _PIXEL_DATA:
            self.found = PixelData(self._stream.tell(), length, words=vr != "OB")
        return tag in _PIXEL_TAGS


def _parse(stream: BinaryIO) -> Header:
    _skip_preamble(stream)
    meta = attributes_of(
        read_dataset(_limit_stream(stream), False, True, stop_when=_beyond_meta)  # noqa: FBT003
    )
    syntax = uid.UID(meta.word("TransferSyntaxUID"))
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        stream = _inflate(stream)
    implicit, little = _encoding(stream, syntax)
    stop = _PixelStop(stream)
    dataset = read_dataset(
        _limit_stream(stream), implicit, little, stop_when=stop, specific_tags=list(ALLOWED_TAGS)
    )
    attributes = attributes_of(dataset, sequences=SEQUENCES)
    sop_class = attributes.word("SOPClassUID") or meta.word("MediaStorageSOPClassUID")
    plain = syntax or (uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian)
    return Header(attributes, plain, uid.UID(sop_class), little, stream, stop.found)


def _limit_stream(stream: BinaryIO) -> BinaryIO:
    return _Rationed(stream)  # type: ignore[return-value]  # pydicom reads, seeks and tells only


def _skip_preamble(stream: BinaryIO) -> None:
    start = stream.read(PREAMBLE_BYTES + len(MAGIC))
    if not opens_like_dicom(start):
        raise DicomError(
            "no DICOM header",
            expected="a DICOM file",
            remedy="Give it the suffix of what it is, or export it again.",
        )
    if not start.endswith(MAGIC):
        stream.seek(0)


def _beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group > _META_GROUP


def _encoding(stream: BinaryIO, syntax: uid.UID) -> tuple[bool, bool]:
    """Return whether the data set is in implicit VR, and whether in little endian."""
    if syntax:
        if not syntax.is_transfer_syntax and not syntax.is_private:
            raise unsupported_error("an unknown transfer syntax", expected="a standard one")
        return syntax == uid.ImplicitVRLittleEndian, syntax != uid.ExplicitVRBigEndian
    start = stream.read(6)
    stream.seek(-len(start), os.SEEK_CUR)
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return not explicit, not (explicit and start[:1] == b"\0")


def _inflate(stream: BinaryIO) -> BinaryIO:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    whole = io.BytesIO()
    try:
        while (chunk := stream.read(_CHUNK_BYTES)) and not inflater.eof:
            while chunk and not inflater.eof:
                whole.write(inflater.decompress(chunk, _CHUNK_BYTES))
                chunk = inflater.unconsumed_tail
                if whole.tell() > _MAX_INFLATED_BYTES:
                    raise unsupported_error(
                        f"more than {_MAX_INFLATED_BYTES >> 20} MiB in deflated form",
                        expected="less",
                    )
        whole.write(inflater.flush(_CHUNK_BYTES))
    except zlib.error as error:
        raise damaged_error("damaged deflated data") from error
    whole.seek(0)
    return whole


@contextmanager
def _quietly() -> Iterator[None]:
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = _LOGGER.disabled
        _LOGGER.disabled = True
        try:
            yield
        finally:
            _LOGGER.disabled = before
