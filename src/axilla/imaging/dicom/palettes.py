"""Palettes: the colour of each stored value, from plain or segmented tables."""

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.dicom.dicom_errors import DAMAGED, Refused, damaged
from axilla.imaging.dicom.elements import Attributes

_CHANNELS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_FULL = 1 << 16
_BYTE = 255


def palette_table(attributes: Attributes, *, bits: int) -> NDArray[np.uint8]:
    """Return the colours (2**`bits`, 3) of all stored values; raise `Refused`.

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
        words = _stored(attributes, f"Segmented{name}Data", wide=depth > 8)  # noqa: PLR2004
        outputs = _expanded(words.tolist(), count=count, wide=depth > 8)  # noqa: PLR2004
    else:
        data = attributes.raw(f"{name}Data")
        outputs = _stored(attributes, f"{name}Data", wide=len(data) >= 2 * count)
    if len(outputs) < count:
        raise _broken()
    outputs = outputs[:count].copy()
    # Some scanners write 8-bit colours into tables that they declare as 16-bit.
    if outputs.max() > _BYTE:
        outputs >>= 8
    return outputs[np.clip(np.arange(size) - first, 0, count - 1)].astype(np.uint8)


def _stored(attributes: Attributes, keyword: str, *, wide: bool) -> NDArray[np.uint16]:
    data = attributes.raw(keyword)
    order = "<" if attributes.little_endian(keyword) else ">"
    kind = f"{order}u2" if wide else "u1"
    return np.frombuffer(data[: len(data) // 2 * 2], kind).astype(np.uint16)


def _expanded(words: list[int], *, count: int, wide: bool) -> NDArray[np.uint16]:
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


def _broken() -> Refused:
    return damaged("a damaged palette")
