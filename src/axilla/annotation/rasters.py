"""Which pixels an outline covers: those whose centre lies inside, without anti-aliasing."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""Corners (N, 2) of a closed line as (x, y), px; the last one joins the first."""

_CROSSINGS_AT_ONCE = 1_000_000


def fill_rings(rings: Sequence[Ring], *, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """Return the mask (H, W) of what the rings enclose by the even-odd rule, so rings cut holes.

    A pixel belongs to it if its centre does; of two outlines that share a line, each pixel along
    it belongs to one only. What lies outside the image is cut off.
    """
    # A ring's line flips every pixel to its right: after all flips, odd means inside.
    flips = np.zeros((height_px, width_px + 1), dtype=np.uint8)
    for ring in rings:
        for rows, columns in _crossings(ring, width_px=width_px, height_px=height_px):
            np.bitwise_xor.at(flips, (rows, columns), 1)
    return np.bitwise_xor.accumulate(flips, axis=1)[:, :-1].astype(np.bool_)


def fill_ellipse(
    centre_px: tuple[float, float],
    radii_px: tuple[float, float],
    *,
    clockwise_deg: float,
    width_px: int,
    height_px: int,
) -> NDArray[np.bool_]:
    """Return the mask (H, W) of an ellipse turned about its centre; y points down."""
    angle = math.radians(clockwise_deg)
    down = np.arange(height_px)[:, np.newaxis] + 0.5 - centre_px[1]
    across = np.arange(width_px)[np.newaxis, :] + 0.5 - centre_px[0]
    along = (across * math.cos(angle) + down * math.sin(angle)) / radii_px[0]
    beside = (down * math.cos(angle) - across * math.sin(angle)) / radii_px[1]
    inside: NDArray[np.bool_] = along**2 + beside**2 <= 1
    return inside


def _crossings(
    ring: Ring, *, width_px: int, height_px: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the rows whose centre line each side of the ring crosses, and the column after it."""
    start, end = ring, np.roll(ring, -1, axis=0)
    upper, lower = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(upper - 0.5), 0, height_px).astype(np.intp)
    past = np.clip(np.ceil(lower - 0.5), 0, height_px).astype(np.intp)
    counts = past - first
    # Sides in portions, so that a jagged line across a huge image does not fill the memory.
    portions = np.cumsum(counts) // _CROSSINGS_AT_ONCE
    for portion in np.unique(portions):
        sides = np.flatnonzero((portions == portion) & (counts > 0))
        repeated = np.repeat(sides, counts[sides])
        steps = np.arange(len(repeated)) - np.repeat(
            np.cumsum(counts[sides]) - counts[sides], counts[sides]
        )
        rows = first[repeated] + steps
        (x0, y0), (x1, y1) = start[repeated].T, end[repeated].T
        x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        yield rows, np.clip(np.ceil(x - 0.5), 0, width_px).astype(np.intp)
