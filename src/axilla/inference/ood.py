"""How far a case lies from the training patients, and how many of them lie at least as far.

Squared Mahalanobis distances in the space that fusion sees (Lee et al., NeurIPS 2018), under a
covariance shrunk after Ledoit & Wolf (J Multivariate Anal 2004;88:365), turned into a share of
training patients by ranking it among their own distances. Those are measured on inner folds, whose
axes, networks and covariance had not seen the patient: a cross-conformal p-value (Vovk, Ann Math
Artif Intell 2015;74:9). Leaving patients out of the covariance alone would not do: axes that were
fitted to a patient keep more of it than of a new one, and trained networks less.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from axilla.records.arrays import FloatArray

if TYPE_CHECKING:
    from sklearn.covariance import LedoitWolf


FEWEST: Final = 20
"""Of fewer patients no reference is kept: the smallest p-value they allow is not small."""
UNFAMILIAR: Final = 0.01
"""Below this share of training patients at least as far, a case is called unfamiliar."""


@dataclass(frozen=True, slots=True)
class OodScore:
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
        return self.furthest or self.p < UNFAMILIAR

    @property
    def furthest(self) -> bool:
        """Tell whether no patient lies as far."""
        return self.p * (self.patients + 1) < 1.5  # noqa: PLR2004 - the case itself, and rounding


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Training patients in short: `mean` (K,), `covariance` (K, K), sorted `distances` (n,).

    `distances` are squared, each of a patient from a training split that did not hold it.
    """

    mean: FloatArray
    covariance: FloatArray
    distances: FloatArray

    def squared_distances(self, components: ArrayLike) -> FloatArray:
        """Return (N,) squared Mahalanobis distances of components (N, K)."""
        apart = np.asarray(components, dtype=np.float64) - self.mean
        solved = np.linalg.solve(self.covariance, apart.T)
        return np.asarray(np.einsum("nk,kn->n", apart, solved))

    def familiarity(self, components: ArrayLike) -> list[OodScore]:
        """Rank cases (N, K) among the training patients."""
        found = self.squared_distances(components)
        n = len(self.distances)
        as_far = n - np.searchsorted(self.distances, found, side="left")
        return [
            OodScore(float(distance), float((count + 1) / (n + 1)), n)
            for distance, count in zip(found, as_far, strict=True)
        ]


def fit_reference(components: ArrayLike, distances: ArrayLike) -> Reference | None:
    """Describe training patients (n, K), and their `distances` (m,) out of fold.

    None of fewer than 20, or if they are all alike.
    """
    values = np.asarray(components, dtype=np.float64)
    ranked = np.sort(np.asarray(distances, dtype=np.float64))
    if len(ranked) < FEWEST or not (np.ptp(values, axis=0) > 0).any():
        return None
    fitted = _shrunk_covariance(values)
    return Reference(np.asarray(fitted.location_), np.asarray(fitted.covariance_), ranked)


def distances_between(training: ArrayLike, tested: ArrayLike) -> FloatArray:
    """Return (m,) squared distances of patients (m, K) from those of a training split (n, K)."""
    fitted = _shrunk_covariance(np.asarray(training, dtype=np.float64))
    return np.asarray(fitted.mahalanobis(np.asarray(tested, dtype=np.float64)))


def _shrunk_covariance(values: FloatArray) -> "LedoitWolf":
    # Two seconds to import, and a bundle predicts without it.
    from sklearn.covariance import LedoitWolf  # noqa: PLC0415

    return LedoitWolf().fit(values)
