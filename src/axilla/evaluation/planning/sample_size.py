"""Sample sizes for AUCs, sensitivity and specificity.

The number is the smallest from which on every larger study is precise or powerful enough, found by
trying all of them: classes are whole patients, so a formula rounded up may miss it by a few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri
from scipy.stats import binom, norm

from axilla.evaluation.intervals.confidence_intervals import NORMAL_QUANTILE
from axilla.records.arrays import FloatArray, IntArray
from axilla.records.errors import ConfigError, Problem

Scores = Literal["exponential", "normal"]
"""How scores are supposed to be distributed within a class, up to any rising transformation."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
DEFAULT_CORRELATION: Final = 0.5
"""Of two models' scores within a class: between none (far too many patients) and one (too few).

Models of one study share patients and often inputs; a finished study tells its own correlation.
"""
MOST_PATIENTS: Final = 1_000_000
_CHANCE: Final = 0.5
_FEWEST: Final = 4
_FEWEST_OF_CLASS: Final = 2
_WRONG_WAY: Final = "An AUC below 0.5 ranks the wrong way round; 1 leaves nothing to plan."
_MOST_OF_CLASS: Final = 50_000
_LEAST_WIDTH: Final = 0.01  # below it, more patients of a class than the search goes through
_RARE: Final = 1e-12


def require_between(name: str, value: float, low: float, high: float, *, remedy: str = "") -> None:
    """Raise `ConfigError` unless the value lies strictly between two bounds; NaN never does."""
    if not low < value < high:
        wanted = f"a number above {low:g} and below {high:g}"
        raise ConfigError(Problem(name, f"{value:g}", wanted, remedy))


def require_at_least(name: str, value: float, least: float, *, remedy: str = "") -> None:
    """Raise `ConfigError` unless the value is finite and not below `least`."""
    if not (isfinite(value) and value >= least):
        raise ConfigError(Problem(name, f"{value:g}", f"{least:g} or more", remedy))


def require_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise `ConfigError` unless the value is one of those known."""
    if value not in known:
        raise ConfigError(Problem(name, repr(value), f"one of {', '.join(known)}"))


def auc_variance(
    auc: float, n_positive: ArrayLike, n_negative: ArrayLike, *, scores: Scores = "exponential"
) -> FloatArray:
    """Return the sampling variance of an AUC, with the shape of the patient numbers.

    [A (1 - A) + (n1 - 1) (Q1 - A^2) + (n0 - 1) (Q2 - A^2)] / (n1 n0), with Q1 the chance that one
    positive outranks two negatives and Q2 that two positives outrank one negative. Source: Hanley
    & McNeil, Radiology 1982;143:29, equation 1, with Q1 = A / (2 - A) and Q2 = 2 A^2 / (1 + A)
    for exponential scores. For normal ones Q1 = Q2 is the orthant probability of two standard
    normals with correlation 1/2, both below the quantile of A.
    """
    require_choice("scores", scores, get_args(Scores))
    positive, negative = _sizes(n_positive, n_negative)
    if scores == "exponential":
        of_positive = auc / (2 - auc) - auc**2
        of_negative = 2 * auc**2 / (1 + auc) - auc**2
    else:
        of_positive = of_negative = orthant_excess(auc, auc, correlation=0.5)
    spread = auc * (1 - auc) + (positive - 1) * of_positive + (negative - 1) * of_negative
    return np.asarray(spread / (positive * negative))


def auc_covariance(
    auc_a: float,
    auc_b: float,
    n_positive: ArrayLike,
    n_negative: ArrayLike,
    *,
    correlation_positive: float,
    correlation_negative: float,
) -> FloatArray:
    """Return the covariance of two models' AUCs on the same patients, for normal scores.

    The correlations are those of the two models' scores within the positive and within the
    negative patients. Exact for the empirical AUC: it adds what a pair of patients shares, what
    one positive shares with two negatives, and one negative with two positives. Hanley & McNeil
    (Radiology 1983;148:839) tabulate this covariance, divided by the variance at the mean AUC.
    """
    positive, negative = _sizes(n_positive, n_negative)
    both, one_positive, one_negative = (
        orthant_excess(auc_a, auc_b, correlation=correlation)
        for correlation in (
            (correlation_positive + correlation_negative) / 2,
            correlation_positive / 2,
            correlation_negative / 2,
        )
    )
    shared = both + (negative - 1) * one_positive + (positive - 1) * one_negative
    return np.asarray(shared / (positive * negative))


def orthant_excess(one: float, other: float, *, correlation: float) -> float:
    """Return how much likelier two correlated standard normals are both small than if independent.

    P(U < u, V < v) - P(U < u) P(V < v), where `one` = P(U < u) and `other` = P(V < v). Source:
    Plackett, Biometrika 1954;41:351: the integral of the bivariate density over the correlation,
    here over its arc sine, which keeps the integrand smooth up to a correlation of 1.
    """
    u, v = float(ndtri(one)), float(ndtri(other))
    half = np.arcsin(correlation) / 2
    angles = half * (_NODES + 1)
    exponent = -(u**2 + v**2 - 2 * u * v * np.sin(angles)) / (2 * np.cos(angles) ** 2)
    return float(half * (_WEIGHTS @ np.exp(exponent)) / (2 * np.pi))


def _sizes(n_positive: ArrayLike, n_negative: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return np.asarray(n_positive, dtype=np.float64), np.asarray(n_negative, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SampleSize:
    """A number of patients, by class, and what it reaches: an interval's width, or a power."""

    n: int
    n_positive: int
    n_negative: int
    reached: float


