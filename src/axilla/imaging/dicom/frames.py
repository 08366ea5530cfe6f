"""Frames of a DICOM file as gray or RGB pixels, and the sharpest frame of a clip."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.decoded_image import LUMA
from axilla.imaging.dicom.codecs import DecodedFrame, Values, arrange_values, decoder_of
from axilla.imaging.dicom.dicom_errors import DicomError, damaged_error
from axilla.imaging.dicom.fragments import locate, read_fragments
from axilla.imaging.dicom.header import UNDEFINED_LENGTH, Header, PixelData
from axilla.imaging.dicom.lookup_tables import palette_table, rgb_of_ybr, tone_table, widen_ybr
from axilla.imaging.dicom.pixel_format import Layout
from axilla.records.roi_rectangle import Roi

# Of longer clips every second (third ...) frame is compared first: JPEG 2000 takes 50 ms a frame.
_MAX_COMPARED_PIXELS = 24_000_000
# A frame by its index, and a frame with its index.
Frames = Callable[[int], NDArray[np.uint8]]
Numbered = tuple[int, NDArray[np.uint8]]
# Noise may grow under compression; more than this is no frame.
_MAX_GROWTH = 4
_SLACK_BYTES = 1 << 16
_PACKED = "YBR_FULL_422"


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian (four neighbours) of the image's luma.

    Source: Pech-Pacheco et al., ICPR 2000. Zero for images below 3 x 3 px.
    """
    if min(pixels.shape[:2]) < 3:  # noqa: PLR2004 - the Laplacian needs neighbours
        return 0.0
    luma = pixels.astype(np.float32) if pixels.ndim == 2 else pixels @ LUMA  # noqa: PLR2004
    laplacian = (luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]) - 4.0 * luma[
        1:-1, 1:-1
    ]
    return float(laplacian.var(dtype=np.float64))


def sharpest(frames: Frames, count: int, *, parts: Sequence[Roi]) -> Numbered:
    """Return the index (from 0) and pixels of the frame that is sharpest within `parts`.

    Holds two frames at a time. Of clips with more than 24 megapixels in total, evenly spaced
    frames are compared, then the neighbours of the sharpest. Without `parts`, the whole frame.
    """
    best = (0, frames(0))
    if count == 1:
        return best
    height, width = best[1].shape[:2]
    step = -(-count * height * width // _MAX_COMPARED_PIXELS)
    best = _sharper(frames, range(step, count, step), best, parts=parts)
    near = range(max(best[0] - step + 1, 0), min(best[0] + step, count))
    return _sharper(frames, [index for index in near if index != best[0]], best, parts=parts)


def _sharper(
    frames: Frames, indices: Iterable[int], best: Numbered, *, parts: Sequence[Roi]
) -> Numbered:
    """Return the sharpest of the frames `indices` and the `best` so far, which wins a tie."""
    most = _sharpness_within(best[1], parts)
    for index in indices:
        pixels = frames(index)
        found = _sharpness_within(pixels, parts)
        if found > most:
            best, most = (index, pixels), found
    return best


def _sharpness_within(pixels: NDArray[np.uint8], parts: Sequence[Roi]) -> float:
    if not parts:
        return sharpness(pixels)
    return max(
        sharpness(pixels[part.top_px : part.bottom_px, part.left_px : part.right_px])
        for part in parts
    )


def frames_of(header: Header, layout: Layout) -> Frames:
    """Return the function that reads frame `index` (from 0) as (H, W) gray or (H, W, 3) RGB.

    All frames must lie in the file; raises `DicomError`, as does the function.
    """
    pixels = header.pixels
    if pixels is None:
        raise DicomError(
            "no pixels",
            expected="an ultrasound image",
            remedy="Choose the image of this examination, not its report.",
        )
    if header.syntax.is_transfer_syntax and not header.syntax.is_compressed:
        read = _plain(header, pixels, layout)
    else:
        read = _get_frame_decoder(header, pixels, layout)
    return lambda index: _apply_lookup_tables(read(index), header, layout)


def _get_frame_decoder(
    header: Header, pixels: PixelData, layout: Layout
) -> Callable[[int], DecodedFrame]:
    decode = decoder_of(header.syntax)
    if pixels.length != UNDEFINED_LENGTH:
        raise damaged_error("compressed pixel data without fragments")
    offsets = header.attributes.raw("ExtendedOffsetTable")
    located = locate(
        header.stream, offset=pixels.offset, frames=layout.frames, extended_offsets=offsets
    )
    at_most = layout.frame_bytes * _MAX_GROWTH + _SLACK_BYTES
    return lambda index: decode(
        read_fragments(header.stream, located[index], at_most=at_most), layout
    )


def _plain(header: Header, pixels: PixelData, layout: Layout) -> Callable[[int], DecodedFrame]:
    present = min(pixels.length, header.stream.seek(0, os.SEEK_END) - pixels.offset)
    size, packed = layout.frame_bytes, False
    # Some files say 422 and hold a value for each pixel and sample: believe their length.
    pairs = layout.width_px % 2 == 0 and layout.bits_allocated == 8  # noqa: PLR2004
    if layout.photometric == _PACKED and pairs and present < size * layout.frames:
        size, packed = size // 3 * 2, True
    if present < size * layout.frames:
        raise damaged_error(f"{present} bytes of pixels where {size * layout.frames} are declared")
    swapped = not header.little_endian and pixels.words and layout.bits_allocated == 8  # noqa: PLR2004

    def read(index: int) -> DecodedFrame:
        start = pixels.offset + index * size
        plain = (_swapped_bytes if swapped else _bytes_at)(
            header.stream, start, size, origin=pixels.offset
        )
        values = _values(plain, layout, big=not header.little_endian, packed=packed)
        return DecodedFrame(values, layout.bits_stored, layout.photometric, layout.high_bit)

    return read


def _bytes_at(stream: BinaryIO, start: int, size: int, *, origin: int) -> bytes:
    del origin
    stream.seek(start)
    plain = stream.read(size)
    if len(plain) != size:
        raise damaged_error("a truncated file")
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
            return widen_ybr(flat, height_px=layout.height_px, width_px=layout.width_px)
        return arrange_values(flat, layout, by_plane=layout.by_plane)
    deep = np.frombuffer(plain, ">u2" if big else "<u2").astype(np.uint16)
    return arrange_values(deep, layout, by_plane=layout.by_plane)


def _apply_lookup_tables(
    decoded: DecodedFrame, header: Header, layout: Layout
) -> NDArray[np.uint8]:
    values, bits = decoded.values, decoded.bits
    shift = decoded.high_bit + 1 - bits
    if layout.samples == 1:
        table = _table(decoded, header, layout)
        return np.asarray(table[(values >> shift) & ((1 << bits) - 1)])
    if bits > 8:  # noqa: PLR2004
        values = np.right_shift(values, shift + bits - 8, dtype=np.uint16)
    elif bits < 8 or shift:  # noqa: PLR2004
        raise damaged_error(f"colours of {bits} bits")
    colours = values.astype(np.uint8, copy=False)
    if decoded.photometric in ("YBR_FULL", _PACKED):
        return rgb_of_ybr(colours)
    return colours


def _table(decoded: DecodedFrame, header: Header, layout: Layout) -> NDArray[np.uint8]:
    if decoded.photometric == "PALETTE COLOR":
        return palette_table(header.attributes, bits=decoded.bits)
    return tone_table(
        header.attributes,
        bits=decoded.bits,
        signed=layout.signed,
        inverted=decoded.photometric == "MONOCHROME1",
    )
