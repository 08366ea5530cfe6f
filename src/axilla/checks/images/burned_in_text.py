"""Letters burned into an image, found without reading them.

A letter is a small bright component; letters of a word stand in a row, with the same top and the
same bottom, which speckle hardly ever does three times in a row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, grey_opening, label

from axilla.records.roi_rectangle import Roi

# Strokes are thinner than this, and stand out from what is behind them by one of the levels.
_STROKE_PX = 7
_LEVELS = (40, 70, 110)
_LOWEST_PX, _HIGHEST_PX = 5, 30
_WIDEST_HEIGHTS = 1.6
_LEAST_FILLED = 0.2
_LEAST_LETTERS = 3
# Largest gap between letters, in heights; how far tops and bottoms may differ.
_GAP_HEIGHTS = 1.6
_UNEVEN_PX, _UNEVEN_LARGE_PX, _LARGE_PX = 1, 2, 14
_EVERY_NEIGHBOUR = np.ones((3, 3), dtype=np.int8)

Boxes = NDArray[np.intp]
"""(n, 4): top, bottom, left, right in pixels."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A row of letters: where it stands, and how many there are at least."""

    box: Roi
    letters: int


def lines_in(gray: NDArray[np.uint8]) -> tuple[TextLine, ...]:
    """Return the rows of at least three letters in a gray image, from the longest down."""
    standing_out = gray - grey_opening(gray, size=(_STROKE_PX, _STROKE_PX))
    rows = [row for level in _LEVELS for row in _rows(_letters(standing_out > level))]
    lines: list[TextLine] = []
    for row in sorted(rows, key=len, reverse=True):
        line = _line(row)
        if not any(meet(line.box, known.box) for known in lines):
            lines.append(line)
    return tuple(lines)


def _letters(bright: NDArray[np.bool_]) -> Boxes:
    components, _ = label(bright, structure=_EVERY_NEIGHBOUR)
    slices = [found for found in find_objects(components) if found is not None]
    if not slices:
        return np.zeros((0, 4), np.intp)
    boxes = np.array([(y.start, y.stop, x.start, x.stop) for y, x in slices])
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    filled = np.bincount(components.ravel())[1:] / (heights * widths)
    alike = (heights >= _LOWEST_PX) & (heights <= _HIGHEST_PX)
    alike &= (widths <= _WIDEST_HEIGHTS * heights) & (filled > _LEAST_FILLED)
    return np.asarray(boxes[alike], dtype=np.intp)


def _rows(boxes: Boxes) -> list[Boxes]:
    """Link each letter to the next on its right, and return the chains that are long enough."""
    boxes = boxes[np.argsort(boxes[:, 2], kind="stable")]
    following = [_next(boxes, number) for number in range(len(boxes))]
    taken = np.zeros(len(boxes), bool)
    rows = []
    for number in range(len(boxes)):
        chain, link = [], number
        while link >= 0 and not taken[link]:
            taken[link] = True
            chain.append(link)
            link = following[link]
        if len(chain) >= _LEAST_LETTERS:
            rows.append(boxes[chain])
    return rows


def _next(boxes: Boxes, number: int) -> int:
    """Return the nearest letter of the same row to the right, or -1."""
    top, bottom, _, right = boxes[number]
    height = bottom - top
    uneven = _UNEVEN_PX if height < _LARGE_PX else _UNEVEN_LARGE_PX
    after = boxes[number + 1 :]
    gaps = after[:, 2] - right
    level = (np.abs(after[:, 0] - top) <= uneven) & (np.abs(after[:, 1] - bottom) <= uneven)
    near = np.flatnonzero(level & (gaps >= 0) & (gaps <= _GAP_HEIGHTS * height))
    return number + 1 + int(near[0]) if len(near) else -1


def _line(row: Boxes) -> TextLine:
    top, left = int(row[:, 0].min()), int(row[:, 2].min())
    width, height = int(row[:, 3].max()) - left, int(row[:, 1].max()) - top
    return TextLine(Roi(left, top, width, height), len(row))


def meet(one: Roi, other: Roi) -> bool:
    """Tell whether two rectangles share a pixel."""
    across = min(one.right_px, other.right_px) > max(one.left_px, other.left_px)
    return across and min(one.bottom_px, other.bottom_px) > max(one.top_px, other.top_px)
