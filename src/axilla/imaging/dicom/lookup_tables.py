"""Stored gray values to tones from 0 to 255, as the file's own tables and windows ask."""

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.dicom.dicom_errors import DAMAGED, damaged
from axilla.imaging.dicom.elements import Attributes

_BYTE = 255.0
_MAX_TABLE_BITS = 16
_NARROWEST = 1e-6


def tone_table(
    attributes: Attributes, *, bits: int, signed: bool, inverted: bool
) -> NDArray[np.uint8]:
    """Return the tone (0..255) of each of the 2**`bits` stored patterns.

    Modality table or rescale first, then the first VOI table or window (DICOM PS3.3, C.11.1 and
    C.11.2); without one, the whole range of stored values fills 0..255. `inverted` is MONOCHROME1.
    """
    try:
        with np.errstate(all="raise", under="ignore"):
            values, low, high = _modality(attributes, _stored(bits, signed=signed))
            tones = _voi(attributes, values)
            if tones is None:
                tones = (values - low) / (high - low or 1.0) * _BYTE
    except DAMAGED as error:
        raise damaged("a damaged gray scale (modality or VOI table)") from error
    table = np.rint(np.clip(tones, 0.0, _BYTE)).astype(np.uint8)
    return 255 - table if inverted else table


def _stored(bits: int, *, signed: bool) -> NDArray[np.float64]:
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
        raise damaged("a gray scale table of another length than declared")
    positions = np.clip(values - first, 0, count - 1).astype(np.int64)
    return table[positions].astype(np.float64), bits
