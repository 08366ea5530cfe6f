"""Shares of ratings that come in clusters, and differences between them."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from axilla.evaluation.comparisons.paired_tests import Difference, joined_bounds
from axilla.evaluation.intervals.confidence_intervals import (
    FEWEST,
    NORMAL_QUANTILE,
    Interval,
    effective_sample,
    no_interval,
    t_quantile,
    wilson,
)
from axilla.records.arrays import FloatArray, IntArray

_EXACT: Final = 13  # clusters up to which all sign flips are tried
_SHUFFLES: Final = 9999
_ROUNDING: Final = 1e-9


def clustered_share(
    counted: "pd.Series[float]", clusters: "pd.Series[str]"
) -> tuple[float, Interval]:
    """Return the share of ones with Wilson's interval for the sample that clusters are worth."""
    values = np.asarray(counted, dtype=np.float64)
    share = float(values.mean())
    number = _numbers(clusters)
    sample = effective_sample(values[None], np.ones((1, len(values))), clusters=number)
    if sample is None:
        return share, no_interval("Wilson clustered by case", reason="fewer than two cases")
    low, high = wilson(share, sample.trials, quantile=sample.quantile)
    method = f"Wilson clustered by case (effective n {sample.trials:.0f}, t)"
    return share, Interval(low, high, method)


def paired_share_difference(
    change: "pd.Series[float]", clusters: "pd.Series[str]", *, rng: Generator
) -> Difference:
    """Test the mean of paired differences of -1, 0 and 1, whole clusters together.

    The interval is Wilson's of (1 + mean) / 2 with the effective sample size of the clusters; at
    -1 and 1, where no variance shows, a cluster counts as one pair. The test turns the signs of
    whole clusters: exactly, or 9999 times by chance with more than 13 of them that differ.
    """
    values = np.asarray(change, dtype=np.float64)
    number = _numbers(clusters)
    groups = int(number.max()) + 1 if len(number) else 0
    method = f"paired by case, {groups} cases; Wilson with effective n, t; sign-flip test of cases"
    mean = float(values.mean()) if len(values) else np.nan
    if groups < FEWEST:
        return Difference(mean, no_interval(method, reason="fewer than two cases"), np.nan, np.nan)
    totals = np.bincount(number, values).astype(np.float64)
    deviations = np.bincount(number, values - mean) / len(values)
    variance = float((deviations**2).sum() * groups / (groups - 1)) / 4
    share = (1 + mean) / 2
    spread = share * (1 - share)
    shows = variance > _ROUNDING**2 and spread > _ROUNDING
    worth = spread / variance if shows else float(groups)
    quantile = t_quantile(groups - 1) if shows else NORMAL_QUANTILE
    low, high = (2 * bound - 1 for bound in wilson(share, worth, quantile=quantile))
    return Difference(
        mean, Interval(low, high, method), float(totals.sum()), _sign_flip_p(totals, rng)
    )


def separate_share_difference(
    counted: "pd.Series[float]",
    clusters: "pd.Series[str]",
    first: "pd.Series[bool]",
    *,
    rng: Generator,
) -> Difference:
    """Test the share of ones among the first clusters less that among the others.

    `first` says of every rating whether its cluster is one of the first. The interval joins both
    clustered Wilson intervals (Newcombe, Stat Med 1998;17:873, method 10); the test deals the
    clusters out anew.
    """
    method = "Newcombe from clustered Wilson intervals; permutation test of cases"
    if first.all() or not first.any():
        nothing = no_interval(method, reason="one group only")
        return Difference(np.nan, nothing, np.nan, np.nan)
    one, other = (clustered_share(counted[chosen], clusters[chosen]) for chosen in (first, ~first))
    interval = no_interval(method, reason="fewer than two cases in a group")
    if not np.isnan([one[1].low, other[1].low]).any():
        interval = Interval(*joined_bounds(one, other, correlation=0.0), method)
    number = _numbers(clusters)
    sums, sizes = np.bincount(number, counted), np.bincount(number)
    groups = np.bincount(number, first) > 0

    def statistic(chosen: NDArray[np.bool_]) -> FloatArray:
        inside, outside = chosen.astype(float), (~chosen).astype(float)
        return np.asarray(
            inside @ sums / np.maximum(inside @ sizes, 1)
            - outside @ sums / np.maximum(outside @ sizes, 1)
        )

    seen = float(statistic(groups[None])[0])
    p = _extreme(seen, lambda: statistic(rng.permuted(np.tile(groups, (_SHUFFLES, 1)), axis=1)))
    return Difference(one[0] - other[0], interval, seen, p)


def _sign_flip_p(totals: FloatArray, rng: Generator) -> float:
    """Two-sided p of the sum of cluster totals when each could have had the other sign."""
    differing = totals[np.abs(totals) > _ROUNDING]
    if not len(differing):
        return 1.0
    if len(differing) <= _EXACT:
        bits = np.arange(2 ** len(differing))[:, None] >> np.arange(len(differing)) & 1
        sums = (1 - 2 * bits) @ differing
        return float(np.mean(np.abs(sums) >= abs(differing.sum()) - _ROUNDING))
    signs = rng.choice((-1.0, 1.0), size=(_SHUFFLES, len(differing)))
    return _extreme(float(differing.sum()), lambda: signs @ differing)


def _extreme(seen: float, drawn: Callable[[], FloatArray]) -> float:
    return float((1 + (np.abs(drawn()) >= abs(seen) - _ROUNDING).sum()) / (_SHUFFLES + 1))


def _numbers(clusters: "pd.Series[str]") -> IntArray:
    return np.asarray(pd.factorize(clusters)[0], dtype=np.int64)
