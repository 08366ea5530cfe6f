"""Agreement of readers: percent agreement, kappa, Gwet's AC1, and their intervals.

Kappa falls where a finding is rare or nearly always there, even if readers hardly ever differ;
AC1 does not, so both are reported, beside the prevalence. Each coefficient carries what each
subject adds to it (its linearisation), from which follow a variance and an interval, also where
subjects come in clusters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import chi2

from axilla.evaluation.intervals.confidence_intervals import (
    FEWEST,
    LEVEL,
    Interval,
    no_interval,
    t_quantile,
)
from axilla.records.arrays import FloatArray, IntArray

_ROUNDING: Final = 1e-12
# Shares of yes of both readers to the agreement that chance gives.
Chance = Callable[[FloatArray, FloatArray], FloatArray]
_METHOD: Final = "profile likelihood"
_DROP: Final = float(chi2.ppf(LEVEL, 1))
_GRID: Final = 25
_ZOOMS: Final = 6
_ZOOM: Final = 6
_STEPS: Final = 14  # bisections, to 2 / 2**14
_LIKELIHOOD_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Coefficient:
    """A coefficient of agreement, `expected` by chance, of `n` subjects with two or more ratings.

    `parts` (subjects,) has the coefficient as its mean, and NaN where a subject does not enter;
    its spread gives the variance.
    """

    name: str
    value: float
    observed: float
    expected: float
    parts: FloatArray
    n: int


def percent_agreement(ratings: FloatArray, *, categories: int = 2) -> Coefficient:
    """Return the share of pairs of readers who agree, averaged over subjects.

    `ratings` (subjects, readers) holds categories from 0 and NaN where a reader gave none.
    """
    shares = _shares(ratings, categories=categories)
    return _coefficient("percent agreement", ratings, shares, expected=0.0, chances=None)


def cohen_kappa(ratings: FloatArray, *, categories: int = 2) -> Coefficient:
    """Return Cohen's kappa of two readers, over the subjects that both rated.

    The linearised variance is that of Fleiss, Cohen & Everitt (Psychol Bull 1969;72:323) but for
    n - 1 in the place of n. Source: Cohen, Educ Psychol Meas 1960;20:37.
    """
    complete = np.asarray(np.isfinite(ratings).all(axis=1))
    both = ratings[complete]
    paired = np.where(complete[:, None], ratings, np.nan)
    indicators = _indicators(both, categories=categories)
    one, other = indicators.mean(axis=0) if len(both) else np.full((2, categories), np.nan)
    chances = np.zeros(len(ratings))
    chances[complete] = (indicators[:, 0] @ other + indicators[:, 1] @ one) / 2
    shares = _shares(paired, categories=categories)
    return _coefficient(
        "Cohen's kappa", paired, shares, expected=float(one @ other), chances=chances
    )


def fleiss_kappa(ratings: FloatArray, *, categories: int = 2) -> Coefficient:
    """Return Fleiss' kappa of any number of readers, some of whom may have left out subjects.

    Sources: Fleiss, Psychol Bull 1971;76:378; missing ratings and variance as Gwet, Handbook of
    Inter-Rater Reliability, 4th ed. 2014, ch. 2 and 5.
    """
    shares = _shares(ratings, categories=categories)
    mean = _mean(shares)
    return _coefficient(
        "Fleiss' kappa", ratings, shares, expected=float(mean @ mean), chances=shares @ mean
    )


def gwet_ac1(ratings: FloatArray, *, categories: int = 2) -> Coefficient:
    """Return Gwet's AC1 of two or more readers, some of whom may have left out subjects.

    Source: Gwet, Br J Math Stat Psychol 2008;61:29.
    """
    shares = _shares(ratings, categories=categories)
    other = (1 - _mean(shares)) / (categories - 1)
    expected = float(_mean(shares) @ other)
    return _coefficient("Gwet's AC1", ratings, shares, expected=expected, chances=shares @ other)


def kappa(ratings: FloatArray, *, categories: int = 2) -> Coefficient:
    """Return Cohen's kappa of two readers, Fleiss' of more."""
    two = ratings.shape[1] == 2  # noqa: PLR2004
    return (cohen_kappa if two else fleiss_kappa)(ratings, categories=categories)


def standard_error(coefficient: Coefficient, *, clusters: IntArray | None = None) -> float:
    """Return the standard error from the parts of subjects, or of whole clusters of them.

    `clusters` (subjects,) numbers the subjects' clusters from 0. NaN with fewer than two.
    """
    total, groups = _totals(coefficient, clusters)
    if groups < FEWEST:
        return np.nan
    subjects = np.isfinite(coefficient.parts).sum()
    return float(np.sqrt((total**2).sum() * groups / (groups - 1)) / subjects)


def agreement_interval(coefficient: Coefficient, *, clusters: IntArray | None = None) -> Interval:
    """Return a 95 % interval that never leaves the coefficient's range.

    Wilson's interval of the coefficient on the scale from its least value to 1, with the number
    of subjects that its linearised variance is worth there (all of them, or all clusters, where
    readers never differ and no variance shows) and Student's quantile.
    """
    _, groups = _totals(coefficient, clusters)
    method = "Wilson on Gwet's linearised variance, t"
    method += f", {groups} clusters" if clusters is not None else ""
    if groups < FEWEST:
        undefined = coefficient.n and np.isnan(coefficient.value)
        reason = "chance agreement is complete" if undefined else "fewer than two subjects"
        return no_interval(method, reason=reason)
    least = 0.0 if coefficient.name == "percent agreement" else -1.0
    share = (coefficient.value - least) / (1 - least)
    error = standard_error(coefficient, clusters=clusters) / (1 - least)
    spread = share * (1 - share)
    trials = spread / error**2 if error > _ROUNDING and spread > _ROUNDING else float(groups)
    excess = t_quantile(groups - 1) ** 2 / trials
    centre = (share + excess / 2) / (1 + excess)
    half = np.sqrt(spread * excess + excess**2 / 4) / (1 + excess)
    low, high = (least + bound * (1 - least) for bound in (centre - half, centre + half))
    return Interval(float(min(low, coefficient.value)), float(max(high, coefficient.value)), method)


def _coefficient(
    name: str,
    ratings: FloatArray,
    shares: FloatArray,
    *,
    expected: float,
    chances: FloatArray | None,
) -> Coefficient:
    """Join the agreement of each subject with the chance that its ratings alone would give."""
    raters = (~np.isnan(ratings)).sum(axis=1)
    rated, several = raters > 0, raters > 1
    count = np.where(several, raters, FEWEST)
    same = (shares * (shares * count[:, None] - 1)).sum(axis=1) * count / (count * (count - 1))
    n, n_rated = int(several.sum()), int(rated.sum())
    observed = float(same[several].mean()) if n else np.nan
    if not n or expected > 1 - _ROUNDING:
        nothing = np.full(len(ratings), np.nan)
        return Coefficient(name, np.nan, observed, expected, nothing, n)
    value = (observed - expected) / (1 - expected)
    parts = n_rated / n * several * (same - expected) / (1 - expected)
    if chances is not None:
        parts = parts - 2 * (1 - value) * (chances - expected) / (1 - expected)
    return Coefficient(name, value, observed, expected, np.where(rated, parts, np.nan), n)


def _totals(coefficient: Coefficient, clusters: IntArray | None) -> tuple[FloatArray, int]:
    entering = np.isfinite(coefficient.parts)
    deviations = coefficient.parts[entering] - coefficient.value
    if clusters is None:
        return deviations, len(deviations)
    _, number = np.unique(clusters[entering], return_inverse=True)
    total = np.bincount(number, deviations).astype(np.float64)
    return total, len(total)


def _indicators(ratings: FloatArray, *, categories: int) -> FloatArray:
    """(subjects, readers, categories) of 0 and 1; all 0 where a reader gave no rating."""
    return np.asarray(ratings[..., None] == np.arange(categories), dtype=np.float64)


def _shares(ratings: FloatArray, *, categories: int) -> FloatArray:
    """(subjects, categories): which share of a subject's ratings fell in each category."""
    counts = _indicators(ratings, categories=categories).sum(axis=1)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _mean(shares: FloatArray) -> FloatArray:
    rated = shares[shares.any(axis=1)]
    return np.asarray(rated.mean(axis=0)) if len(rated) else np.full(shares.shape[1], np.nan)


