"""Masks as annotation tools pack them: run lengths of COCO, CVAT and Label Studio."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.raster import MAX_PIXELS
from axilla.records.errors import Problem, RoiError

# COCO writes numbers in digits of 5 bits, lowest first, as printable characters from '0'.
_DIGIT_BITS = 5
_DIGIT = 0x1F
_SIGN = 0x10
_MORE = 0x20
_FIRST_CHARACTER = 48
_LAST_CHARACTER = _FIRST_CHARACTER + _DIGIT + _MORE
_MOST_DIGITS = 8
# From the fourth on, a run is written as its difference from the one before last.
_WRITTEN_WHOLE = 3

_CHANNELS = 4
_HALF_OPAQUE = 128
_BYTE_BITS = 8
_HEADER_BITS = 32 + 5 + 4 * 4


def decode_coco(counts: str | Sequence[int], *, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """Return the mask (H, W) of COCO run lengths, compressed (a string) or not.

    Runs of background and lesion alternate down the columns, background first. Raises
    `RoiError` if they do not fill the mask. Source: COCO API, maskApi.
    """
    runs = _coco_numbers(counts) if isinstance(counts, str) else counts
    flat = _alternating(runs, width_px * height_px)
    return np.ascontiguousarray(flat.reshape(width_px, height_px).T)


def encode_coco(mask: NDArray[np.bool_]) -> str:
    """Return the compressed COCO run lengths of a mask (H, W)."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = [0, *([0] if flat.size and flat[0] else []), *edges.tolist(), flat.size]
    runs = np.diff(bounds).tolist()
    text = []
    for index, run in enumerate(runs):
        number = run - runs[index - 2] if index >= _WRITTEN_WHOLE else run
        text.append(_coco_text(number))
    return "".join(text)


def decode_rows(runs: Sequence[int], *, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """Return the mask (H, W) of run lengths along the rows, background first, as CVAT writes.

    Raises `RoiError` if they do not fill the mask.
    """
    return _alternating(runs, width_px * height_px).reshape(height_px, width_px)


def decode_brush(packed: bytes, *, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """Return the mask (H, W) of a Label Studio brush: where it is at least half opaque.

    `packed` holds red, green, blue and opacity of every pixel, row by row; see `unpack_words`.
    Raises `RoiError` if it is damaged or of another size.
    """
    if width_px * height_px > MAX_PIXELS:
        raise _damage_error("a mask of more than 89 megapixels")
    words = unpack_words(packed, expected=width_px * height_px * _CHANNELS)
    opaque: NDArray[np.bool_] = words.reshape(height_px, width_px, -1)[:, :, -1] >= _HALF_OPAQUE
    return opaque


def unpack_words(packed: bytes, *, expected: int) -> NDArray[np.uint8]:
    """Return the numbers of a bit stream in the format of thi.ng/rle-pack.

    A header (32 bits count, 5 bits word size, 4 x 4 bits run sizes), then runs of one number, or
    of numbers as they are. Raises `RoiError` if they are not as many as `expected`, or larger
    than a byte. Source: npm package @thi.ng/rle-pack.
    """
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8))
    if (count := _number(bits, 0, 32)) != expected:
        raise _damage_error(f"{count} values, where the image has {expected}")
    if (word_bits := _number(bits, 32, 5) + 1) > _BYTE_BITS:
        raise _damage_error(f"values of {word_bits} bits")
    run_bits = [_number(bits, 37 + 4 * index, 4) + 1 for index in range(4)]
    places = 1 << np.arange(word_bits)[::-1]
    values = np.zeros(count, dtype=np.uint8)
    at, done = _HEADER_BITS, 0
    while done < count:
        repeated, size = _number(bits, at, 1), run_bits[_number(bits, at + 1, 2)]
        length = _number(bits, at + 3, size) + 1
        at += 3 + size
        end = at + (1 if repeated else length) * word_bits
        if end > bits.size or done + length > count:
            raise _damage_error("runs that end too early or too late")
        values[done : done + length] = bits[at:end].reshape(-1, word_bits) @ places
        at, done = end, done + length
    return values


def _number(bits: NDArray[np.uint8], start: int, size: int) -> int:
    if start + size > bits.size:
        raise _damage_error("runs that end too early or too late")
    return int("".join(map(str, bits[start : start + size].tolist())), 2)


def _alternating(runs: Sequence[int], total: int) -> NDArray[np.bool_]:
    if total > MAX_PIXELS:
        raise _damage_error("a mask of more than 89 megapixels")
    if any(run < 0 for run in runs) or sum(runs) != total:
        raise _damage_error(f"runs of {sum(runs)} px in all, where the mask has {total} px")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, np.asarray(runs, dtype=np.intp))


def _coco_numbers(text: str) -> list[int]:
    runs: list[int] = []
    number, digits = 0, 0
    for character in map(ord, text):
        if not _FIRST_CHARACTER <= character <= _LAST_CHARACTER or digits == _MOST_DIGITS:
            raise _damage_error(f"the character {chr(character)!r} in compressed runs")
        digit = character - _FIRST_CHARACTER
        number |= (digit & _DIGIT) << (_DIGIT_BITS * digits)
        digits += 1
        if digit & _MORE:
            continue
        if digit & _SIGN:
            number -= 1 << (_DIGIT_BITS * digits)
        runs.append(number + (runs[-2] if len(runs) >= _WRITTEN_WHOLE else 0))
        number, digits = 0, 0
    if digits:
        raise _damage_error("compressed runs that end within a number")
    return runs


def _coco_text(number: int) -> str:
    characters = []
    while True:
        digit = number & _DIGIT
        number >>= _DIGIT_BITS
        last = number == (-1 if digit & _SIGN else 0)
        characters.append(chr(_FIRST_CHARACTER + digit + (0 if last else _MORE)))
        if last:
            return "".join(characters)


def _damage_error(found: str) -> RoiError:
    return RoiError(Problem("mask", found, "the run lengths of a mask", "Export it again."))
