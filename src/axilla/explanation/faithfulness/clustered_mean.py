"""The mean of patients who come in groups, with an interval that allows for the groups."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from axilla.records.estimate import Estimate

_UPPER: Final = 0.975
_FEWEST_GROUPS: Final = 2


def clustered_mean(
    values: Sequence[float], groups: Sequence[str], *, positive: Sequence[bool]
) -> Estimate:
    """Return the mean of one value per patient and its 95 % interval; NaN values are left out.

    The interval is Student's with the bias-reduced cluster variance CR2 and its Satterthwaite
    degrees of freedom (Bell & McCaffrey, Surv Methodol 2002;28:169), which keep their level with
    few and unequal groups. Where every patient is a group it is the ordinary t interval. Fewer
    than two groups allow no interval. `positive` tells who has the outcome.
    """
    told = np.isfinite(np.asarray(values, np.float64))
    kept = np.asarray(values, np.float64)[told]
    cases = int(told.sum())
    positives = int(np.asarray(positive, bool)[told].sum())
    mean = float(kept.mean()) if cases else np.nan
    _, group = np.unique(np.asarray(groups, dtype=str)[told], return_inverse=True)
    sizes = np.bincount(group).astype(np.float64)
    method = f"CR2 t interval, {len(sizes)} groups"
    if len(sizes) < _FEWEST_GROUPS:
        return Estimate(mean, np.nan, np.nan, cases, positives, f"{method}; no interval")
    total = np.bincount(group, kept - mean)
    variance = float((total**2 / (1 - sizes / cases)).sum()) / cases**2
    half = float(t.ppf(_UPPER, _freedom(sizes))) * variance**0.5
    return Estimate(mean, mean - half, mean + half, cases, positives, method)


def _freedom(sizes: NDArray[np.float64]) -> float:
    """Return Satterthwaite's degrees of freedom of the CR2 variance of a mean.

    They are those of a weighted sum of chi squares, whose matrix is the covariance of the adjusted
    group totals if all patients were independent and varied alike.
    """
    cases = sizes.sum()
    adjusted = sizes / np.sqrt(1 - sizes / cases)
    covariance = -np.outer(adjusted, adjusted) / cases
    np.fill_diagonal(covariance, sizes)
    return float(np.trace(covariance) ** 2 / (covariance**2).sum())