def likelihood_interval(ratings: FloatArray, coefficient: Coefficient) -> Interval:
    """Return the 95 % profile likelihood interval of a coefficient of these ratings.

    `ratings` (subjects, 2) holds 0, 1 and NaN; subjects must be independent, and those whom one
    reader left out do not enter. The coefficient is Cohen's kappa or Gwet's AC1. The interval
    holds the values at which the best fitting shares of yes lose less than the 95 % quantile of
    chi-square with one degree of freedom.
    """
    chance = _kappa_chance if coefficient.name == "Cohen's kappa" else _ac1_chance
    both = ratings[~np.isnan(ratings).any(axis=1)]
    if not len(both) or np.isnan(coefficient.value):
        empty = "chance agreement is complete" if len(both) else "no subject with two ratings"
        return no_interval(_METHOD, reason=empty)
    yes_one, yes_other = both.T == 1
    counts = np.array(
        [
            (yes_one & yes_other).sum(),
            (yes_one & ~yes_other).sum(),
            (~yes_one & yes_other).sum(),
            (~yes_one & ~yes_other).sum(),
        ],
        dtype=np.float64,
    )
    seen = counts[counts > 0]
    best = float((seen * np.log(seen / seen.sum())).sum())

    def plausible(value: float) -> bool:
        return 2 * (best - _profile(counts, value, chance)) <= _DROP

    low, high = (
        _edge(plausible, inside=coefficient.value, outside=end)
        for end in (-1 + _LIKELIHOOD_ROUNDING, 1 - _LIKELIHOOD_ROUNDING)
    )
    return Interval(min(low, coefficient.value), max(high, coefficient.value), _METHOD)


