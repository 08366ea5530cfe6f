"""What a finished study tells of the next one: how sure more patients like these would make it.

Nothing is assumed about scores or groups: the standard errors are the study's own, clustered as
its tests are, and shrink with the square root of the number of patients. They keep what was luck
in them, and patients of another hospital are not patients like these.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axilla.evaluation.intervals.confidence_intervals import NORMAL_QUANTILE, t_quantile
from axilla.evaluation.metrics.delong import (
    auc_covariance,
    auc_influence,
    auc_interval,
    degrees_of_freedom,
)
from axilla.evaluation.planning.sample_size import fewest, logit_width, require_between, wald_power
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray

_NEGLIGIBLE_VARIANCE = 1e-20
_LEAST = 4


@dataclass(frozen=True, slots=True)
class AucPrecision:
    """One model's AUC, its 95 % interval, and what its patients are worth.

    `effect` is how many times larger the variance is than of as many unrelated patients, and
    `freedom` the degrees of freedom behind the interval, infinite without groups.
    """

    model: str
    n: int
    n_positive: int
    groups: int
    auc: float
    low: float
    high: float
    standard_error: float
    effect: float
    freedom: float

    @property
    def effective_n(self) -> float:
        """Number of unrelated patients that would be as informative."""
        return self.n / self.effect

    def patients_for_width(self, width: float) -> int | None:
        """Return the fewest patients like these for an interval of this full width.

        None where more than a million would be needed.
        """
        require_between("width", width, 0, 1)
        return fewest(lambda n: self.width(n) <= width, least=_LEAST)

    def width(self, n: int) -> float:
        """Return the full width of the interval with `n` patients like these."""
        ratio = n / self.n
        half = _quantile(self.freedom * ratio) * self.standard_error / ratio**0.5
        return float(logit_width(self.auc, np.array(half)))


@dataclass(frozen=True, slots=True)
class PairPrecision:
    """The difference of two AUCs on the same patients, and how sure the study is of it.

    `correlation` is that of the two AUCs, which is what pairing saves.
    """

    one: str
    other: str
    n: int
    difference: float
    standard_error: float
    correlation: float
    freedom: float

    def power(self, difference: float, *, n: int, alpha: float = 0.05) -> float:
        """Return the power of the paired test to see a true difference with `n` patients."""
        ratio = n / self.n
        # The test's quantile is Student's where there are groups: as if the estimate varied more.
        stretch = _quantile(self.freedom * ratio) / NORMAL_QUANTILE
        error = np.array(stretch * self.standard_error / ratio**0.5)
        return float(wald_power(difference, error, alpha=alpha))

    def patients_for_difference(
        self, difference: float, *, power: float, alpha: float = 0.05
    ) -> int | None:
        """Return the fewest patients like these for this power to see a true difference.

        None where more than a million would be needed.
        """
        require_between("difference", abs(difference), 0, 0.5)
        require_between("alpha", alpha, 0, 1)
        require_between("power", power, alpha, 1)
        return fewest(lambda n: self.power(difference, n=n, alpha=alpha) >= power, least=_LEAST)


def auc_precision(model: ModelPredictions) -> AucPrecision | None:
    """Return what a model's AUC tells of the next study; None where its variance is not known."""
    influence = auc_influence(model.labels, model.probabilities)
    alone = _variance(influence.per_patient, model, clusters=None)
    variance = _variance(influence.per_patient, model, clusters=model.clusters)
    if not min(alone, variance) > _NEGLIGIBLE_VARIANCE:
        return None
    _, interval = auc_interval(model.labels, model.probabilities, clusters=model.clusters)
    return AucPrecision(
        model.model,
        len(model.labels),
        int(model.labels.sum()),
        model.n_clusters,
        influence.auc,
        interval.low,
        interval.high,
        standard_error=variance**0.5,
        effect=variance / alone,
        freedom=_freedom(influence.per_patient, model),
    )


def pair_precision(one: ModelPredictions, other: ModelPredictions) -> PairPrecision | None:
    """Return what the difference of two models tells of the next study, on their shared patients.

    None where its variance is not known, or the two models were not repeated alike.
    """
    if one.patients != other.patients:
        shared = set(one.patients) & set(other.patients)
        one, other = one.among(shared), other.among(shared)
    if one.probabilities.shape[0] != other.probabilities.shape[0] or not len(one.labels):
        return None
    influences = [auc_influence(one.labels, m.probabilities) for m in (one, other)]
    change = influences[0].per_patient - influences[1].per_patient
    variance = _variance(change, one, clusters=one.clusters)
    if not variance > _NEGLIGIBLE_VARIANCE:
        return None
    both = auc_covariance(
        np.stack([influence.per_patient for influence in influences]),
        one.labels,
        clusters=one.clusters,
    )
    return PairPrecision(
        one.model,
        other.model,
        len(one.labels),
        influences[0].auc - influences[1].auc,
        standard_error=variance**0.5,
        correlation=float(both[0, 1] / np.sqrt(both[0, 0] * both[1, 1])),
        freedom=_freedom(change, one),
    )


def _variance(
    influence: FloatArray, model: ModelPredictions, *, clusters: NDArray[np.int64] | None
) -> float:
    return float(auc_covariance(influence[None], model.labels, clusters=clusters)[0, 0])


def _freedom(influence: FloatArray, model: ModelPredictions) -> float:
    if not model.is_clustered:
        return np.inf
    return degrees_of_freedom(influence, model.labels, clusters=model.clusters)


def _quantile(freedom: float) -> float:
    # Less than one degree of freedom bounds nothing; such a study is too small in any case.
    return t_quantile(max(freedom, 1.0))
