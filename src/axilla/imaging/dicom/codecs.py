"""Decode compressed frames: one decoder per family, checked against the header.

JPEG: Pillow; JPEG lossless and 12-bit JPEG: GDCM; JPEG-LS: CharLS; JPEG 2000: OpenJPEG.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

import gdcm  # type: ignore[import-untyped]
import jpeg_ls  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import decode as decode_jpeg2000
from PIL import Image
from pydicom import uid
from rle.rle import decode_segment  # type: ignore[import-not-found]

from axilla.imaging.dicom.codestream_headers import (
    Codestream,
    essential_jpeg,
    jpeg2000_header,
    jpeg_header,
    refuse_many_scans,
    refuse_open_end,
)
from axilla.imaging.dicom.dicom_errors import DAMAGED, damaged_error, unsupported_error
from axilla.imaging.dicom.pixel_format import Layout

_HEADER = struct.Struct("<16I")
# A pair of bytes may stand for 128 equal ones, so longer segments are unpacked by count.
_MAX_QUICK_BYTES = 2 << 20
_LITERAL_BELOW, _REPEAT_ABOVE = 128, 128
Values = NDArray[np.uint8] | NDArray[np.uint16]
_LOSSLESS, _LS = 0xC3, 0xF7
_BYTE_BITS = 8
_MAX_BITS = 16


def unpacked_segments(stream: bytes, *, segments: int, count: int) -> NDArray[np.uint8]:
    """Return the (`segments`, `count`) bytes of a frame; raise `DicomError` if there are fewer."""
    if len(stream) < _HEADER.size:
        raise damaged_error("truncated RLE data")
    found, *starts = _HEADER.unpack_from(stream)
    if found != segments:
        raise damaged_error(f"{found} RLE segments where {segments} are needed")
    bounds = [*starts[:segments], len(stream)]
    planes = np.empty((segments, count), np.uint8)
    for index in range(segments):
        plain = _unpack_segment(stream[bounds[index] : bounds[index + 1]], count)
        if len(plain) < count:
            raise damaged_error("fewer pixels than declared")
        planes[index] = np.frombuffer(plain, np.uint8, count)
    return planes


def _unpack_segment(segment: bytes, count: int) -> bytes:
    if not segment:
        return b""
    if len(segment) > _MAX_QUICK_BYTES:
        return _unpacked_by_count(segment, count)
    try:
        return bytes(decode_segment(segment))
    except DAMAGED as error:
        raise damaged_error("damaged RLE data") from error


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


# Its complaints about damaged frames would go to the terminal; they are errors here.
gdcm.Trace.WarningOff()
gdcm.Trace.ErrorOff()


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """Values (H, W) or (H, W, 3) of a frame; `photometric` says what they mean now."""

    values: Values
    bits: int
    photometric: str
    high_bit: int


def decoder_of(syntax: uid.UID) -> Callable[[bytes, Layout], DecodedFrame]:
    """Return the decoder of a compressed transfer syntax; raise `DicomError` for any other."""
    if syntax in uid.JPEGTransferSyntaxes:
        return _decode_jpeg
    if syntax in uid.JPEGLSTransferSyntaxes:
        return _decode_jpeg_ls
    if syntax in uid.JPEG2000TransferSyntaxes:
        return _decode_jpeg2000
    if syntax == uid.RLELossless:
        return _decode_rle
    known = syntax.name if syntax in uid.AllTransferSyntaxes else "a private transfer syntax"
    raise unsupported_error(known, expected="a transfer syntax of single images")


def _decode_rle(stream: bytes, layout: Layout) -> DecodedFrame:
    width = layout.bits_allocated // _BYTE_BITS
    planes = unpacked_segments(stream, segments=width * layout.samples, count=layout.frame_pixels)
    # The bytes of a value are in segments of their own, the highest first.
    parts = planes.reshape(layout.samples, width, layout.frame_pixels)
    flat: Values = parts[:, 0].ravel()
    if width > 1:
        pairs = np.stack([parts[:, 1], parts[:, 0]], axis=-1)
        flat = pairs.view("<u2").ravel()
    values = arrange_values(flat, layout, by_plane=True)
    return DecodedFrame(values, layout.bits_stored, layout.photometric, layout.high_bit)


def _decode_jpeg(stream: bytes, layout: Layout) -> DecodedFrame:
    header = jpeg_header(stream)
    _check(header, layout)
    refuse_many_scans(stream)
    if header.process == _LOSSLESS or header.bits > _BYTE_BITS:
        return _decode_gdcm(stream, header, layout)
    if header.process == _LS:
        raise damaged_error("JPEG-LS data declared as JPEG")
    try:
        with Image.open(io.BytesIO(stream), formats=("JPEG",)) as image:
            if header.samples == 1:
                return _make_decoded(
                    np.array(image.convert("L")), header, layout, layout.photometric
                )
            told = header.jfif or header.adobe or header.names.upper() == b"RGB"
            if layout.photometric == "RGB" and not told:
                # Without any marker the JPEG library takes three samples for YCbCr.
                image.draft("YCbCr", image.size)
                return _make_decoded(np.array(image), header, layout, "RGB")
            return _make_decoded(np.array(image.convert("RGB")), header, layout, "RGB")
    except DAMAGED as error:
        raise damaged_error("damaged JPEG data") from error


def _decode_gdcm(stream: bytes, header: Codestream, layout: Layout) -> DecodedFrame:
    lossless = header.process == _LOSSLESS
    syntax = uid.JPEGLossless if lossless else uid.JPEGExtended12Bit
    allocated = _BYTE_BITS if header.bits <= _BYTE_BITS else _MAX_BITS
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(essential_jpeg(stream, header))
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.width_px, layout.height_px, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.RGB if header.samples > 1 else _gdcm_gray()
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    image.SetPixelFormat(
        gdcm.PixelFormat(header.samples, allocated, header.bits, header.bits - 1, 0)
    )
    try:
        plain = image.GetBuffer().encode("utf-8", "surrogateescape")
    except DAMAGED as error:
        raise damaged_error("damaged JPEG data") from error
    values = _shape_values(plain, layout, bits=allocated, by_plane=False)
    return _make_decoded(values, header, layout, layout.photometric)


def _gdcm_gray() -> int:
    return int(gdcm.PhotometricInterpretation.MONOCHROME2)


def _decode_jpeg_ls(stream: bytes, layout: Layout) -> DecodedFrame:
    header = jpeg_header(stream)
    _check(header, layout)
    if header.process != _LS:
        raise damaged_error("JPEG data declared as JPEG-LS")
    refuse_open_end(stream)
    try:
        plain, found = jpeg_ls.decode_pixel_data(stream)
    except DAMAGED as error:
        raise damaged_error("damaged JPEG-LS data") from error
    by_plane = found["interleave_mode"] == 0
    values = _shape_values(bytes(plain), layout, bits=header.bits, by_plane=by_plane)
    return _make_decoded(values, header, layout, layout.photometric)


def _decode_jpeg2000(stream: bytes, layout: Layout) -> DecodedFrame:
    header, start = jpeg2000_header(stream)
    _check(header, layout)
    try:
        plain = decode_jpeg2000(stream[start:], j2k_format=0, reshape=False)
    except DAMAGED as error:
        raise damaged_error("damaged JPEG 2000 data") from error
    values = _shape_values(plain.tobytes(), layout, bits=header.bits, by_plane=False)
    # The decoder undoes the transform of the codestream (RCT, ICT) itself.
    undone = layout.photometric in ("YBR_RCT", "YBR_ICT")
    return _make_decoded(values, header, layout, "RGB" if undone else layout.photometric)


def _check(header: Codestream, layout: Layout) -> None:
    """Refuse a codestream of another size than the header declares, whoever is right."""
    stored = (header.width_px, header.height_px, header.samples)
    declared = (layout.width_px, layout.height_px, layout.samples)
    if stored != declared:
        raise damaged_error(
            f"compressed pixels of {stored[0]} x {stored[1]} x {stored[2]} "
            f"where {declared[0]} x {declared[1]} x {declared[2]} are declared"
        )
    if not 1 < header.bits <= _MAX_BITS:
        raise damaged_error(f"{header.bits} bits per value")


def _make_decoded(
    values: Values, header: Codestream, layout: Layout, photometric: str
) -> DecodedFrame:
    # Some encoders fill the container: 12 bits of a frame whose codestream has 16.
    bits = min(header.bits, layout.bits_stored)
    return DecodedFrame(values, bits, photometric, bits - 1)


def _shape_values(plain: bytes, layout: Layout, *, bits: int, by_plane: bool) -> Values:
    kind = np.dtype("u1" if bits <= _BYTE_BITS else "<u2")
    count = layout.frame_pixels * layout.samples
    if len(plain) < count * kind.itemsize:
        raise damaged_error("fewer pixels than declared")
    flat: Values = np.frombuffer(plain, kind, count)
    return arrange_values(flat, layout, by_plane=by_plane)


def arrange_values(flat: Values, layout: Layout, *, by_plane: bool) -> Values:
    """Return flat values as (H, W), or as (H, W, 3) whether stored by plane or by pixel."""
    size = (layout.height_px, layout.width_px)
    if layout.samples == 1:
        return flat.reshape(size)
    if by_plane:
        return np.moveaxis(flat.reshape(3, *size), 0, 2)
    return flat.reshape(*size, 3)
