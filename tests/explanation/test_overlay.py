"""Overlays: colours by sign, alpha by size, pixels where the window is, and nowhere else."""

import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

from axilla.explanation.overlay import AGAINST, FOR, colours, enlarge_map, overlay, strength
from axilla.records.roi_rectangle import Roi

GREY = np.full((60, 80, 3), 128, np.uint8)


def test_values_paint_their_own_place_and_strength():
    values = np.zeros((40, 20), np.float32)
    values[0, 0], values[0, 1], values[39, 19], values[20, 10] = 2.0, 0.5, -1.0, 9.0
    laid = overlay(GREY, values, window=Roi(30, 10, 20, 40), scale=2.0, opacity=1.0)
    assert tuple(laid[10, 30]) == FOR
    assert tuple(laid[30, 40]) == FOR  # beyond the scale: full, not more
    quarter = [round(128 * 191 / 255 + side * 64 / 255) for side in FOR]
    assert np.abs(laid[10, 31].astype(int) - quarter).max() <= 1
    assert np.abs(laid[49, 49].astype(int) - (128 + np.array(AGAINST)) / 2).max() <= 1
    untouched = np.ones((60, 80), bool)
    untouched[10:50, 30:50] = values == 0
    assert (laid[untouched] == 128).all()
    assert (GREY == 128).all()


@pytest.mark.parametrize(
    "window", [Roi(-10, -5, 40, 30), Roi(60, 40, 40, 40), Roi(-5, -5, 100, 100)]
)
def test_windows_beyond_the_image_are_cut_where_the_image_ends(window):
    values = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32)
    laid = overlay(GREY, values, window=window, scale=1.5)
    room = Image.new("RGB", (300, 300), (128, 128, 128))  # Pillow lays the same map on a larger one
    paint = colours(enlarge_map(values, width_px=window.width_px, height_px=window.height_px), 1.5)
    paint = paint.copy()
    paint[..., 3] = np.round(paint[..., 3] * 0.7)
    room.paste(
        Image.fromarray(paint[..., :3]),
        (100 + window.left_px, 100 + window.top_px),
        Image.fromarray(paint[..., 3]),
    )
    expected = np.asarray(room)[100:160, 100:180]
    assert np.abs(laid.astype(int) - expected).max() <= 2


def test_a_window_outside_changes_nothing():
    values = np.ones((7, 7), np.float32)
    np.testing.assert_array_equal(
        overlay(GREY, values, window=Roi(100, 100, 5, 5), scale=1.0), GREY
    )


def test_weak_evidence_looks_weak_and_no_scale_paints_nothing():
    strong = colours(np.full((2, 2), 1.0, np.float32), 1.0)[..., 3]
    weak = colours(np.full((2, 2), 0.1, np.float32), 1.0)[..., 3]
    assert strong.min() == 255
    assert weak.max() == 26
    assert colours(np.ones((2, 2), np.float32), 0.0)[..., 3].max() == 0


def test_strength_tells_no_sign():
    values = np.random.default_rng(1).normal(size=(9, 9)).astype(np.float32)
    np.testing.assert_array_equal(strength(values, 2.0), strength(-values, 2.0))
    assert (strength(values, 2.0)[..., :3] == strength(values, 2.0)[0, 0, :3]).all()


def test_enlarging_equals_another_implementation():
    values = np.random.default_rng(2).normal(size=(7, 7)).astype(np.float32)
    ours = enlarge_map(values, width_px=56, height_px=70)
    other = resize(values, (70, 56), order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(ours, other, atol=1e-5)
