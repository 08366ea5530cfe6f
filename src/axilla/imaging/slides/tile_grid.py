"""The grid of tiles on a slide, and a spatially even sample of its cells."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axilla.config.sections import TilesSection
from axilla.imaging.slides.mpp import Remark
from axilla.records.errors import Problem, UnreadableImage
from axilla.records.roi_rectangle import Roi

Cells = NDArray[np.int64]
_MOST_ENLARGED = 4


def strata(cells: Cells, count: int) -> list[Cells]:
    """Divide cells (N, 2; column, row) into at most `count` compact groups of nearly equal size.

    Groups are stretches of a Hilbert curve through the grid, so a draw of one cell from each is
    even over the cells. In each group the middle of its stretch stands first, the others follow
    by their distance from it along the curve.
    """
    along = cells[np.argsort(hilbert_position(cells), kind="stable")]
    groups = np.array_split(along, min(count, len(along)))
    return [group[_from_the_middle(len(group))] for group in groups]


def hilbert_position(cells: Cells) -> NDArray[np.int64]:
    """Return how far along the Hilbert curve each cell (N, 2; column, row >= 0) lies.

    The curve fills the smallest square of a power of two that holds all cells (Hilbert, Math.
    Ann. 38, 1891): cells near each other on it are near each other in the grid.
    """
    x, y = cells[:, 0].copy(), cells[:, 1].copy()
    position = np.zeros(len(cells), dtype=np.int64)
    bits = int(cells.max(initial=0)).bit_length()
    for bit in reversed(range(bits)):
        right, low = (x >> bit) & 1, (y >> bit) & 1
        position = (position << 2) + (3 * right ^ low)
        # Turn the quarter so that its own curve begins and ends where its neighbours' do.
        inside = (1 << bit) - 1
        x, y = x & inside, y & inside
        flipped = (low == 0) & (right == 1)
        x, y = np.where(flipped, inside - x, x), np.where(flipped, inside - y, y)
        x, y = np.where(low == 0, y, x), np.where(low == 0, x, y)
    return position


def _from_the_middle(length: int) -> NDArray[np.int64]:
    distance = np.abs(2 * np.arange(length, dtype=np.int64) - (length - 1))
    return np.argsort(distance, kind="stable")


class NoTissue(UnreadableImage):
    """A slide opens, but no tile of it holds enough tissue (finding `low_tissue`)."""


@dataclass(frozen=True, slots=True)
class SlidePlan:
    """The tiles of one slide, in pixels of its full resolution, and why there are not more.

    `mpp` is micrometres per pixel of the full resolution, `tissue_share` the share of the slide
    that is tissue. Of all `candidates` of the grid, `rejected_tissue` held too little of it,
    `rejected_pen` touched ink and `rejected_blur` were found out of focus, of those looked at.
    `remarks` are (code, problem) pairs for `axilla check`.
    """

    tiles: tuple[Roi, ...]
    mpp: float
    tissue_share: float
    candidates: int
    rejected_tissue: int
    rejected_pen: int
    rejected_blur: int
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Squares of `side_px` that lie wholly inside an image, centred in it."""

    left_px: int
    top_px: int
    side_px: int
    columns: int
    rows: int

    @classmethod
    def over(cls, width_px: int, height_px: int, *, side_px: int) -> "Grid":
        """Return the grid of an image; it has no squares if the image is smaller than one."""
        columns, rows = width_px // side_px, height_px // side_px
        left_px = (width_px - columns * side_px) // 2
        top_px = (height_px - rows * side_px) // 2
        return cls(left_px, top_px, side_px, columns=columns, rows=rows)

    @property
    def area(self) -> Roi:
        """The rectangle that all squares fill together."""
        width_px, height_px = self.columns * self.side_px, self.rows * self.side_px
        return Roi(self.left_px, self.top_px, width_px, height_px)

    def cells(self) -> Cells:
        """Return every (column, row), row by row."""
        rows, columns = np.divmod(np.arange(self.rows * self.columns), max(1, self.columns))
        return np.stack([columns, rows], axis=1).astype(np.int64)

    def square(self, cell: Iterable[int]) -> Roi:
        """Return the square of one (column, row) as a rectangle of the image."""
        column, row = (int(number) * self.side_px for number in cell)
        return Roi(self.left_px + column, self.top_px + row, self.side_px, self.side_px)


def plan_microscope_tiles(
    size: tuple[int, int],
    *,
    mpp: float,
    settings: TilesSection,
    side_px: int,
    name: str = "microscope image",
) -> tuple[Roi, ...]:
    """Return tiles of a microscope image of `size` (width, height), `mpp` um per pixel.

    Each covers `side_px` pixels of `settings.um_per_px`; of more than `settings.per_slide`, as
    many are chosen, spread evenly. An image smaller than one tile is one tile. Raises
    `UnreadableImage`, which calls the image `name`, if tiles would be enlarged more than 4 times.
    """
    width_px, height_px = size
    tile_px = tile_side(name, mpp=mpp, settings=settings, side_px=side_px)
    grid = Grid.over(width_px, height_px, side_px=tile_px)
    if not (grid.columns and grid.rows):
        return (Roi(0, 0, width_px, height_px),)
    groups = strata(grid.cells(), settings.per_slide)
    return in_reading_order(grid.square(group[0]) for group in groups)


def in_reading_order(tiles: Iterable[Roi]) -> tuple[Roi, ...]:
    """Sort tiles from top to bottom, then from left to right."""
    return tuple(sorted(tiles, key=lambda tile: (tile.top_px, tile.left_px)))


def tile_side(name: str, *, mpp: float, settings: TilesSection, side_px: int) -> int:
    """Return how many pixels of the image, `mpp` um each, are as wide as one tile.

    Raises `UnreadableImage` if the tile would be enlarged more than 4 times.
    """
    if mpp > settings.um_per_px * _MOST_ENLARGED:
        raise UnreadableImage(
            Problem(
                name,
                f"a pixel of {mpp:.3g} um",
                f"at most {settings.um_per_px * _MOST_ENLARGED:.3g} um for tiles of "
                f"{settings.um_per_px:.3g} um per pixel",
                "Correct pathology_mpp, raise tiles.um_per_px, or scan at a higher magnification.",
            )
        )
    return max(1, round(side_px * settings.um_per_px / mpp))
