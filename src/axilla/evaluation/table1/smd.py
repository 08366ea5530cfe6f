"""Standardised mean differences: how far apart groups are, whatever their size."""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from axilla.records.arrays import FloatArray, IntArray

_LEAST_FOR_SD = 2
_SLACK = 1e-9


def smd_of_numbers(samples: Sequence[FloatArray]) -> float:
    """Return |mean - mean| / sqrt((variance + variance) / 2), the largest over pairs of groups.

    `samples` are each group's values without NaN; variances divide by n - 1 (Austin, Stat Med
    2009;28:3083). NaN unless two groups have two values each; infinite if no group varies and
    their means differ.
    """
    usable = [sample for sample in samples if sample.size >= _LEAST_FOR_SD]
    return _largest(_pair_of_numbers(one, other) for one, other in combinations(usable, 2))


def smd_of_counts(counts: IntArray) -> float:
    """Return the standardised difference of a category, the largest over pairs of groups.

    `counts` is (levels, groups). For shares T and C of all levels but one, it is
    sqrt((T - C)' S^-1 (T - C)) with S the mean of both multinomial covariances (Yang & Dalton,
    SAS Global Forum 2012, paper 335). NaN unless two groups have patients; infinite if a level
    tells the groups apart without fail.
    """
    usable = counts[:, counts.any(axis=0)].T
    return _largest(_pair_of_counts(one, other) for one, other in combinations(usable, 2))


def _largest(differences: Iterable[float]) -> float:
    return max(differences, default=math.nan)


def _pair_of_numbers(one: FloatArray, other: FloatArray) -> float:
    apart = abs(float(one.mean() - other.mean()))
    spread = math.sqrt((float(one.var(ddof=1)) + float(other.var(ddof=1))) / 2)
    if spread > 0:
        return apart / spread
    return math.inf if apart > 0 else 0.0


def _pair_of_counts(one: IntArray, other: IntArray) -> float:
    present = (one + other) > 0
    first, second = (side[present] / side.sum() for side in (one, other))
    apart = (first - second)[1:]
    covariance = (_multinomial(first) + _multinomial(second))[1:, 1:] / 2
    solution = np.linalg.lstsq(covariance, apart, rcond=None)[0]
    if np.abs(covariance @ solution - apart).max(initial=0.0) > _SLACK:
        return math.inf
    return math.sqrt(max(float(apart @ solution), 0.0))


def _multinomial(shares: FloatArray) -> FloatArray:
    return np.diag(shares) - np.outer(shares, shares)
