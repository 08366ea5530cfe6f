"""What chance alone would do: outcomes shuffled in whole groups, and Holm's correction."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Shuffled = NDArray[np.float32]

DRAWS = 2000
_CELLS_AT_ONCE = 1_000_000
_ROUNDING = 1e-6  # of statistics in float32


def shuffled_outcomes(
    labels: IntArray, groups: IntArray, *, rng: Generator, draws: int = DRAWS
) -> Iterator[Shuffled]:
    """Yield `draws` shuffles of the outcome in arrays (N, some), 0 or 1.

    `labels` and `groups` are (N,), groups numbered from 0. Each group takes the outcomes of
    another, in a circle from a random member on until its own patients all have one: so outcomes
    stay as alike within groups as they are, and a relation to anything else is broken. Where
    every patient is a group, this is the usual permutation; otherwise the number of positives
    varies with the sizes of the groups.
    """
    sizes = np.bincount(groups)
    places = np.argsort(groups, kind="stable")
    starts = np.cumsum(sizes) - sizes
    member = np.empty_like(groups)
    member[places] = np.arange(len(labels)) - np.repeat(starts, sizes)
    by_group = labels[places].astype(np.float32)
    at_once = max(1, _CELLS_AT_ONCE // max(1, len(labels)))
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        donor = rng.permuted(np.tile(np.arange(len(sizes))[:, np.newaxis], (1, count)), axis=0)
        first = rng.integers(0, sizes[donor])
        turn = (member[:, np.newaxis] + first[groups]) % sizes[donor][groups]
        yield by_group[starts[donor][groups] + turn]


def p_by_chance(observed: float, by_chance: FloatArray) -> float:
    """Return the share of shuffles that do at least as well, the observed order being one."""
    reached = int((by_chance >= observed - _ROUNDING).sum())
    return (1 + reached) / (1 + len(by_chance))


def holm(p_values: Mapping[str, float], *, tests: int) -> dict[str, float]:
    """Return p-values corrected by Holm (1979); `tests` counts also those not listed.

    A test that is not listed counts as one with a larger p, which can only make the others'
    corrected values larger.
    """
    corrected: dict[str, float] = {}
    highest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (tests - rank)))
        corrected[name] = highest
    return corrected