@dataclass(frozen=True, slots=True)
class PairedAucs:
    """Two models to be compared on the same patients: AUCs, and correlations of their scores.

    The correlations are those within positive and within negative patients, of normal scores.
    """

    auc_a: float
    auc_b: float
    correlation_positive: float = DEFAULT_CORRELATION
    correlation_negative: float = DEFAULT_CORRELATION

    def __post_init__(self) -> None:
        require_auc("auc", self.auc_a)
        require_auc("versus", self.auc_b)
        for correlation in (self.correlation_positive, self.correlation_negative):
            require_between("correlation", correlation, -1, 1)
        if self.auc_a == self.auc_b:
            found = f"{self.auc_b:g} for both models"
            raise ConfigError(Problem("versus", found, "two AUCs that differ", "Change one."))

    def difference_sd(self, n_positive: IntArray, n_negative: IntArray) -> FloatArray:
        """Return the standard error of the AUC difference, with the shape of the numbers."""
        both = auc_covariance(
            self.auc_a,
            self.auc_b,
            n_positive,
            n_negative,
            correlation_positive=self.correlation_positive,
            correlation_negative=self.correlation_negative,
        )
        single = sum(
            auc_variance(auc, n_positive, n_negative, scores="normal")
            for auc in (self.auc_a, self.auc_b)
        )
        return np.asarray(np.sqrt(single - 2 * both))


def require_auc(name: str, value: float) -> None:
    """Raise `ConfigError` unless an AUC can be planned for: from 0.5, below 1."""
    if not _CHANCE <= value < 1:
        raise ConfigError(Problem(name, f"{value:g}", "0.5 or more, and below 1", _WRONG_WAY))


def design_effect(group_size: float, *, correlation: float) -> float:
    """Return how many times more patients are needed when they come in groups of this mean size.

    1 + (m - 1) rho, with rho the correlation of two patients of a group in what is measured.
    Source: Kish, Survey Sampling, 1965. For groups of unequal size it is somewhat too small.
    """
    require_at_least("group size", group_size, 1)
    require_between("group correlation", correlation, 0, 1)
    return 1 + (group_size - 1) * correlation


def class_sizes(n: IntArray, *, prevalence: float) -> tuple[IntArray, IntArray]:
    """Split numbers of patients into positive and negative ones, at least two of each."""
    require_between("prevalence", prevalence, 0, 1)
    positive = np.rint(n * prevalence).astype(np.int64)
    positive = np.clip(positive, _FEWEST_OF_CLASS, n - _FEWEST_OF_CLASS)
    return positive, n - positive


def auc_width(
    auc: float, *, n: int, prevalence: float, scores: Scores = "exponential", effect: float = 1.0
) -> SampleSize:
    """Return the expected full width of the AUC's 95 % interval with `n` patients.

    The interval is the one that `auc_interval` reports without groups, symmetric on the logit
    scale. `effect` multiplies the variance, as `design_effect` says.
    """
    require_auc("auc", auc)
    sizes = np.array([_check_size(n)])
    return _plan(n, _width(auc, sizes, prevalence, scores=scores, effect=effect), prevalence)


