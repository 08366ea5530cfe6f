"""Annotated shapes (rectangles, polygons, ellipses, brushes) and their pixel masks."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from axilla.annotation.boxes import OUTSIDE_PX, Extent, enclosing, roi_from_extent, roi_from_mask
from axilla.records.errors import Problem, RoiError
from axilla.records.roi_rectangle import Roi

Ring = NDArray[np.float64]
"""Corners (N, 2) of a closed line as (x, y), px; the last one joins the first."""

_CROSSINGS_AT_ONCE = 1_000_000
Size = tuple[int, int]
"""Width and height of an image, px."""


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


class ShapePart(Protocol):
    """One closed piece of what was drawn; `outlined` if it says more than its rectangle."""

    outlined: ClassVar[bool]

    def roi(self, size: Size) -> Roi:
        """Return the smallest rectangle that holds it; raise `RoiError` if it does not fit."""

    def mask(self, size: Size) -> NDArray[np.bool_]:
        """Return the pixels (H, W) it covers; raise `RoiError` if it does not fit."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle by its edges, px."""

    extent: Extent
    outlined: ClassVar[bool] = False

    def roi(self, size: Size) -> Roi:
        """Return the smallest rectangle of whole pixels around it."""
        return roi_from_extent(self.extent, width_px=size[0], height_px=size[1])

    def mask(self, size: Size) -> NDArray[np.bool_]:
        """Return its whole pixels."""
        return fill_rectangle(self.roi(size), size)


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """Rings of corners; a ring inside another is a hole."""

    rings: tuple[Ring, ...]
    outlined: ClassVar[bool] = True

    def roi(self, size: Size) -> Roi:
        """Return the smallest rectangle that holds every corner."""
        corners = np.concatenate(self.rings)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        extent = (float(left), float(top), float(right), float(bottom))
        return roi_from_extent(extent, width_px=size[0], height_px=size[1])

    def mask(self, size: Size) -> NDArray[np.bool_]:
        """Return the pixels whose centre it encloses."""
        return fill_rings(self.rings, width_px=size[0], height_px=size[1])


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse turned clockwise about its centre."""

    centre_px: tuple[float, float]
    radii_px: tuple[float, float]
    clockwise_deg: float = 0.0
    outlined: ClassVar[bool] = True

    def roi(self, size: Size) -> Roi:
        """Return the smallest rectangle that holds it."""
        (x, y), (along, beside) = self.centre_px, self.radii_px
        cosine, sine = _turn(self.clockwise_deg)
        across = math.hypot(along * cosine, beside * sine)
        down = math.hypot(along * sine, beside * cosine)
        extent = (x - across, y - down, x + across, y + down)
        return roi_from_extent(extent, width_px=size[0], height_px=size[1])

    def mask(self, size: Size) -> NDArray[np.bool_]:
        """Return the pixels whose centre it encloses."""
        return fill_ellipse(
            self.centre_px,
            self.radii_px,
            clockwise_deg=self.clockwise_deg,
            width_px=size[0],
            height_px=size[1],
        )


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A mask (H, W) whose top left pixel lies at `left_px`, `top_px`; decoded when asked for.

    `whole`: it must have the size of its image.
    """

    decode: Callable[[], NDArray[np.bool_]]
    left_px: int = 0
    top_px: int = 0
    whole: bool = False
    outlined: ClassVar[bool] = True

    def roi(self, size: Size) -> Roi:
        """Return the smallest rectangle that holds its marked pixels."""
        return roi_from_mask(self.mask(size))

    def mask(self, size: Size) -> NDArray[np.bool_]:
        """Return it on a canvas of the image's size, cut where it leaves that by 1 px."""
        patch = self.decode()
        (height, width), (width_px, height_px) = patch.shape, size
        right, bottom = self.left_px + width, self.top_px + height
        beyond = max(-self.left_px, -self.top_px, right - width_px, bottom - height_px)
        if beyond > OUTSIDE_PX or (self.whole and (width, height) != size):
            raise RoiError(
                Problem(
                    "mask",
                    f"{width} x {height} px at {self.left_px},{self.top_px}",
                    f"a mask {'of' if self.whole else 'inside'} {width_px} x {height_px} px",
                    "Draw it on the original image.",
                )
            )
        left, top = max(0, self.left_px), max(0, self.top_px)
        cut = patch[top - self.top_px : height_px - self.top_px, left - self.left_px :]
        cut = cut[:, : width_px - left]
        canvas = np.zeros((height_px, width_px), dtype=np.bool_)
        canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        return canvas


@dataclass(frozen=True, slots=True)
class AnnotatedShape:
    """One object that a reader drew; `place` is where the file has it, `label` its class."""

    place: str
    label: str
    parts: tuple[ShapePart, ...]

    def roi(self, size: Size) -> Roi:
        """Return the smallest rectangle that holds all parts; raise `RoiError` if one is wrong."""
        return reduce(enclosing, (part.roi(size) for part in self.parts))

    def mask(self, size: Size) -> NDArray[np.bool_]:
        """Return the pixels (H, W) that any part covers; raise `RoiError` if none is."""
        covered = np.zeros((size[1], size[0]), dtype=np.bool_)
        for part in self.parts:
            covered |= part.mask(size)
        if not covered.any():
            raise RoiError(
                Problem(
                    "outline",
                    "no pixel inside",
                    "an outline around the lesion",
                    "Draw the lesion again.",
                )
            )
        return covered

    @property
    def is_outlined(self) -> bool:
        """Tell whether it says more than a rectangle."""
        return any(part.outlined for part in self.parts)


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """What one annotation file holds of one image.

    `names` are the image's names, the likeliest first; `size_px` is the size it had in the tool,
    None if the file does not say; `skipped` counts points, lines and what else has no area.
    """

    place: str
    names: tuple[str, ...]
    drawings: tuple[AnnotatedShape, ...]
    size_px: Size | None = None
    skipped: int = 0


def rotated_box(
    corner_px: tuple[float, float],
    sides_px: tuple[float, float],
    *,
    clockwise_deg: float,
    about_px: tuple[float, float],
) -> ShapePart:
    """Return a rectangle of top left corner and sides, turned clockwise about a point."""
    (left, top), (width, height) = corner_px, sides_px
    if clockwise_deg % 360 == 0:
        return Box((left, top, left + width, top + height))
    cosine, sine = _turn(clockwise_deg)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    corners += (left - about_px[0], top - about_px[1])
    turned = corners @ np.array([(cosine, sine), (-sine, cosine)])
    return Polygon((turned + about_px,))


def fill_rectangle(roi: Roi, size: Size) -> NDArray[np.bool_]:
    """Return the mask (H, W) of a rectangle inside an image of this size."""
    mask = np.zeros((size[1], size[0]), dtype=np.bool_)
    mask[roi.top_px : roi.bottom_px, roi.left_px : roi.right_px] = True
    return mask


def _turn(clockwise_deg: float) -> tuple[float, float]:
    angle = math.radians(clockwise_deg)
    return math.cos(angle), math.sin(angle)
