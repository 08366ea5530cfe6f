"""Outlines become pixels and rectangles as other implementations make them."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from skimage.draw import ellipse as scikit_ellipse

from axilla.annotation.boxes import roi_from_extent, roi_from_mask
from axilla.annotation.outline_shapes import Bitmap, Box, Ellipse, Polygon, fill_rings, rotated_box
from axilla.records.errors import RoiError
from axilla.records.roi_rectangle import Roi

WIDTH, HEIGHT = 40, 30
SIZE = (WIDTH, HEIGHT)
ACROSS = st.floats(0, WIDTH, allow_subnormal=False)
DOWN = st.floats(0, HEIGHT, allow_subnormal=False)
RINGS = st.lists(st.tuples(ACROSS, DOWN), min_size=3, max_size=9).map(np.array)


def centres_inside(ring):
    """Ask matplotlib, whose rule is even-odd too, for the centre of each pixel."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    points = np.column_stack([columns.ravel(), rows.ravel()])
    closed = Outline(np.vstack([ring, ring[:1]]), closed=True)
    return closed.contains_points(points).reshape(HEIGHT, WIDTH)


def off_centre(ring):
    """No corner or side within 1e-6 px of a pixel's centre, where implementations may differ."""
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        length = math.hypot(x1 - x0, y1 - y0)
        if length < 1e-3:
            return False
        distance = np.abs((x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0)) / length
        if (distance < 1e-6).any():
            return False
    return True


@given(RINGS)
def test_polygons_are_filled_as_matplotlib_says(ring):
    assume(off_centre(ring))
    filled = fill_rings([ring], width_px=WIDTH, height_px=HEIGHT)
    np.testing.assert_array_equal(filled, centres_inside(ring))


@settings(max_examples=40)
@given(RINGS, RINGS)
def test_a_second_ring_cuts_a_hole(outer, inner):
    assume(off_centre(outer) and off_centre(inner))
    filled = fill_rings([outer, inner], width_px=WIDTH, height_px=HEIGHT)
    np.testing.assert_array_equal(filled, centres_inside(outer) ^ centres_inside(inner))


@given(RINGS)
def test_the_rectangle_of_a_polygon_holds_its_pixels_and_no_row_too_many(ring):
    polygon = Polygon((ring,))
    try:
        roi = polygon.roi(SIZE)
    except RoiError:
        assert np.ptp(ring, axis=0).min() < 0.01  # no area
        return
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    assert roi.inside(width_px=WIDTH, height_px=HEIGHT)
    assert left - 1 <= roi.left_px <= left + 1e-3
    assert top - 1 <= roi.top_px <= top + 1e-3
    assert right - 1e-3 <= roi.right_px < right + 1
    assert bottom - 1e-3 <= roi.bottom_px < bottom + 1
    mask = polygon.mask(SIZE)
    if mask.any():
        covered = roi_from_mask(mask)
        assert Roi.inside(
            Roi(
                covered.left_px - roi.left_px,
                covered.top_px - roi.top_px,
                covered.width_px,
                covered.height_px,
            ),
            width_px=roi.width_px,
            height_px=roi.height_px,
        )


@given(st.integers(0, 30), st.integers(0, 20), st.integers(1, 10), st.integers(1, 10))
def test_whole_pixels_stay_as_they_are(left, top, width, height):
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    polygon = Polygon((np.array(corners, dtype=float),))
    assert polygon.roi(SIZE) == Roi(left, top, width, height)
    np.testing.assert_array_equal(
        polygon.mask(SIZE), Box((left, top, left + width, top + height)).mask(SIZE)
    )
    assert roi_from_mask(polygon.mask(SIZE)) == Roi(left, top, width, height)


def test_polygons_that_share_a_line_share_no_pixel():
    left = np.array([(0, 0), (12.5, 0), (20.5, 30), (0, 30)])
    right = np.array([(12.5, 0), (40, 0), (40, 30), (20.5, 30)])
    masks = [fill_rings([r], width_px=WIDTH, height_px=HEIGHT).astype(int) for r in (left, right)]
    np.testing.assert_array_equal(sum(masks), np.ones((HEIGHT, WIDTH), dtype=int))


@pytest.mark.parametrize("angle", [0, 30, 90, 137.5])
def test_ellipses_are_filled_as_scikit_image_says(angle):
    mask = Ellipse((20.3, 14.8), (12, 5), angle).mask(SIZE)
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    # scikit-image puts a pixel's centre at whole numbers, and turns counter-clockwise.
    rows, columns = scikit_ellipse(
        14.3, 19.8, 5, 12, shape=expected.shape, rotation=-math.radians(angle)
    )
    expected[rows, columns] = True
    np.testing.assert_array_equal(mask, expected)
    roi = Ellipse((20.3, 14.8), (12, 5), angle).roi(SIZE)
    covered = roi_from_mask(mask)
    assert roi.iou(covered) > 0.8
    assert 0 <= covered.left_px - roi.left_px <= 1
    assert 0 <= roi.bottom_px - covered.bottom_px <= 1


def test_a_box_turned_by_a_right_angle_swaps_its_sides():
    box = rotated_box((10, 5), (12, 4), clockwise_deg=90, about_px=(10, 5))
    assert box.roi(SIZE) == Roi(6, 5, 4, 12)
    centre = rotated_box((10, 5), (12, 4), clockwise_deg=90, about_px=(16, 7))
    assert centre.roi(SIZE) == Roi(14, 1, 4, 12)
    assert not rotated_box((10, 5), (12, 4), clockwise_deg=360, about_px=(0, 0)).outlined


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        ((2.2, 3.7, 9.1, 8.0), Roi(2, 3, 8, 5)),
        ((-0.9, -1.0, 40.9, 30.4), Roi(0, 0, 40, 30)),
        ((2.0000001, 3.0, 5.9999999, 4.0000001), Roi(2, 3, 4, 1)),
    ],
)
def test_fractions_widen_to_whole_pixels(extent, expected):
    assert roi_from_extent(extent, width_px=WIDTH, height_px=HEIGHT) == expected


@pytest.mark.parametrize(
    ("extent", "found"),
    [
        ((-1.1, 0, 5, 5), "by 1.1 px"),
        ((0, 0, 5, 33), "by 3 px"),
        ((5, 5, 5, 9), "no area"),
        ((9, 5, 5, 9), "no area"),
        ((40.2, 5, 40.9, 9), "no area"),
    ],
)
def test_what_leaves_the_image_or_has_no_area_is_refused(extent, found):
    with pytest.raises(RoiError, match=found):
        roi_from_extent(extent, width_px=WIDTH, height_px=HEIGHT)


def test_bitmaps_are_cut_by_one_pixel_and_no_more():
    patch = np.ones((4, 5), dtype=bool)
    mask = Bitmap(lambda: patch, left_px=-1, top_px=27).mask(SIZE)
    assert roi_from_mask(mask) == Roi(0, 27, 4, 3)
    with pytest.raises(RoiError, match="a mask inside 40 x 30 px"):
        Bitmap(lambda: patch, left_px=37).mask(SIZE)