def patients_for_auc_width(
    auc: float,
    *,
    width: float,
    prevalence: float,
    scores: Scores = "exponential",
    effect: float = 1.0,
) -> SampleSize:
    """Return the fewest patients whose AUC has a 95 % interval of this full width or less."""
    require_auc("auc", auc)
    require_between("width", width, 0, 1)
    return _first_lasting(
        lambda n: _width(auc, n, prevalence, scores=scores, effect=effect),
        lambda reached: reached <= width,
        prevalence=prevalence,
    )


def difference_power(
    pair: PairedAucs, *, n: int, prevalence: float, alpha: float = 0.05, effect: float = 1.0
) -> SampleSize:
    """Return the power of a two-sided DeLong test of two paired AUCs with `n` patients.

    The test divides the difference by its standard error as the sample shows it, so that of the
    alternative counts throughout (Obuchowski & McClish, Stat Med 1997;16:1529, without their
    separate variance under the null).
    """
    require_between("alpha", alpha, 0, 1)
    sizes = np.array([_check_size(n)])
    return _plan(n, _power(pair, sizes, prevalence, alpha=alpha, effect=effect), prevalence)


def patients_for_difference(
    pair: PairedAucs, *, power: float, prevalence: float, alpha: float = 0.05, effect: float = 1.0
) -> SampleSize:
    """Return the fewest patients with which the difference is found with at least this power."""
    require_between("alpha", alpha, 0, 1)
    require_between("power", power, alpha, 1, remedy="Chance alone finds as much as alpha.")
    return _first_lasting(
        lambda n: _power(pair, n, prevalence, alpha=alpha, effect=effect),
        lambda reached: reached >= power,
        prevalence=prevalence,
    )


def wald_power(difference: float, standard_error: FloatArray, *, alpha: float) -> FloatArray:
    """Return the power of a two-sided test of a normal estimate with these standard errors."""
    quantile, shift = norm.ppf(1 - alpha / 2), abs(difference) / standard_error
    return np.asarray(norm.cdf(shift - quantile) + norm.cdf(-shift - quantile))


def fewest(suffices: Callable[[int], bool], *, least: int) -> int | None:
    """Return the smallest number, from `least` on, of a condition that once met stays met.

    None beyond a million.
    """
    lacking, enough = least - 1, least
    while not suffices(enough):
        if enough >= MOST_PATIENTS:
            return None
        lacking, enough = enough, min(2 * enough, MOST_PATIENTS)
    while enough - lacking > 1:
        middle = (lacking + enough) // 2
        lacking, enough = (lacking, middle) if suffices(middle) else (middle, enough)
    return enough


def too_many() -> ConfigError:
    """Return the error of a plan that no study can carry out."""
    return ConfigError(
        Problem(
            "plan",
            f"more than {MOST_PATIENTS:,} patients needed",
            "a study that can be done",
            "Ask for a wider interval, a lower power or assurance, or a larger difference.",
        )
    )


def logit_width(auc: float, half: FloatArray) -> FloatArray:
    """Return the full width of an interval that is symmetric on the logit scale.

    `half` is the quantile times the standard error of the AUC itself.
    """
    reach = half / (auc * (1 - auc))
    return np.asarray(expit(logit(auc) + reach) - expit(logit(auc) - reach))


def _width(
    auc: float, n: IntArray, prevalence: float, *, scores: Scores, effect: float
) -> FloatArray:
    variance = effect * auc_variance(auc, *class_sizes(n, prevalence=prevalence), scores=scores)
    return logit_width(auc, NORMAL_QUANTILE * np.sqrt(variance))


def _power(
    pair: PairedAucs, n: IntArray, prevalence: float, *, alpha: float, effect: float
) -> FloatArray:
    error = pair.difference_sd(*class_sizes(n, prevalence=prevalence)) * np.sqrt(effect)
    return wald_power(pair.auc_a - pair.auc_b, error, alpha=alpha)


def _first_lasting(
    reach: Callable[[IntArray], FloatArray],
    suffices: Callable[[FloatArray], NDArray[np.bool_]],
    *,
    prevalence: float,
) -> SampleSize:
    """Return the smallest number from which on every number up to the limit suffices."""
    n = np.arange(_FEWEST, MOST_PATIENTS + 1)
    reached = reach(n)
    failing = np.flatnonzero(~suffices(reached))
    first = int(failing[-1]) + 1 if len(failing) else 0
    if first == len(n):
        raise too_many()
    return _plan(int(n[first]), reached[first : first + 1], prevalence)


