"""The exact test of independence in tables with small counts."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MOST_TABLES = 500_000
_DRAWS = 100_000
_SEED = 20_250_101
_TIE = 1e-7  # two probabilities that differ less are equal, as in R's fisher.test


def fisher_freeman_halton(counts: IntArray) -> tuple[float, str]:
    """Return the two-sided exact p of a table (levels, groups) without empty margins, and its name.

    The p is the probability, given the margins, of all tables that are no likelier than this one
    (Fisher for 2 x 2; Freeman & Halton, Biometrika 1951;38:141). All tables are listed where that
    is possible; else the p is (1 + extreme) / (1 + drawn) of 100,000 random tables with a fixed
    seed, and the name says `Monte Carlo`.
    """
    name = "Fisher exact" if counts.shape == (2, 2) else "Fisher-Freeman-Halton exact"
    observed = float(-gammaln(counts + 1.0).sum())
    logs = _every_table(counts.sum(axis=1), counts.sum(axis=0))
    if logs is None:
        return _simulated(counts, observed), f"{name}, Monte Carlo"
    weights = np.exp(logs - logs.max())
    extreme = logs <= observed + _TIE
    return float(min(weights[extreme].sum() / weights.sum(), 1.0)), name


def _every_table(rows: IntArray, columns: IntArray) -> FloatArray | None:
    """Return the log probability, up to a constant, of every table with these margins.

    Tables grow row by row, smallest row first, as (what is left of the columns, log so far); the
    largest row takes what is left. None if there are too many.
    """
    if len(rows) < len(columns):
        rows, columns = columns, rows
    left, logs = columns[np.newaxis, :], np.zeros(1)
    for total in np.sort(rows)[:-1]:
        parts = _compositions(int(total), columns)
        if parts is None or len(parts) * len(left) > _MOST_TABLES:
            return None
        remains = (left[:, np.newaxis] - parts).reshape(-1, len(columns))
        logs = (logs[:, np.newaxis] - gammaln(parts + 1.0).sum(axis=1)).reshape(-1)
        possible = (remains >= 0).all(axis=1)
        left, logs = remains[possible], logs[possible]
    every: FloatArray = logs - gammaln(left + 1.0).sum(axis=1)
    return every


def _compositions(total: int, limits: IntArray) -> IntArray | None:
    """Return every way to share `total` among columns, none above its limit; None if too many."""
    parts, left = np.zeros((1, 0), dtype=np.int64), np.array([total], dtype=np.int64)
    for position, limit in enumerate(limits):
        most = int(min(limit, total))
        if len(parts) * (most + 1) > _MOST_TABLES:
            return None
        here = np.arange(most + 1, dtype=np.int64)
        remains = left[:, np.newaxis] - here
        behind = int(limits[position + 1 :].sum())
        fits = (remains >= 0) & (remains <= behind)
        row, value = np.nonzero(fits)
        parts = np.column_stack([parts[row], here[value]])
        left = remains[fits]
    return parts


def _simulated(counts: IntArray, observed: float) -> float:
    tables = stats.random_table(counts.sum(axis=1), counts.sum(axis=0))
    rng = np.random.default_rng(_SEED)
    extreme, batch = 0, 1000
    for _ in range(_DRAWS // batch):
        drawn = tables.rvs(size=batch, random_state=rng)
        logs = -gammaln(drawn + 1.0).sum(axis=(1, 2))
        extreme += int((logs <= observed + _TIE).sum())
    return (1 + extreme) / (1 + _DRAWS)
