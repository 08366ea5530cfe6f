"""Packed masks: against known encodings, an encoder written from the format, and damage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from axilla.annotation.rle import decode_brush, decode_coco, decode_rows, encode_coco, unpack_words
from axilla.records.errors import RoiError

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


def coco_counts(mask):
    """Count pixel by pixel, down the columns; slow and plain."""
    height, width = mask.shape
    counts, value = [0], False
    for column in range(width):
        for row in range(height):
            if mask[row, column] != value:
                counts.append(0)
                value = not value
            counts[-1] += 1
    return counts


def pack(words, *, word_bits=8, run_bits=(3, 4, 8, 16)):
    """Write a bit stream as text, each run of equal numbers once, single numbers as they are."""
    text = f"{len(words):032b}{word_bits - 1:05b}" + "".join(f"{n - 1:04b}" for n in run_bits)
    at = 0
    while at < len(words):
        length = 1
        while at + length < len(words) and words[at + length] == words[at] and length < 2**16:
            length += 1
        kind = next(k for k, bits in enumerate(run_bits) if length <= 2**bits)
        flag = "1" if length > 1 else "0"
        text += f"{flag}{kind:02b}{length - 1:0{run_bits[kind]}b}{words[at]:0{word_bits}b}"
        at += length
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        # Worked out with the COCO API by others.
        ([0, 6, 1], "061"),
        ([0, 6, 1, 1], "061K"),
        ([0, 6, 1, 3], "061M"),
        ([0, 6, 1, 5], "061O"),
        ([0, 6, 1, 6], "0610"),
        ([0, 1, 1, 2, 1, 3, 1, 4, 1], "011101010"),
        ([0, 1024], "0PP1"),
    ],
)
def test_compressed_coco_runs_are_known(counts, text):
    size = {"width_px": sum(counts), "height_px": 1}
    mask = decode_coco(text, **size)
    np.testing.assert_array_equal(mask, decode_coco(counts, **size))
    assert encode_coco(mask) == text


@given(MASKS)
def test_coco_runs_go_down_the_columns(mask):
    height, width = mask.shape
    size = {"width_px": width, "height_px": height}
    np.testing.assert_array_equal(decode_coco(coco_counts(mask), **size), mask)
    np.testing.assert_array_equal(decode_coco(encode_coco(mask), **size), mask)


def test_cvat_runs_go_along_the_rows():
    mask = decode_rows([3, 2, 4, 1, 0, 2], width_px=4, height_px=3)
    assert mask.astype(int).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 1, 1]]


def test_a_stream_that_label_studio_packed():
    # The example of label-studio-converter's own test.
    packed = [0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32]
    words = unpack_words(bytes(packed), expected=18)
    assert words.tolist() == [1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 4, 4, 4, 4, 4, 4, 4, 4]


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9)), st.integers(0, 255))
def test_a_brush_is_where_it_is_half_opaque(opacity, colour):
    height, width = opacity.shape
    pixels = np.full((height, width, 4), colour, dtype=np.uint8)
    pixels[:, :, 3] = opacity
    packed = pack(pixels.ravel().tolist())
    mask = decode_brush(packed, width_px=width, height_px=height)
    np.testing.assert_array_equal(mask, opacity >= 128)


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ([3, 2], "5 px in all"),
        ([20, -8], "12 px in all"),
        ("06", "6 px in all"),
        ("0 1", "the character ' '"),
        ("0P", "end within a number"),
        ("0" + "P" * 9 + "1", "the character 'P'"),
        ("061A", "px in all"),
        ("\N{GREEK SMALL LETTER BETA}", "the character"),
    ],
)
def test_damaged_coco_runs_are_refused(counts, found):
    with pytest.raises(RoiError, match=found):
        decode_coco(counts, width_px=4, height_px=3)


@given(st.binary(max_size=40))
def test_damaged_streams_are_refused(packed):
    good = pack([7, 7, 7, 255] * 6)
    for damaged in (packed, good[:7] + packed, good[: len(good) // 2]):
        try:
            mask = decode_brush(damaged, width_px=3, height_px=2)
        except RoiError:
            continue
        assert mask.shape == (2, 3)


@pytest.mark.parametrize("decode", [decode_coco, decode_rows])
def test_huge_masks_are_refused_before_they_are_made(decode):
    with pytest.raises(RoiError, match="89 megapixels"):
        decode([10**12], width_px=10**6, height_px=10**6)
    with pytest.raises(RoiError, match="89 megapixels"):
        decode_brush(b"", width_px=10**6, height_px=10**6)
