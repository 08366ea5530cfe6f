"""YBR colours to RGB."""

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 256
# ITU-R BT.601 in full range, as DICOM PS3.3 (C.7.6.3.1.2) gives it, inverted.
_RED_OF_CR, _GREEN_OF_CB, _GREEN_OF_CR, _BLUE_OF_CB = 1.402, 0.344136, 0.714136, 1.772
_GREY = 128.0


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


def widened(packed: NDArray[np.uint8], *, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Return YBR_FULL (H, W, 3) of YBR_FULL_422: Y, Y, B, R for each pair of pixels in a row."""
    pairs = packed.reshape(height_px, width_px // 2, 4)
    ybr = np.empty((height_px, width_px, 3), np.uint8)
    ybr[:, 0::2, 0], ybr[:, 1::2, 0] = pairs[:, :, 0], pairs[:, :, 1]
    ybr[:, 0::2, 1:] = ybr[:, 1::2, 1:] = pairs[:, :, 2:]
    return ybr
