"""Grayscale (modality, VOI) and palette lookup tables, and conversion from YBR to RGB."""

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.dicom.dicom_errors import DAMAGED, DicomError, damaged_error
from axilla.imaging.dicom.elements import Attributes

_BYTE = 255.0
_MAX_TABLE_BITS = 16
_NARROWEST = 1e-6
_CHANNELS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_FULL = 1 << 16
_LARGEST_BYTE = 255
_ROWS_AT_ONCE = 256
# ITU-R BT.601 in full range, as DICOM PS3.3 (C.7.6.3.1.2) gives it, inverted.
_RED_OF_CR, _GREEN_OF_CB, _GREEN_OF_CR, _BLUE_OF_CB = 1.402, 0.344136, 0.714136, 1.772
_GREY = 128.0


def tone_table(
    attributes: Attributes, *, bits: int, signed: bool, inverted: bool
) -> NDArray[np.uint8]:
    """Return the tone (0..255) of each of the 2**`bits` stored patterns.

    Modality table or rescale first, then the first VOI table or window (DICOM PS3.3, C.11.1 and
    C.11.2); without one, the whole range of stored values fills 0..255. `inverted` is MONOCHROME1.
    """
    try:
        with np.errstate(all="raise", under="ignore"):
            values, low, high = _modality(attributes, _list_stored_values(bits, signed=signed))
            tones = _voi(attributes, values)
            if tones is None:
                tones = (values - low) / (high - low or 1.0) * _BYTE
    except DAMAGED as error:
        raise damaged_error("a damaged gray scale (modality or VOI table)") from error
    table = np.rint(np.clip(tones, 0.0, _BYTE)).astype(np.uint8)
    return 255 - table if inverted else table


def _list_stored_values(bits: int, *, signed: bool) -> NDArray[np.float64]:
    values = np.arange(1 << bits, dtype=np.float64)
    if signed:
        values[values >= 1 << (bits - 1)] -= 1 << bits
    return values


def _modality(
    attributes: Attributes, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float]:
    """Return the values after the modality transform, and the range they can have."""
    for item in attributes.items("ModalityLUTSequence"):
        outputs, bits = _looked_up(item, values)
        return outputs, 0.0, float((1 << bits) - 1)
    slope = attributes.number("RescaleSlope")
    intercept = attributes.number("RescaleIntercept") or 0.0
    scaled = values * (1.0 if slope is None else slope) + intercept
    return scaled, float(scaled.min()), float(scaled.max())