def _plan(n: int, reached: FloatArray, prevalence: float) -> SampleSize:
    positive, negative = class_sizes(np.array([n]), prevalence=prevalence)
    return SampleSize(n, int(positive[0]), int(negative[0]), float(reached[0]))


def _check_size(n: int) -> int:
    require_at_least("patients", n, _FEWEST, remedy="Two of each class are the least.")
    return n


def wilson_width(counted: ArrayLike, trials: ArrayLike) -> FloatArray:
    """Return the full width of Wilson's 95 % interval of `counted` in `trials`, broadcast."""
    n = np.asarray(trials, dtype=np.float64)
    share, unit = np.asarray(counted) / n, NORMAL_QUANTILE**2 / n
    return np.asarray(2 * np.sqrt(share * (1 - share) * unit + unit**2 / 4) / (1 + unit))


def expected_width(share: float, *, trials: int) -> float:
    """Return the mean width of Wilson's interval over the counts that `trials` patients may give.

    The mean is the binomial one, to the last count that matters, not the width at the mean count.
    """
    require_between("proportion", share, 0, 1)
    require_at_least("patients", trials, 1)
    low, high = (int(binom.ppf(tail, trials, share)) for tail in (_RARE, 1 - _RARE))
    counts = np.arange(low, high + 1)
    return float(binom.pmf(counts, trials, share) @ wilson_width(counts, trials))


def assurance_of_width(share: float, *, trials: NDArray[np.int64], width: float) -> FloatArray:
    """Return the chance that Wilson's interval is at most this wide, with the shape of `trials`.

    The width depends on the count k through k (n - k) alone, so the counts that give a narrow one
    lie below some count and above its mirror image.
    """
    n = trials.astype(np.float64)
    unit = NORMAL_QUANTILE**2 / n
    # Solved for the product of shares p (1 - p) at which the width is just the wanted one.
    product = ((width * (1 + unit) / 2) ** 2 - unit**2 / 4) / unit
    middle = np.sqrt(np.clip(0.25 - product, 0, None))
    below = np.floor(n * (0.5 - middle) + _RARE)
    inner = np.clip(n - 2 * below - 1, 0, None)
    some = binom.cdf(below, n, share) + binom.sf(below + inner, n, share)
    return np.asarray(np.where(product < 0, 0.0, some))


def patients_for_proportion_width(
    share: float,
    *,
    width: float,
    class_share: float,
    assurance: float | None = None,
    effect: float = 1.0,
) -> SampleSize:
    """Return the fewest patients for a Wilson 95 % interval of this full width.

    `share` is the expected sensitivity (or specificity) and `class_share` the prevalence (or one
    minus it): only that class counts, and the plan's `n_positive` is its size. Without
    `assurance` the width is kept on average, and the class is expected to be large enough; with
    it, both the width and the size are kept with at least this probability each. `effect`
    multiplies the number in the class.
    """
    require_between("proportion", share, 0, 1)
    require_between("width", width, _LEAST_WIDTH, 1)
    require_between("prevalence", class_share, 0, 1)
    if assurance is None:
        # The mean width falls with every patient.
        counted = _round_up(fewest(lambda n: expected_width(share, trials=n) <= width, least=1))
        reached = expected_width(share, trials=counted)
        counted = int(np.ceil(counted * effect))
        n = int(np.ceil(counted / class_share))
    else:
        require_between("assurance", assurance, 0.5, 1, remedy="Leave it out for the average.")
        counted, reached = _first_assured(share, width=width, assurance=assurance)
        counted = int(np.ceil(counted * effect))
        n = _round_up(
            fewest(lambda n: binom.sf(counted - 1, n, class_share) >= assurance, least=counted)
        )
    return SampleSize(n, counted, n - counted, reached)


def _first_assured(share: float, *, width: float, assurance: float) -> tuple[int, float]:
    """Return the smallest class from which on every larger one is assured, and its assurance."""
    trials = np.arange(1, _MOST_OF_CLASS + 1)
    assured = assurance_of_width(share, trials=trials, width=width)
    failing = np.flatnonzero(assured < assurance)
    first = int(failing[-1]) + 1 if len(failing) else 0
    if first == len(trials):
        raise too_many()
    return int(trials[first]), float(assured[first])


def _round_up(number: int | None) -> int:
    if number is None:
        raise too_many()
    return number
