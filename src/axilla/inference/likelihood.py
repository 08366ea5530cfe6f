"""Logistic regression on one number by maximum likelihood: the line behind every recalibration."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]

_STEPS: Final = 200
_HALVINGS: Final = 40
_SMALL_STEP: Final = 1e-6
_SMALLEST_STEP: Final = 1e-12


def clipped_logit(probabilities: ArrayLike, *, epsilon: float) -> FloatArray:
    """Return the logit, with probabilities below `epsilon` or above 1 - `epsilon` moved there."""
    values = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(logit(np.clip(values, epsilon, 1 - epsilon)))


def fit_line(values: ArrayLike, targets: ArrayLike) -> tuple[float, float]:
    """Return intercept and slope of the most likely logit(target) = intercept + slope x value.

    `values` (n,), at least two of them different; `targets` (n,) from 0 to 1. The answer is finite
    unless targets of 0 and 1 are separated by the values, which the caller must rule out. Newton's
    method, halving each step until the likelihood rises: the likelihood is concave.
    """
    value, target = (np.asarray(given, dtype=np.float64) for given in (values, targets))
    centre, spread = value.mean(), value.std()
    design = np.column_stack([np.ones(len(value)), (value - centre) / spread])
    line = np.zeros(2)
    for _ in range(_STEPS):
        chance = expit(design @ line)
        hessian = (design.T * (chance * (1 - chance))) @ design
        step = np.linalg.solve(hessian, design.T @ (target - chance))
        line, moved = _climb(line, step, design=design, target=target)
        if not moved:
            # Rounding hides so small a gain; the step itself is exact to its own square.
            if np.abs(step).max() < _SMALL_STEP:
                line = line + step
            break
    slope = line[1] / spread
    return float(line[0] - slope * centre), float(slope)


def _climb(
    line: FloatArray, step: FloatArray, *, design: FloatArray, target: FloatArray
) -> tuple[FloatArray, bool]:
    """Take the step, or the largest half of a half of it that raises the likelihood."""
    before = _loss(design @ line, target)
    for _ in range(_HALVINGS):
        further = line + step
        if np.abs(step).max() <= _SMALLEST_STEP * (1 + np.abs(line).max()):
            return further, False
        if _loss(design @ further, target) <= before:
            return further, True
        step = step / 2
    return line, False


def _loss(logits: FloatArray, target: FloatArray) -> float:
    return float((np.logaddexp(0, logits) - target * logits).sum())
