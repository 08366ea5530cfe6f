"""Frames of a DICOM file as gray or RGB pixels, one at a time."""

import os
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.dicom.codecs import Decoded, Values, arranged, decoder_of
from axilla.imaging.dicom.colours import rgb_of_ybr, widened
from axilla.imaging.dicom.dicom_errors import Refused, damaged
from axilla.imaging.dicom.fragments import locate, read_fragments
from axilla.imaging.dicom.header import UNDEFINED_LENGTH, Header, Pixels
from axilla.imaging.dicom.lookup_tables import tone_table
from axilla.imaging.dicom.palettes import palette_table
from axilla.imaging.dicom.pixel_format import Layout
from axilla.imaging.dicom.sharpness import Frames

# Noise may grow under compression; more than this is no frame.
_MAX_GROWTH = 4
_SLACK_BYTES = 1 << 16
_PACKED = "YBR_FULL_422"


def frames_of(header: Header, layout: Layout) -> Frames:
    """Return the function that reads frame `index` (from 0) as (H, W) gray or (H, W, 3) RGB.

    All frames must lie in the file; raises `Refused`, as does the function.
    """
    pixels = header.pixels
    if pixels is None:
        raise Refused(
            "no pixels",
            expected="an ultrasound image",
            remedy="Choose the image of this examination, not its report.",
        )
    if header.syntax.is_transfer_syntax and not header.syntax.is_compressed:
        read = _plain(header, pixels, layout)
    else:
        read = _compressed(header, pixels, layout)
    return lambda index: _displayed(read(index), header, layout)


def _compressed(header: Header, pixels: Pixels, layout: Layout) -> Callable[[int], Decoded]:
    decode = decoder_of(header.syntax)
    if pixels.length != UNDEFINED_LENGTH:
        raise damaged("compressed pixel data without fragments")
    offsets = header.attributes.raw("ExtendedOffsetTable")
    located = locate(
        header.stream, offset=pixels.offset, frames=layout.frames, extended_offsets=offsets
    )
    at_most = layout.frame_bytes * _MAX_GROWTH + _SLACK_BYTES
    return lambda index: decode(
        read_fragments(header.stream, located[index], at_most=at_most), layout
    )


def _plain(header: Header, pixels: Pixels, layout: Layout) -> Callable[[int], Decoded]:
    present = min(pixels.length, header.stream.seek(0, os.SEEK_END) - pixels.offset)
    size, packed = layout.frame_bytes, False
    # Some files say 422 and hold a value for each pixel and sample: believe their length.
    pairs = layout.width_px % 2 == 0 and layout.bits_allocated == 8  # noqa: PLR2004
    if layout.photometric == _PACKED and pairs and present < size * layout.frames:
        size, packed = size // 3 * 2, True
    if present < size * layout.frames:
        raise damaged(f"{present} bytes of pixels where {size * layout.frames} are declared")
    swapped = not header.little_endian and pixels.words and layout.bits_allocated == 8  # noqa: PLR2004

    def read(index: int) -> Decoded:
        start = pixels.offset + index * size
        plain = (_swapped_bytes if swapped else _bytes_at)(
            header.stream, start, size, origin=pixels.offset
        )
        values = _values(plain, layout, big=not header.little_endian, packed=packed)
        return Decoded(values, layout.bits_stored, layout.photometric, layout.high_bit)

    return read


def _bytes_at(stream: BinaryIO, start: int, size: int, *, origin: int) -> bytes:
    del origin
    stream.seek(start)
    plain = stream.read(size)
    if len(plain) != size:
        raise damaged("a truncated file")
    return plain


def _swapped_bytes(stream: BinaryIO, start: int, size: int, *, origin: int) -> bytes:
    """Return bytes that were stored as big-endian words: each pair swapped back."""
    odd = (start - origin) % 2
    plain = _bytes_at(stream, start - odd, size + odd + (size + odd) % 2, origin=origin)
    return np.frombuffer(plain, ">u2").astype("<u2").tobytes()[odd : odd + size]


def _values(plain: bytes, layout: Layout, *, big: bool, packed: bool) -> Values:
    if layout.bits_allocated == 8:  # noqa: PLR2004
        flat = np.frombuffer(plain, np.uint8)
        if packed:
            return widened(flat, height_px=layout.height_px, width_px=layout.width_px)
        return arranged(flat, layout, by_plane=layout.by_plane)
    deep = np.frombuffer(plain, ">u2" if big else "<u2").astype(np.uint16)
    return arranged(deep, layout, by_plane=layout.by_plane)


def _displayed(decoded: Decoded, header: Header, layout: Layout) -> NDArray[np.uint8]:
    values, bits = decoded.values, decoded.bits
    shift = decoded.high_bit + 1 - bits
    if layout.samples == 1:
        table = _table(decoded, header, layout)
        return np.asarray(table[(values >> shift) & ((1 << bits) - 1)])
    if bits > 8:  # noqa: PLR2004
        values = np.right_shift(values, shift + bits - 8, dtype=np.uint16)
    elif bits < 8 or shift:  # noqa: PLR2004
        raise damaged(f"colours of {bits} bits")
    colours = values.astype(np.uint8, copy=False)
    if decoded.photometric in ("YBR_FULL", _PACKED):
        return rgb_of_ybr(colours)
    return colours


def _table(decoded: Decoded, header: Header, layout: Layout) -> NDArray[np.uint8]:
    if decoded.photometric == "PALETTE COLOR":
        return palette_table(header.attributes, bits=decoded.bits)
    return tone_table(
        header.attributes,
        bits=decoded.bits,
        signed=layout.signed,
        inverted=decoded.photometric == "MONOCHROME1",
    )
