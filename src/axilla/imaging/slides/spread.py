"""A choice of cells of a grid that is even over them all and always the same."""

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]


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
