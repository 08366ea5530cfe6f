"""Operating thresholds: from which probability on a patient is called positive."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axilla.records.errors import Problem, StudyError
from axilla.records.study import ThresholdRule

NEUTRAL: Final = 0.5

Rule = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]


def choose_threshold(labels: ArrayLike, probabilities: ArrayLike, *, rule: ThresholdRule) -> float:
    """Return the threshold that `rule` picks from predictions of patients outside the test fold.

    `labels` (n,) of 0 and 1, `probabilities` (n,); a patient is positive where probability >=
    threshold. The answer is finite, whatever the predictions: 0.5 where they cannot tell, that is
    with one class, equal probabilities or no patient. Raise `StudyError` for probabilities that
    are not finite, labels other than 0 and 1, or an unknown rule.
    """
    outcome, probability = _checked(labels, probabilities)
    if rule not in RULES:
        raise StudyError(Problem("threshold rule", repr(rule), f"one of {', '.join(RULES)}"))
    return RULES[rule](outcome == 1, probability)


def _checked(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    outcome = np.asarray(labels, dtype=np.float64)
    probability = np.asarray(probabilities, dtype=np.float64)
    if outcome.shape != probability.shape or outcome.ndim != 1:
        found = f"{outcome.shape} labels and {probability.shape} probabilities"
        raise StudyError(Problem("threshold", found, "one label and one probability per patient"))
    if not np.isfinite(probability).all():
        raise StudyError(
            Problem(
                "threshold",
                f"{np.count_nonzero(~np.isfinite(probability))} probabilities that are not finite",
                "finite probabilities",
                "Training diverged; lower the learning rate.",
            )
        )
    if not np.isin(outcome, (0, 1)).all():
        raise StudyError(Problem("threshold", "labels other than 0 and 1", "0 or 1"))
    return outcome, probability


def _half(_positive: NDArray[np.bool_], _probability: NDArray[np.float64]) -> float:
    return NEUTRAL


def _youden(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Maximise sensitivity + specificity - 1 (Youden, Cancer 1950;3:32) between observed values.

    Of equally good thresholds the one closest to 0.5 wins, of two equally close the lower, which
    misses fewer positives. Whole numbers decide ties, so rounding does not.
    """
    thresholds = _midpoints(probability)
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not len(thresholds) or not n_positive or not n_negative:
        return NEUTRAL
    true_positive = n_positive - np.searchsorted(np.sort(probability[positive]), thresholds)
    false_positive = n_negative - np.searchsorted(np.sort(probability[~positive]), thresholds)
    youden = true_positive * n_negative - false_positive * n_positive
    best = thresholds[youden == youden.max()]
    return float(best[np.argmin(np.abs(best - NEUTRAL))])


def _midpoints(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Halve the gaps between neighbouring values; a gap of one ulp keeps its upper end."""
    distinct = np.unique(probability)
    below, above = distinct[:-1], distinct[1:]
    middle = below + (above - below) / 2
    return np.where(middle > below, middle, above)


RULES: Final[Mapping[ThresholdRule, Rule]] = MappingProxyType({"half": _half, "youden": _youden})