def _edge(plausible: Callable[[float], bool], *, inside: float, outside: float) -> float:
    if plausible(outside):
        return round(outside)
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if plausible(middle):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2


def _profile(counts: FloatArray, value: float, chance: Chance) -> float:
    """Return the largest log likelihood at this value, over both readers' shares of yes.

    A grid of the two shares that closes in on its best point; -inf if no table has this value.
    """
    low, high = np.zeros(2), np.ones(2)
    best = -np.inf
    for _ in range(_ZOOMS):
        axes = np.linspace(low, high, _GRID)
        one, other = axes[:, :1], axes[None, :, 1]
        fit = _log_likelihood(counts, value, one, other, chance=chance)
        at = np.unravel_index(np.argmax(fit), fit.shape)
        if not np.isfinite(fit[at]):
            return best
        best = max(best, float(fit[at]))
        centre, reach = np.array([axes[at[0], 0], axes[at[1], 1]]), (high - low) / _ZOOM
        low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach, 1)
    return best


def _log_likelihood(
    counts: FloatArray, value: float, one: FloatArray, other: FloatArray, *, chance: Chance
) -> FloatArray:
    expected = chance(one, other)
    observed = expected + value * (1 - expected)
    yes = (observed - 1 + one + other) / 2
    cells = (yes, one - yes, other - yes, 1 - one - other + yes)
    possible = np.logical_and.reduce([cell >= -_LIKELIHOOD_ROUNDING for cell in cells])
    fit = sum(
        count * np.log(np.maximum(cell, np.finfo(float).tiny))
        for count, cell in zip(counts, cells, strict=True)
        if count
    )
    return np.where(possible, fit, -np.inf)


def _kappa_chance(one: FloatArray, other: FloatArray) -> FloatArray:
    return one * other + (1 - one) * (1 - other)


def _ac1_chance(one: FloatArray, other: FloatArray) -> FloatArray:
    mean = (one + other) / 2
    return 2 * mean * (1 - mean)
