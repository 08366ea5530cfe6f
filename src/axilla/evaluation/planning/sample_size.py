"""How many patients a study of AUCs needs, and what a given number of them can show.

The number is the smallest from which on every larger study is precise or powerful enough, found by
trying all of them: classes are whole patients, so a formula rounded up may miss it by a few.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from axilla.evaluation.intervals.confidence_intervals import NORMAL_QUANTILE
from axilla.evaluation.planning.auc_moments import Scores, auc_covariance, auc_variance
from axilla.evaluation.planning.requirements import require_at_least, require_between
from axilla.records.errors import ConfigError, Problem

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DEFAULT_CORRELATION: Final = 0.5
"""Of two models' scores within a class: between none (far too many patients) and one (too few).

Models of one study share patients and often inputs; a finished study tells its own correlation.
"""

MOST_PATIENTS: Final = 1_000_000
_CHANCE: Final = 0.5
_FEWEST: Final = 4
_FEWEST_OF_CLASS: Final = 2
_WRONG_WAY: Final = "An AUC below 0.5 ranks the wrong way round; 1 leaves nothing to plan."


@dataclass(frozen=True, slots=True)
class Plan:
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
) -> Plan:
    """Return the expected full width of the AUC's 95 % interval with `n` patients.

    The interval is the one that `auc_interval` reports without groups, symmetric on the logit
    scale. `effect` multiplies the variance, as `design_effect` says.
    """
    require_auc("auc", auc)
    sizes = np.array([_checked(n)])
    return _plan(n, _width(auc, sizes, prevalence, scores=scores, effect=effect), prevalence)


def patients_for_auc_width(
    auc: float,
    *,
    width: float,
    prevalence: float,
    scores: Scores = "exponential",
    effect: float = 1.0,
) -> Plan:
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
) -> Plan:
    """Return the power of a two-sided DeLong test of two paired AUCs with `n` patients.

    The test divides the difference by its standard error as the sample shows it, so that of the
    alternative counts throughout (Obuchowski & McClish, Stat Med 1997;16:1529, without their
    separate variance under the null).
    """
    require_between("alpha", alpha, 0, 1)
    sizes = np.array([_checked(n)])
    return _plan(n, _power(pair, sizes, prevalence, alpha=alpha, effect=effect), prevalence)


def patients_for_difference(
    pair: PairedAucs, *, power: float, prevalence: float, alpha: float = 0.05, effect: float = 1.0
) -> Plan:
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
) -> Plan:
    """Return the smallest number from which on every number up to the limit suffices."""
    n = np.arange(_FEWEST, MOST_PATIENTS + 1)
    reached = reach(n)
    failing = np.flatnonzero(~suffices(reached))
    first = int(failing[-1]) + 1 if len(failing) else 0
    if first == len(n):
        raise too_many()
    return _plan(int(n[first]), reached[first : first + 1], prevalence)


def _plan(n: int, reached: FloatArray, prevalence: float) -> Plan:
    positive, negative = class_sizes(np.array([n]), prevalence=prevalence)
    return Plan(n, int(positive[0]), int(negative[0]), float(reached[0]))


def _checked(n: int) -> int:
    require_at_least("patients", n, _FEWEST, remedy="Two of each class are the least.")
    return n
