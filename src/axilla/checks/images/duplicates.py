"""Which of many images are copies of each other: re-compressed, resized, cropped or mirrored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from axilla.checks.images.alignment import Prepared, agreement
from axilla.checks.images.descriptors import (
    LENGTH,
    SIDE,
    Images,
    describe,
    describe_windows,
    windows,
)

# Measured on the sample's images (benchmarks/duplicates.py): fingerprints of copies correlate
# by 0.59 and more, those of one in some 600 pairs of other ultrasound images by 0.55.
_CANDIDATE = 0.55
# Aligned, copies correlate by 0.91 and more, the most alike of 3.6 million other pairs by 0.71.
SAME = 0.8
_MOST_CANDIDATES = 20
_PRODUCTS_AT_ONCE = 8_000_000

_Level = TypeVar("_Level", bound=np.generic)

Turn = tuple[bool, int]
"""Whether an image is mirrored, and by how many quarters it is then turned to the left."""

MIRRORED: tuple[Turn, ...] = ((False, 0), (True, 0))
"""An ultrasound image may be shown from the other side, but has an up and a down."""
TURNED: tuple[Turn, ...] = tuple((mirror, q) for mirror in (False, True) for q in range(4))
"""A section lies on its slide as it fell."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images, by position, and how well they agree once aligned (1 = the same)."""

    first: int
    second: int
    agreement: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    """`second`, after a turn, may be a crop of `first` at a window."""

    first: int
    second: int
    window: int
    turn: int


def find_copies(
    thumbnails: NDArray[np.uint8], *, turns: Sequence[Turn] = MIRRORED, least: float = SAME
) -> tuple[Pair, ...]:
    """Return pairs of thumbnails (n, THUMBNAIL_PX, THUMBNAIL_PX) that agree by `least` or more.

    A pair is left out if both its images are tied to each other through other pairs already.
    Fingerprints of all images meet in one blocked product; those alike are aligned.
    """
    tied = Ties(len(thumbnails))
    prepared: dict[tuple[int, int], Prepared] = {}
    pairs = []
    for candidate in _candidates(thumbnails, turns):
        first, second = candidate.first, candidate.second
        if tied.root(first) == tied.root(second):
            continue
        for position, number in ((first, 0), (second, candidate.turn)):
            if (position, number) not in prepared:
                turned = _turned(thumbnails[position], turns[number])
                prepared[position, number] = Prepared.of(turned)
        found = agreement(
            prepared[first, 0],
            prepared[second, candidate.turn],
            window=windows()[candidate.window],
        )
        if found >= least:
            tied.tie(first, second)
            pairs.append(Pair(first, second, found))
    return tuple(pairs)


class Ties:
    """Sets of positions that grow together."""

    def __init__(self, count: int) -> None:
        """Start with every position alone."""
        self._above = list(range(count))

    def root(self, position: int) -> int:
        """Return the position that names the set."""
        while self._above[position] != position:
            self._above[position] = self._above[self._above[position]]
            position = self._above[position]
        return position

    def tie(self, first: int, second: int) -> None:
        """Make one set of two."""
        self._above[self.root(second)] = self.root(first)


def _candidates(thumbnails: NDArray[np.uint8], turns: Sequence[Turn]) -> Iterator[_Candidate]:
    """Yield the pairs of alike fingerprints, for each image and turn the most alike first."""
    upright = describe(thumbnails).reshape(-1, SIDE, SIDE)
    wholes = [_turned(upright, turn).reshape(-1, LENGTH).T for turn in turns]
    block = max(1, _PRODUCTS_AT_ONCE // (len(windows()) * max(len(thumbnails), 1)))
    for start in range(0, len(thumbnails), block):
        parts = describe_windows(thumbnails[start : start + block])
        for number, turned in enumerate(wholes):
            yield from _alike(parts, turned, start=start, turn=number)


def _turned(images: NDArray[_Level], turn: Turn) -> NDArray[_Level]:
    mirror, quarters = turn
    shown = images[..., ::-1] if mirror else images
    return np.ascontiguousarray(np.rot90(shown, quarters, (-2, -1)))


def _alike(parts: Images, wholes: Images, *, start: int, turn: int) -> Iterator[_Candidate]:
    count = len(parts)
    products = (parts.reshape(-1, LENGTH) @ wholes).reshape(count, len(windows()), -1)
    likeness = products.max(axis=1)
    own = np.arange(count)
    likeness[own, start + own] = -1
    for row in np.flatnonzero((likeness >= _CANDIDATE).any(axis=1)):
        order = np.argsort(-likeness[row], kind="stable")[:_MOST_CANDIDATES]
        for column in order[likeness[row, order] >= _CANDIDATE]:
            window = int(products[row, :, column].argmax())
            yield _Candidate(start + int(row), int(column), window=window, turn=turn)
