"""Recalibration of probabilities: monotone maps, and logistic regression on one variable.

It is fitted where thresholds are chosen, on predictions of patients outside the test fold, and
travels in the bundle. A map never falls, so it does not turn a ranking round.
"""

from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from scipy.special import expit, logit

from axilla.records.arrays import FloatArray
from axilla.records.errors import Problem, StudyError

_STEPS: Final = 200
_HALVINGS: Final = 40
_SMALL_STEP: Final = 1e-6
_SMALLEST_STEP: Final = 1e-12
RecalibrationKind = Literal["none", "platt", "isotonic"]
EPSILON: Final = 1e-12
"""Platt's map takes the logit of probabilities at most this close to 0 and 1."""


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


class _Map(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlattMap(_Map):
    """A line on the logit scale: logit(recalibrated) = intercept + slope x logit(probability)."""

    kind: Literal["platt"] = "platt"
    intercept: FiniteFloat
    slope: Annotated[FiniteFloat, Field(ge=0)]

    def apply(self, probabilities: ArrayLike) -> FloatArray:
        """Return recalibrated probabilities in the shape of `probabilities`; NaN stays NaN."""
        logits = clipped_logit(probabilities, epsilon=EPSILON)
        return np.asarray(expit(self.intercept + self.slope * logits))


class IsotonicMap(_Map):
    """Steps joined by straight lines: at each knot of `probabilities` one of `recalibrated`."""

    kind: Literal["isotonic"] = "isotonic"
    probabilities: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
    recalibrated: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        knots, heights = self.probabilities, self.recalibrated
        if len(knots) != len(heights) or any(np.diff(knots) <= 0) or any(np.diff(heights) < 0):
            message = "knots of an isotonic map must rise, each with one height that never falls"
            raise ValueError(message)
        return self

    def apply(self, probabilities: ArrayLike) -> FloatArray:
        """Return recalibrated probabilities in the shape of `probabilities`; NaN stays NaN.

        Beyond the outermost knots the map stays level. Level stretches make ties.
        """
        values = np.asarray(probabilities, dtype=np.float64)
        return np.asarray(np.interp(values, self.probabilities, self.recalibrated))


Recalibration = Annotated[PlattMap | IsotonicMap, Field(discriminator="kind")]


def fit_recalibration(
    kind: RecalibrationKind, labels: ArrayLike, *, probabilities: ArrayLike
) -> PlattMap | IsotonicMap | None:
    """Fit a map to predictions of patients outside the test fold; None = leave them as they are.

    `labels` (n,) of 0 and 1, `probabilities` (n,). None for kind `none`, and where nothing can be
    learnt: one class, equal probabilities, nobody. `platt` draws the outcomes in a little from 0
    and 1 (targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2)), so that its line is finite even where
    the classes are separated; a line that would fall is level instead. `isotonic` is the least-
    squares rising step function. Raise `StudyError` for probabilities outside 0 to 1. Source:
    Platt, in: Advances in Large Margin Classifiers, 1999, on the logit instead of an SVM's margin;
    Zadrozny & Elkan, KDD 2002:694.
    """
    label = np.asarray(labels, dtype=np.float64)
    probability = np.asarray(probabilities, dtype=np.float64)
    if not ((probability >= 0) & (probability <= 1)).all():
        raise StudyError(
            Problem(
                "recalibration",
                "probabilities that are none",
                "numbers from 0 to 1",
                "Training diverged; lower the learning rate.",
            )
        )
    if kind == "none" or len(np.unique(label)) < 2 or np.ptp(probability) == 0:  # noqa: PLR2004
        return None
    return _platt(label, probability) if kind == "platt" else _isotonic(label, probability)


def _platt(label: FloatArray, probability: FloatArray) -> PlattMap | None:
    logits = clipped_logit(probability, epsilon=EPSILON)
    if np.ptp(logits) == 0:
        return None
    n_positive = label.sum()
    n_negative = len(label) - n_positive
    targets = np.where(label == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    intercept, slope = fit_line(logits, targets)
    if slope < 0:
        intercept, slope = float(logit(targets.mean())), 0.0
    return PlattMap(intercept=intercept, slope=slope)


def _isotonic(label: FloatArray, probability: FloatArray) -> IsotonicMap:
    # Two seconds to import, and a bundle's manifest is read without it.
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415

    fitted = IsotonicRegression(out_of_bounds="clip").fit(probability, label)
    return IsotonicMap(
        probabilities=tuple(map(float, fitted.X_thresholds_)),
        recalibrated=tuple(map(float, fitted.y_thresholds_)),
    )
