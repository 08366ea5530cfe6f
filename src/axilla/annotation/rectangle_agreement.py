"""How far two readers' rectangles agree, image by image, and in size over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import f

from axilla.records.arrays import FloatArray
from axilla.records.roi_rectangle import Roi

_LEVEL: Final = 0.95
_FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class RectanglePair:
    """Two readers' rectangles of one image; `pixel_mm` is the side of a pixel, if known."""

    patient_id: str
    first: Roi
    second: Roi
    pixel_mm: float | None = None

    @property
    def iou(self) -> float:
        """Return the overlap of both, 0 to 1."""
        return self.first.iou(self.second)

    @property
    def distance_px(self) -> float:
        """Return how far the centres lie apart."""
        across = _middle(self.first.left_px, self.first.right_px)
        across -= _middle(self.second.left_px, self.second.right_px)
        down = _middle(self.first.top_px, self.first.bottom_px)
        down -= _middle(self.second.top_px, self.second.bottom_px)
        return math.hypot(across, down)

    def areas(self, *, mm: bool) -> tuple[float, float]:
        """Return both areas, in px, or in square millimetres where the pixel size is known."""
        scale = (self.pixel_mm or math.nan) ** 2 if mm else 1.0
        first, second = (roi.width_px * roi.height_px * scale for roi in (self.first, self.second))
        return first, second


@dataclass(frozen=True, slots=True)
class Icc:
    """An intraclass correlation with its 95 % interval, of `n` subjects."""

    value: float
    low: float
    high: float
    n: int


def icc_agreement(ratings: Sequence[Sequence[float]]) -> Icc:
    """Return ICC(2,1) of (subjects, readers): two-way random, absolute agreement, one reader.

    NaN with fewer than two subjects, or if nothing differs. Sources: Shrout & Fleiss, Psychol
    Bull 1979;86:420 (case 2); interval McGraw & Wong, Psychol Methods 1996;1:30 (ICC(A,1)).
    """
    table = np.asarray(ratings, dtype=np.float64)
    n, k = table.shape if table.ndim == 2 else (0, 0)  # noqa: PLR2004 - a table has two
    if n < _FEWEST or k < _FEWEST or np.ptp(table) == 0:
        return Icc(math.nan, math.nan, math.nan, n)
    rows, columns, rest = _mean_squares(table)
    value = (rows - rest) / (rows + (k - 1) * rest + k * (columns - rest) / n)
    if rest <= 0 and columns <= 0:
        return Icc(1.0, 1.0, 1.0, n)
    freedom = _satterthwaite(value, columns=columns, rest=rest, shape=(n, k))
    above = float(f.ppf((1 + _LEVEL) / 2, n - 1, freedom))
    below = float(f.ppf((1 + _LEVEL) / 2, freedom, n - 1))
    spread = k * columns + (k * n - k - n) * rest
    low = n * (rows - above * rest) / (above * spread + n * rows)
    high = n * (below * rows - rest) / (spread + n * below * rows)
    return Icc(float(value), float(low), float(high), n)


def _mean_squares(table: FloatArray) -> tuple[float, float, float]:
    """Return the mean squares between subjects, between readers, and of what is left."""
    n, k = table.shape
    of_rows, of_columns, whole = table.mean(axis=1), table.mean(axis=0), table.mean()
    rows = k * ((of_rows - whole) ** 2).sum() / (n - 1)
    columns = n * ((of_columns - whole) ** 2).sum() / (k - 1)
    left = table - of_rows[:, None] - of_columns + whole
    return float(rows), float(columns), float((left**2).sum() / ((n - 1) * (k - 1)))


def _satterthwaite(value: float, *, columns: float, rest: float, shape: tuple[int, int]) -> float:
    n, k = shape
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    readers = (a * columns) ** 2 / (k - 1)
    return float((a * columns + b * rest) ** 2 / (readers + (b * rest) ** 2 / ((n - 1) * (k - 1))))


def _middle(start: float, end: float) -> float:
    return (start + end) / 2
