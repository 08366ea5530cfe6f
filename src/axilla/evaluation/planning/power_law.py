"""An inverse power law through a learning curve, and how far it may be trusted.

AUC = s - b x^c, with s the AUC of endlessly many training patients and -1 <= c < 0 (Figueroa et
al., BMC Med Inform Decis Mak 2012;12:8). Few points and three parameters determine little; so the
curve is only ever given with the spread of curves through other samples, and not far beyond.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from axilla.records.errors import ConfigError, Problem

FloatArray = NDArray[np.float64]

FARTHEST: Final = 2.0
"""How many times the largest number of training patients a curve is followed."""

FEWEST_POINTS: Final = 4
_EXPONENTS: Final = -np.arange(5, 101) / 100  # from -0.05, nearly logarithmic, to -1


@dataclass(frozen=True, slots=True, eq=False)
class PowerLaw:
    """Fitted curves, one per row: limit s, drop b at the largest size, exponent c; all (n,)."""

    largest: float
    limit: FloatArray
    drop: FloatArray
    exponent: FloatArray

    def at(self, patients: FloatArray) -> FloatArray:
        """Return the AUCs at these numbers of training patients, (n, sizes).

        Raise `ConfigError` beyond twice the largest number that was trained on.
        """
        if patients.max() > FARTHEST * self.largest * (1 + 1e-9):
            raise ConfigError(
                Problem(
                    "learning curve",
                    f"{patients.max():.0f} training patients",
                    f"at most {FARTHEST:g} times the {self.largest:.0f} that were trained on",
                    "Collect some, and draw the curve again: nothing is known that far out.",
                )
            )
        scaled = (patients / self.largest)[None, :] ** self.exponent[:, None]
        return np.asarray(self.limit[:, None] - self.drop[:, None] * scaled)


def fit_power_law(patients: FloatArray, aucs: FloatArray) -> PowerLaw:
    """Fit one curve to each row of `aucs`, (n, points), at these numbers of training patients.

    Weighted least squares, weights rising with the number of patients as Figueroa et al. have
    them; more patients never harm (b >= 0), and no AUC passes 1 (s <= 1). The exponent is the
    best of 96, so there is nothing to diverge.
    """
    largest = float(patients.max())
    weights = patients / patients.sum()
    fits = [_fit_line((patients / largest) ** c, aucs, weights) for c in _EXPONENTS]
    losses = np.stack([loss for _, _, loss in fits])
    best = losses.argmin(axis=0)
    rows = np.arange(len(aucs))
    limits, drops = (np.stack([fit[k] for fit in fits])[best, rows] for k in (0, 1))
    return PowerLaw(largest, limits, drops, _EXPONENTS[best])


def residual_spread(
    curves: list[tuple[FloatArray, FloatArray]],
) -> float:
    """Return the standard deviation of AUCs around their fitted curves, pooled over models.

    It is what the luck of training adds: which patients were drawn, which initial weights. Each
    curve (patients, aucs) with p points has p - 3 degrees of freedom; 0 without any. The bounds on
    the curve take up less than three parameters, so the answer is rather too large.
    """
    squares, freedom = 0.0, 0
    for patients, aucs in curves:
        if len(patients) >= FEWEST_POINTS:
            fitted = fit_power_law(patients, aucs[None]).at(patients)[0]
            squares += float(((aucs - fitted) ** 2).sum())
            freedom += len(patients) - 3
    return (squares / freedom) ** 0.5 if freedom else 0.0


def _fit_line(
    basis: FloatArray, aucs: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return limit, drop and loss of the best s - b basis with b >= 0 and s <= 1, each (n,).

    The loss is convex, so where a bound is overstepped the best lies on it.
    """
    middle, means = float(weights @ basis), aucs @ weights
    spread = float(weights @ (basis - middle) ** 2)
    drop = -((aucs - means[:, None]) * (basis - middle)) @ weights / spread
    drop = np.maximum(drop, 0.0)
    limit = means + drop * middle
    over = limit > 1
    drop = np.where(over, (1 - aucs) @ (weights * basis) / float(weights @ basis**2), drop)
    drop, limit = np.maximum(drop, 0.0), np.where(over, 1.0, limit)
    loss = (aucs - limit[:, None] + drop[:, None] * basis) ** 2 @ weights
    return limit, drop, loss
