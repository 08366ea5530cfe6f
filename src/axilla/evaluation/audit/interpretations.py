"""Ways to read a printed table: which column is which figure, and how figures were rounded.

All figures here are fractions of whole numbers of patients: `COUNTED` of `AMONG`, as multiples of
the cells TP, FP, FN, TN. A printed figure stands for a window of fractions, and whether a fraction
lies in it is decided in whole numbers, so that exact halves are never lost to floating point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from axilla.evaluation.audit.reported_table import ReportedModel
from axilla.evaluation.metrics.confusion import PROPORTIONS, Cells
from axilla.records.arrays import BoolArray, FloatArray, IntArray

Rounding = Literal["rounded", "truncated"]

FRACTIONS: Final[Mapping[str, tuple[Cells, Cells]]] = MappingProxyType(
    {
        **{name: PROPORTIONS[name] for name in ("precision", "recall", "accuracy")},
        **{name: PROPORTIONS[name] for name in ("specificity", "npv")},
        "f1": ((2, 0, 0, 0), (2, 1, 1, 0)),
    }
)
# How likely a printed figure is taken to be misprinted, before anything is known.
MISPRINT: Final = 0.1
# How believable each way of reading is, before anything is known: mostly, papers are right.
_AS_PRINTED: Final = 0.5
_ONE_SWAP: Final = 0.4
_OTHER_ORDER: Final = 0.1
_TRUNCATED: Final = 0.1
_MOST_PERMUTED: Final = 4  # columns; of more, only swaps of two are tried


@dataclass(frozen=True, slots=True)
class Interpretation:
    """`columns[i]` is the column that prints the figure `figures[i]`; `prior` before any data."""

    figures: tuple[str, ...]
    columns: tuple[str, ...]
    rounding: Rounding
    prior: float

    @property
    def displaced_columns(self) -> tuple[tuple[str, str], ...]:
        """Return (figure, column) wherever the column is headed by another name."""
        pairs = zip(self.figures, self.columns, strict=True)
        return tuple((figure, column) for figure, column in pairs if figure != column)

    @property
    def name(self) -> str:
        """Say it in words: as printed; precision and accuracy swapped."""
        words = "as printed"
        if len(self.displaced_columns) == len(("one", "other")):
            words = f"{self.displaced_columns[0][0]} and {self.displaced_columns[1][0]} swapped"
        elif self.displaced_columns:
            words = ", ".join(
                f"{figure} in column {column}" for figure, column in self.displaced_columns
            )
        return words if self.rounding == "rounded" else f"{words}, digits cut off"


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The fractions that printed figures stand for, (models, figures).

    A fraction a / b lies in a window if low <= scale a / b <= high, without the upper bound itself
    where digits were cut off. `shown` is False where nothing was printed.
    """

    figures: tuple[str, ...]
    low: IntArray
    high: IntArray
    scale: IntArray
    shown: BoolArray
    open_above: bool

    @property
    def centre(self) -> FloatArray:
        """Return the middle of each window."""
        return (self.low + self.high) / 2 / self.scale

    @property
    def gain(self) -> FloatArray:
        """Return how much likelier than by chance a right figure makes its matrix.

        Of 10^digits possible figures chance prints this one as often as any other; a matrix that
        has it prints it unless it is misprinted.
        """
        return (1 - MISPRINT) * self.scale / 2 + MISPRINT

    def subset(self, models: Sequence[int] | IntArray) -> "Windows":
        """Return the windows of some of the models."""
        chosen = np.asarray(models, dtype=np.int64)
        return Windows(
            self.figures,
            self.low[chosen],
            self.high[chosen],
            self.scale[chosen],
            self.shown[chosen],
            self.open_above,
        )


def readings_of(columns: Sequence[str]) -> tuple[Interpretation, ...]:
    """Return every reading to try: rounded in any order of columns, cut off in up to one swap.

    All orders of up to four columns are tried; of more, the printed one and each swap of two.
    """
    figures = tuple(columns)
    orders = [
        order
        for order in permutations(figures)
        if len(figures) <= _MOST_PERMUTED or _count_displaced(order, figures) <= 2  # noqa: PLR2004
    ]
    kinds = [min(3, _count_displaced(order, figures)) for order in orders]
    shares = {0: _AS_PRINTED, 2: _ONE_SWAP, 3: _OTHER_ORDER}
    total = sum(shares[kind] for kind in set(kinds))
    found = []
    for order, kind in zip(orders, kinds, strict=True):
        prior = shares[kind] / total / kinds.count(kind)
        found.append(Interpretation(figures, order, "rounded", prior * (1 - _TRUNCATED)))
        if kind < 3:  # noqa: PLR2004
            found.append(Interpretation(figures, order, "truncated", prior * _TRUNCATED))
    return tuple(found)


def _count_displaced(order: Sequence[str], figures: Sequence[str]) -> int:
    return sum(a != b for a, b in zip(order, figures, strict=True))


def windows_of(models: Sequence[ReportedModel], reading: Interpretation) -> Windows:
    """Return what the models' printed figures stand for under a reading, (models, figures)."""
    cells = [[model.figures.get(column) for column in reading.columns] for model in models]
    places = np.array([[cell.places if cell else 0 for cell in row] for row in cells], np.int64)
    scale = np.array([[2 * 10**cell.digits if cell else 2 for cell in row] for row in cells])
    shown = np.array([[cell is not None for cell in row] for row in cells])
    rounded = reading.rounding == "rounded"
    return Windows(
        figures=reading.figures,
        low=2 * places - rounded,
        high=2 * places + (1 if rounded else 2),
        scale=scale.astype(np.int64),
        shown=shown,
        open_above=not rounded,
    )


def within(windows: Windows, figure: int, *, counted: IntArray, among: IntArray) -> BoolArray:
    """Tell whether fractions counted / among, (..., models), lie in the windows of a figure."""
    low, high = windows.low[:, figure], windows.high[:, figure]
    scale = windows.scale[:, figure]
    scaled = counted * scale
    return np.asarray(
        (scaled >= low * among)
        & (high * among - scaled >= windows.open_above)
        & (among > 0)
        & windows.shown[:, figure]
    )
