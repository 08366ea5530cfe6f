"""The sharpest frame of a clip."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from axilla.records.roi import Roi

# Of longer clips only every second (third ...) frame is compared, so that none takes minutes.
_MAX_COMPARED_PIXELS = 64_000_000
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian (four neighbours) of the image's luma.

    Source: Pech-Pacheco et al., ICPR 2000. Zero for images below 3 x 3 px.
    """
    if min(pixels.shape[:2]) < 3:  # noqa: PLR2004 - the Laplacian needs neighbours
        return 0.0
    luma = pixels.astype(np.float32) if pixels.ndim == 2 else pixels @ _LUMA  # noqa: PLR2004
    laplacian = (luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]) - 4.0 * luma[
        1:-1, 1:-1
    ]
    return float(laplacian.var(dtype=np.float64))


def sharpest(
    frames: Callable[[int], NDArray[np.uint8]], count: int, *, parts: Sequence[Roi]
) -> tuple[int, NDArray[np.uint8]]:
    """Return the index (from 0) and pixels of the frame that is sharpest within `parts`.

    Of equally sharp frames the first. Holds two frames at a time; of clips with more than 64
    megapixels in total it compares evenly spaced frames only. Without `parts`, the whole frame.
    """
    best, kept = 0, frames(0)
    if count == 1:
        return best, kept
    step = -(-count * kept.shape[0] * kept.shape[1] // _MAX_COMPARED_PIXELS)
    most = _sharpness_within(kept, parts)
    for index in range(step, count, step):
        pixels = frames(index)
        if (found := _sharpness_within(pixels, parts)) > most:
            best, kept, most = index, pixels, found
    return best, kept


def _sharpness_within(pixels: NDArray[np.uint8], parts: Sequence[Roi]) -> float:
    if not parts:
        return sharpness(pixels)
    return max(
        sharpness(pixels[part.top_px : part.bottom_px, part.left_px : part.right_px])
        for part in parts
    )
