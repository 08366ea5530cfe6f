"""The sharpest frame of a clip."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from axilla.imaging.decoded_image import LUMA
from axilla.records.roi_rectangle import Roi

# Of longer clips every second (third ...) frame is compared first: JPEG 2000 takes 50 ms a frame.
_MAX_COMPARED_PIXELS = 24_000_000
# A frame by its index, and a frame with its index.
Frames = Callable[[int], NDArray[np.uint8]]
Numbered = tuple[int, NDArray[np.uint8]]


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Return the variance of the Laplacian (four neighbours) of the image's luma.

    Source: Pech-Pacheco et al., ICPR 2000. Zero for images below 3 x 3 px.
    """
    if min(pixels.shape[:2]) < 3:  # noqa: PLR2004 - the Laplacian needs neighbours
        return 0.0
    luma = pixels.astype(np.float32) if pixels.ndim == 2 else pixels @ LUMA  # noqa: PLR2004
    laplacian = (luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]) - 4.0 * luma[
        1:-1, 1:-1
    ]
    return float(laplacian.var(dtype=np.float64))


def sharpest(frames: Frames, count: int, *, parts: Sequence[Roi]) -> Numbered:
    """Return the index (from 0) and pixels of the frame that is sharpest within `parts`.

    Holds two frames at a time. Of clips with more than 24 megapixels in total, evenly spaced
    frames are compared, then the neighbours of the sharpest. Without `parts`, the whole frame.
    """
    best = (0, frames(0))
    if count == 1:
        return best
    height, width = best[1].shape[:2]
    step = -(-count * height * width // _MAX_COMPARED_PIXELS)
    best = _sharper(frames, range(step, count, step), best, parts=parts)
    near = range(max(best[0] - step + 1, 0), min(best[0] + step, count))
    return _sharper(frames, [index for index in near if index != best[0]], best, parts=parts)


def _sharper(
    frames: Frames, indices: Iterable[int], best: Numbered, *, parts: Sequence[Roi]
) -> Numbered:
    """Return the sharpest of the frames `indices` and the `best` so far, which wins a tie."""
    most = _sharpness_within(best[1], parts)
    for index in indices:
        pixels = frames(index)
        found = _sharpness_within(pixels, parts)
        if found > most:
            best, most = (index, pixels), found
    return best


def _sharpness_within(pixels: NDArray[np.uint8], parts: Sequence[Roi]) -> float:
    if not parts:
        return sharpness(pixels)
    return max(
        sharpness(pixels[part.top_px : part.bottom_px, part.left_px : part.right_px])
        for part in parts
    )
