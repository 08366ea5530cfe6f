"""The region of interest: an axis-aligned rectangle in pixels of the original image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from axilla.records.errors import RoiError


@dataclass(frozen=True, slots=True)
class Roi:
    """A rectangle in pixels of the original image; its right and bottom edges are exclusive."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.width_px <= 0 or self.height_px <= 0:
            raise RoiError(f"ROI {self} has no area; width and height must be at least 1 px.")

    @property
    def right_px(self) -> int:
        """First column to the right of the rectangle."""
        return self.left_px + self.width_px

    @property
    def bottom_px(self) -> int:
        """First row below the rectangle."""
        return self.top_px + self.height_px

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Return left, top, width and height in px, as files and messages have them."""
        return self.left_px, self.top_px, self.width_px, self.height_px

    def inside(self, *, width_px: int, height_px: int) -> bool:
        """Tell whether the rectangle lies wholly inside an image of this size."""
        return (
            self.left_px >= 0
            and self.top_px >= 0
            and self.right_px <= width_px
            and self.bottom_px <= height_px
        )

    def overlap(self, other: "Roi") -> "Roi | None":
        """Return the rectangle that both cover; None if they have no pixel in common."""
        left, top = max(self.left_px, other.left_px), max(self.top_px, other.top_px)
        right = min(self.right_px, other.right_px)
        bottom = min(self.bottom_px, other.bottom_px)
        if right <= left or bottom <= top:
            return None
        return Roi(left, top, right - left, bottom - top)

    def iou(self, other: "Roi") -> float:
        """Return the area that two rectangles share over the area that either covers (0 to 1)."""
        both = self.overlap(other)
        shared = both.width_px * both.height_px if both else 0
        areas = self.width_px * self.height_px + other.width_px * other.height_px
        return shared / (areas - shared)

    def __str__(self) -> str:
        return ",".join(map(str, self.sides))


def roi_around(mask: NDArray[np.bool_]) -> Roi | None:
    """Return the smallest rectangle that holds every true pixel of `mask` (H, W), if there is one.

    Source: paper 2.3.2, mask-guided region.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    left, top = int(columns[0]), int(rows[0])
    return Roi(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


@dataclass(frozen=True, slots=True)
class DrawnRoi:
    """A rectangle of one image, in px of the original, and the outline it was taken from.

    `image` is the path as the table writes it; `source` and `label` say which file and which of
    its classes the rectangle came from; `row` is the row of the file `table` that a person sees.
    """

    image: str
    roi: Roi
    mask: Path | None = None
    source: str = ""
    label: str = ""
    row: int = 0
    table: str = "rois.csv"
