"""The learning curve: AUC by number of training patients, with an inverse power law.

Every share of the training patients is tested on the same patients, so the AUCs of one model move
together. The fitted curve is repeated on draws from their joint distribution, clustered by group,
with the spread of the points around the curve added for the luck of training.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator

from axilla.evaluation.intervals.confidence_intervals import DRAWS, LEVEL
from axilla.evaluation.metrics.delong import (
    auc_covariance,
    auc_influence,
    auc_interval,
    degrees_of_freedom,
)
from axilla.evaluation.prediction_arrays import ModelPredictions, model_predictions
from axilla.records.arrays import FloatArray
from axilla.records.digests import digest_of
from axilla.records.errors import ConfigError, Problem
from axilla.records.table_columns import LEARNING_CURVE, PREDICTIONS

FARTHEST: Final = 2.0
"""How many times the largest number of training patients a curve is followed."""

FEWEST_POINTS: Final = 4
_EXPONENTS: Final = -np.arange(5, 101) / 100  # from -0.05, nearly logarithmic, to -1
MEASURED, FITTED, GAIN = "auc", "auc_fitted", "auc_gain"
"""Metrics of learning_curve.csv: measured, the fitted curve, and fitted minus the whole study's."""
GAINS_AT: Final = (1.5, FARTHEST)
_CURVE_POINTS: Final = 41


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


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One model at every share, on the patients tested at all of them; sizes (K,), AUCs (K,)."""

    model: str
    shares: FloatArray
    patients: FloatArray
    predictions: tuple[ModelPredictions, ...]

    @property
    def aucs(self) -> FloatArray:
        """The measured AUCs."""
        return np.array([auc_influence(p.labels, p.probabilities).auc for p in self.predictions])


def learning_curve_table(
    predictions: pd.DataFrame, *, groups: Mapping[str, str] | None, seed: int
) -> pd.DataFrame:
    """Return learning_curve.csv of learning_curve_predictions.csv.

    A row `auc` per model and share with its clustered DeLong interval; where at least four shares
    were trained, rows `auc_fitted` along the fitted curve up to twice the patients, and
    `auc_gain`, what more patients would add. `training_patients` is the mean over folds. Raise
    `StudyError` for faulty rows.
    """
    curves = [
        _curve(str(model), rows, groups=groups)
        for model, rows in predictions.groupby("model", sort=False)
    ]
    luck = residual_spread([(curve.patients, curve.aucs) for curve in curves])
    rows: list[tuple[object, ...]] = []
    for curve in curves:
        rng = np.random.default_rng([seed, int(digest_of("learning curve", curve.model), 16)])
        rows += [*_list_measured(curve), *_list_fitted(curve, luck=luck, rng=rng)]
    return pd.DataFrame(rows, columns=list(LEARNING_CURVE))


def _curve(model: str, rows: pd.DataFrame, *, groups: Mapping[str, str] | None) -> Curve:
    shares, patients, found = [], [], []
    for share, part in rows.groupby("share", sort=True):
        folds = part.drop_duplicates(["repeat", "fold"])
        shares.append(float(str(share)))
        patients.append(float(folds["training_patients"].mean()))
        found.append(model_predictions(part[list(PREDICTIONS)], groups=groups))
    shared = set[str].intersection(*(set(p.patients) for p in found))
    return Curve(model, np.array(shares), np.array(patients), tuple(p.among(shared) for p in found))


def _list_measured(curve: Curve) -> Iterator[tuple[object, ...]]:
    for share, patients, p in zip(curve.shares, curve.patients, curve.predictions, strict=True):
        value, interval = auc_interval(p.labels, p.probabilities, clusters=p.clusters)
        yield (
            *(curve.model, share, round(patients), MEASURED),
            *(value, interval.low, interval.high),
            *(len(p.labels), int(p.labels.sum()), interval.method),
        )


def _list_fitted(curve: Curve, *, luck: float, rng: Generator) -> Iterator[tuple[object, ...]]:
    drawn = _draws(curve, luck=luck, rng=rng)
    if drawn is None:
        return
    largest = float(curve.patients.max())
    sizes = np.geomspace(curve.patients.min(), FARTHEST * largest, _CURVE_POINTS)
    ahead = np.array(GAINS_AT) * largest
    every = np.concatenate([sizes, ahead, [largest]])
    values = fit_power_law(curve.patients, curve.aucs[None]).at(every)[0]
    spread = fit_power_law(curve.patients, drawn).at(every)
    method = f"inverse power law (Figueroa 2012), {DRAWS} draws of patients and training luck"
    first = curve.predictions[0]
    tested = (len(first.labels), int(first.labels.sum()), method)
    for place, size in enumerate(every[: len(sizes)]):
        low, high = _bounds(values[place], spread[:, place])
        yield (
            *(curve.model, size / largest, round(float(size)), FITTED),
            *(values[place], low, high, *tested),
        )
    for place, size in enumerate(ahead, start=len(sizes)):
        gain = float(values[place] - values[-1])
        low, high = _bounds(gain, spread[:, place] - spread[:, -1])
        yield (
            *(curve.model, size / largest, round(float(size)), GAIN),
            *(gain, low, high, *tested),
        )


def _draws(curve: Curve, *, luck: float, rng: Generator) -> FloatArray | None:
    """Draw AUCs (draws, K) as other samples of patients and other trainings would give them."""
    one = curve.predictions[-1]
    influences = [auc_influence(p.labels, p.probabilities) for p in curve.predictions]
    per_patient = np.stack([influence.per_patient for influence in influences])
    covariance = auc_covariance(per_patient, one.labels, clusters=one.clusters)
    if len(influences) < FEWEST_POINTS or not np.isfinite(covariance).all():
        return None
    normal = rng.multivariate_normal(
        np.zeros(len(influences)), covariance, size=DRAWS, method="eigh"
    )
    if one.is_clustered:
        freedom = degrees_of_freedom(per_patient[-1], one.labels, clusters=one.clusters)
        if np.isfinite(freedom):
            normal *= np.sqrt(freedom / rng.chisquare(freedom, size=(DRAWS, 1)))
    return np.asarray(curve.aucs + normal + luck * rng.normal(size=normal.shape))


def _bounds(value: float, drawn: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(min(low, value)), float(max(high, value))
