"""How far a case lies from the training patients, and how many of them lie at least as far.

Squared Mahalanobis distances in the space that fusion sees (Lee et al., NeurIPS 2018), under a
covariance shrunk after Ledoit & Wolf (J Multivariate Anal 2004;88:365), turned into a share of
training patients by ranking it among their own leave-one-out distances: a conformal p-value
(Laxhammar & Falkman, Ann Math Artif Intell 2015;74:67).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.covariance import LedoitWolf

FloatArray = NDArray[np.float64]

FEWEST: Final = 20
"""Of fewer patients no reference is kept: the smallest p-value they allow is not small."""
UNFAMILIAR: Final = 0.01
"""Below this share of training patients at least as far, a case is called unfamiliar."""


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How far a case lies: its squared distance, and among how many `patients` it was ranked.

    `p` is the share of training patients at least as far, the case itself counted with them:
    uniform for a case that is exchangeable with them.
    """

    squared_distance: float
    p: float
    patients: int

    @property
    def unfamiliar(self) -> bool:
        """Tell whether fewer than 1 % of the patients lie as far; among fewer than 99, nobody."""
        return self.p < max(UNFAMILIAR, 1.5 / (self.patients + 1))

    def __str__(self) -> str:
        """Return the finding as the end of a sentence."""
        if self.p * (self.patients + 1) < 1.5:  # noqa: PLR2004 - the case itself, and rounding
            return f"further from the training patients than each of all {self.patients}"
        return f"further from the training patients than {1 - self.p:.1%} of them"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Training patients in short: `mean` (K,), `covariance` (K, K), sorted `distances` (n,).

    `distances` are squared, each of a patient from all others.
    """

    mean: FloatArray
    covariance: FloatArray
    distances: FloatArray

    def squared_distances(self, components: ArrayLike) -> FloatArray:
        """Return (N,) squared Mahalanobis distances of components (N, K)."""
        apart = np.asarray(components, dtype=np.float64) - self.mean
        solved = np.linalg.solve(self.covariance, apart.T)
        return np.asarray(np.einsum("nk,kn->n", apart, solved))

    def familiarity(self, components: ArrayLike) -> list[Familiarity]:
        """Rank cases (N, K) among the training patients."""
        found = self.squared_distances(components)
        n = len(self.distances)
        as_far = n - np.searchsorted(self.distances, found, side="left")
        return [
            Familiarity(float(distance), float((count + 1) / (n + 1)), n)
            for distance, count in zip(found, as_far, strict=True)
        ]


def fit_reference(components: ArrayLike) -> Reference | None:
    """Describe training patients (n, K); None of fewer than 20, or if they are all alike."""
    values = np.asarray(components, dtype=np.float64)
    if len(values) < FEWEST or not (np.ptp(values, axis=0) > 0).any():
        return None
    fitted = LedoitWolf().fit(values)
    distances = leave_one_out(values, shrinkage=float(fitted.shrinkage_))
    return Reference(
        np.asarray(fitted.location_), np.asarray(fitted.covariance_), np.sort(distances)
    )


def leave_one_out(values: FloatArray, *, shrinkage: float) -> FloatArray:
    """Return (n,) squared distances of each row of (n, K) from the mean of all others.

    The covariance is that of the others too, shrunk by the same share towards its mean variance.
    Taking one row out changes the unshrunk covariance by one outer product, so all n distances
    follow from one eigendecomposition (Sherman & Morrison, Ann Math Stat 1950;21:124).
    """
    n, width = values.shape
    apart = values - values.mean(axis=0)
    variances, axes = np.linalg.eigh(apart.T @ apart / n)
    turned = apart @ axes
    grown = n / (n - 1)
    mean_variance = grown * variances.sum() / width - grown / (n - 1) * (turned**2).sum(1) / width
    diagonal = (1 - shrinkage) * grown * variances + shrinkage * mean_variance[:, np.newaxis]
    plain = (turned**2 / diagonal).sum(axis=1)
    return np.asarray(grown**2 * plain / (1 - (1 - shrinkage) * grown / (n - 1) * plain))
