import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import regionprops

from axilla.annotation.boxes import roi_from_mask, with_margin
from axilla.records.errors import RoiError
from axilla.records.roi_rectangle import Roi


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_roi_from_mask_matches_scikit_image(mask):
    if not mask.any():
        with pytest.raises(RoiError, match="no marked pixel"):
            roi_from_mask(mask)
        return
    top, left, bottom, right = regionprops(mask.astype(np.uint8))[0].bbox
    assert roi_from_mask(mask) == Roi(left, top, right - left, bottom - top)


@pytest.mark.parametrize(
    ("roi", "margin", "expected"),
    [
        (Roi(30, 20, 40, 20), 0.0, Roi(30, 20, 40, 20)),
        (Roi(30, 20, 40, 20), 0.25, Roi(20, 15, 60, 30)),
        (Roi(0, 0, 40, 20), 0.25, Roi(0, 0, 50, 25)),
        (Roi(70, 50, 30, 10), 2.0, Roi(10, 30, 90, 30)),
        (Roi(90, 0, 40, 100), 0.0, Roi(90, 0, 10, 60)),
    ],
)
def test_margin_is_a_share_of_the_sides_and_clips(roi, margin, expected):
    assert with_margin(roi, margin, width_px=100, height_px=60) == expected


def test_roi_beside_the_image():
    with pytest.raises(RoiError, match=r"inside the image \(100 x 60 px\)"):
        with_margin(Roi(200, 0, 10, 10), 0.25, width_px=100, height_px=60)


@given(
    st.integers(0, 80),
    st.integers(0, 40),
    st.integers(1, 20),
    st.integers(1, 20),
    st.floats(0, 2),
)
def test_margin_keeps_the_roi_and_the_frame(left, top, width, height, margin):
    roi = Roi(left, top, width, height)
    wide = with_margin(roi, margin, width_px=100, height_px=60)
    assert wide.inside(width_px=100, height_px=60)
    assert wide.left_px <= roi.left_px
    assert wide.right_px >= roi.right_px
    assert wide.top_px <= roi.top_px
    assert wide.bottom_px >= roi.bottom_px