def _voi(attributes: Attributes, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    for item in attributes.items("VOILUTSequence"):
        outputs, bits = _looked_up(item, values)
        return outputs * (_BYTE / ((1 << bits) - 1))
    centre, width = attributes.number("WindowCenter"), attributes.number("WindowWidth")
    kind = attributes.word("VOILUTFunction") or "LINEAR"
    least = 1.0 if kind == "LINEAR" else _NARROWEST
    if centre is None or width is None or width < least:
        return None
    if kind == "SIGMOID":
        steepness = np.clip(-4.0 * (values - centre) / width, -500.0, 500.0)
        return np.asarray(_BYTE / (1.0 + np.exp(steepness)))
    if kind == "LINEAR_EXACT":
        return ((values - centre) / width + 0.5) * _BYTE
    shifted = values - (centre - 0.5)
    if width == 1:
        return np.where(shifted > 0, _BYTE, 0.0)
    return (shifted / (width - 1.0) + 0.5) * _BYTE


def _looked_up(item: Attributes, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Return the table's output for each value, and the bits of its outputs."""
    count, first, bits = (int(number) for number in item.numbers("LUTDescriptor"))
    count = count or 1 << 16
    if values.min() < 0 and first >= 1 << 15:
        first -= 1 << 16
    order = "<" if item.little_endian("LUTData") else ">"
    data = item.raw("LUTData")
    wide = len(data) >= 2 * count
    table = np.frombuffer(data, f"{order}u2" if wide else "u1")[:count]
    if len(table) < count or not 1 <= bits <= _MAX_TABLE_BITS:
        raise damaged_error("a gray scale table of another length than declared")
    positions = np.clip(values - first, 0, count - 1).astype(np.int64)
    return table[positions].astype(np.float64), bits


def palette_table(attributes: Attributes, *, bits: int) -> NDArray[np.uint8]:
    """Return the colours (2**`bits`, 3) of all stored values; raise `DicomError`.

    Values below or above the palette take its first or last colour (DICOM PS3.3, C.7.6.3.1.5).
    """
    columns = []
    for channel in _CHANNELS:
        try:
            columns.append(_channel(attributes, channel, size=1 << bits))
        except DAMAGED as error:
            raise _broken() from error
    return np.stack(columns, axis=1)


def _channel(attributes: Attributes, channel: str, *, size: int) -> NDArray[np.uint8]:
    name = f"{channel}PaletteColorLookupTable"
    count, first, depth = (int(number) for number in attributes.numbers(f"{name}Descriptor"))
    count = count or _FULL
    if depth not in (8, 16):
        raise _broken()
    if attributes.raw(f"Segmented{name}Data"):
        words = _stored_words(attributes, f"Segmented{name}Data", wide=depth > 8)  # noqa: PLR2004
        outputs = _expand_segments(words.tolist(), count=count, wide=depth > 8)  # noqa: PLR2004
    else:
        data = attributes.raw(f"{name}Data")
        outputs = _stored_words(attributes, f"{name}Data", wide=len(data) >= 2 * count)
    if len(outputs) < count:
        raise _broken()
    outputs = outputs[:count].copy()
    # Some scanners write 8-bit colours into tables that they declare as 16-bit.
    if outputs.max() > _LARGEST_BYTE:
        outputs >>= 8
    return outputs[np.clip(np.arange(size) - first, 0, count - 1)].astype(np.uint8)


def _stored_words(attributes: Attributes, keyword: str, *, wide: bool) -> NDArray[np.uint16]:
    data = attributes.raw(keyword)
    order = "<" if attributes.little_endian(keyword) else ">"
    kind = f"{order}u2" if wide else "u1"
    return np.frombuffer(data[: len(data) // 2 * 2], kind).astype(np.uint16)


def _expand_segments(words: list[int], *, count: int, wide: bool) -> NDArray[np.uint16]:
    """Expand discrete, linear and indirect segments (DICOM PS3.3, C.7.9.2) to `count` values."""
    outputs: list[int] = []
    starts: list[int] = []
    position = 0
    while position + 2 < len(words) and len(outputs) < count:
        starts.append(position)
        position = _segment(words, position, outputs, starts, wide=wide)
    return np.array(outputs[:count], np.uint16)


def _segment(
    words: list[int], position: int, outputs: list[int], starts: list[int], *, wide: bool
) -> int:
    """Append one segment's values; return where the next one starts."""
    kind, length = words[position : position + 2]
    if kind == _DISCRETE:
        outputs += words[position + 2 : position + 2 + length]
        return position + 2 + length
    if kind == _LINEAR:
        before = outputs[-1]
        steps = np.linspace(before, words[position + 2], length + 1)[1:]
        outputs += [int(value) for value in np.rint(steps)]
        return position + 3
    if kind != _INDIRECT:
        raise _broken()
    parts = words[position + 2 : position + (4 if wide else 6)]
    target = sum(part << ((16 if wide else 8) * place) for place, part in enumerate(parts))
    for _ in range(length):
        if target not in starts or words[target] == _INDIRECT:
            raise _broken()
        target = _segment(words, target, outputs, starts, wide=wide)
        if len(outputs) > _FULL:
            raise _broken()
    return position + (4 if wide else 6)


def _broken() -> DicomError:
    return damaged_error("a damaged palette")


def rgb_of_ybr(ybr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB (H, W, 3) of YBR_FULL pixels; a few rows at a time, to spare memory."""
    rgb = np.empty(ybr.shape, np.uint8)
    for top in range(0, ybr.shape[0], _ROWS_AT_ONCE):
        part = ybr[top : top + _ROWS_AT_ONCE].astype(np.float32)
        luma, blue, red = part[:, :, 0], part[:, :, 1] - _GREY, part[:, :, 2] - _GREY
        channels = (
            luma + _RED_OF_CR * red,
            luma - _GREEN_OF_CB * blue - _GREEN_OF_CR * red,
            luma + _BLUE_OF_CB * blue,
        )
        for index, channel in enumerate(channels):
            rgb[top : top + _ROWS_AT_ONCE, :, index] = np.rint(np.clip(channel, 0.0, 255.0))
    return rgb


def widen_ybr(packed: NDArray[np.uint8], *, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Return YBR_FULL (H, W, 3) of YBR_FULL_422: Y, Y, B, R for each pair of pixels in a row."""
    pairs = packed.reshape(height_px, width_px // 2, 4)
    ybr = np.empty((height_px, width_px, 3), np.uint8)
    ybr[:, 0::2, 0], ybr[:, 1::2, 0] = pairs[:, :, 0], pairs[:, :, 1]
    ybr[:, 0::2, 1:] = ybr[:, 1::2, 1:] = pairs[:, :, 2:]
    return ybr
