"""Small fingerprints of images and of their crops, whose products tell what may be a copy.

A fingerprint is the image at 16 x 16 px, less its local mean and over its local contrast (so that
brightness, gamma and the bright-to-dark layout that all ultrasound images share weigh little),
as a vector of length 1. A cropped copy matches the fingerprint of one of the other's crops.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from axilla.checks.images.look import THUMBNAIL_PX

SIDE = 16
LENGTH = SIDE * SIDE
_NEIGHBOURHOOD = 2.0
_FLOOR_LEVELS = 6.0
_STEP = 0.05
_KEPT = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
_KEPT_OF_ONE_SIDE = (0.95, 0.9, 0.85, 0.8)

Images = NDArray[np.float32]
Span = tuple[float, float]


@cache
def windows() -> tuple[tuple[Span, Span], ...]:
    """Return crops as (horizontal, vertical) spans in shares of the image's sides.

    They keep 75 to 100 % of both sides, or 80 to 95 % of one, every 5 % of a side, so that any
    crop between is at most half a pixel of the fingerprint away from one of them.
    """
    both = [(x, y) for kept in _KEPT for x in _spans(kept) for y in _spans(kept)]
    whole = _spans(1.0)[0]
    sides = [span for kept in _KEPT_OF_ONE_SIDE for span in _spans(kept)]
    return (*both, *((x, whole) for x in sides), *((whole, y) for y in sides))


def describe(thumbnails: NDArray[np.uint8]) -> Images:
    """Return the fingerprints (n, LENGTH) of thumbnails (n, THUMBNAIL_PX, THUMBNAIL_PX)."""
    shrink = _shrinking((0.0, 1.0))
    return _normalised(shrink @ thumbnails.astype(np.float32) @ shrink.T)


def describe_windows(thumbnails: NDArray[np.uint8]) -> Images:
    """Return the fingerprints (n, windows, LENGTH) of all crops of thumbnails."""
    spans = tuple(dict.fromkeys(span for window in windows() for span in window))
    shrink = np.concatenate([_shrinking(span) for span in spans])
    # Every horizontal span with every vertical one, of which the windows are picked.
    grid = shrink @ thumbnails.astype(np.float32) @ shrink.T
    grid = grid.reshape(len(thumbnails), len(spans), SIDE, len(spans), SIDE)
    columns = [spans.index(x) for x, _ in windows()]
    rows = [spans.index(y) for _, y in windows()]
    crops = grid.transpose(0, 1, 3, 2, 4)[:, rows, columns]
    flat = _normalised(crops.reshape(-1, SIDE, SIDE))
    return flat.reshape(len(thumbnails), len(windows()), LENGTH)


def flattened(images: Images, blur: Callable[[Images], Images]) -> Images:
    """Return images less what `blur` leaves of them, over their local contrast."""
    detail = images - blur(images)
    contrast = np.sqrt(np.maximum(blur(detail * detail), 0))
    return np.asarray(detail / (contrast + _FLOOR_LEVELS), dtype=np.float32)


@cache
def blurring(side: int, sigma_px: float) -> Images:
    """Return the matrix (side, side) that blurs a column by a Gaussian, the edges repeated."""
    unit = np.eye(side, dtype=np.float32)
    return gaussian_filter1d(unit, sigma_px, axis=0, mode="nearest")


def _spans(kept: float) -> list[Span]:
    starts = range(round((1 - kept) / _STEP) + 1)
    return [(round(start * _STEP, 2), round(start * _STEP + kept, 2)) for start in starts]


@cache
def _shrinking(span: Span) -> Images:
    """Return the matrix (SIDE, THUMBNAIL_PX) that averages a span into SIDE pixels."""
    edges = np.linspace(span[0], span[1], SIDE + 1) * THUMBNAIL_PX
    pixels = np.arange(THUMBNAIL_PX)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.maximum(covered, 0)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), dtype=np.float32)


def _normalised(images: Images) -> Images:
    # One product for both directions: thousands of 16 x 16 products cost more than their sums.
    blur = _blurring_both()
    vectors = flattened(images.reshape(-1, LENGTH), lambda flat: flat @ blur)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(1e-6)
    return vectors


@cache
def _blurring_both() -> Images:
    """Return the matrix (LENGTH, LENGTH) that blurs the rows of flat images in two dimensions."""
    blur = blurring(SIDE, _NEIGHBOURHOOD)
    return np.ascontiguousarray(np.kron(blur, blur).T)
