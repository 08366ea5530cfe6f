"""Variance and covariance that AUCs will have, before any patient is seen.

The Mann-Whitney form of the AUC has an exact variance for any distribution of scores; a model of
the scores fills in its two moments. Hanley and McNeil's is exponential, the other one normal with
equal spread in both classes (binormal), which also gives the covariance of two correlated models.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from axilla.evaluation.planning.requirements import require_choice

FloatArray = NDArray[np.float64]

Scores = Literal["exponential", "normal"]
"""How scores are supposed to be distributed within a class, up to any rising transformation."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


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
