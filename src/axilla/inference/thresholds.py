"""Operating thresholds: from which probability on a patient is called positive."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axilla.config.study import THRESHOLD_FORMS, THRESHOLD_PATTERN, ThresholdRule
from axilla.records.errors import Problem, StudyError

NEUTRAL: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """Candidate thresholds (k,), ascending, and how many patients of a class each calls positive.

    The first calls everybody positive, the last nobody.
    """

    thresholds: NDArray[np.float64]
    true_positive: NDArray[np.intp]
    false_positive: NDArray[np.intp]


def choose_threshold(labels: ArrayLike, probabilities: ArrayLike, *, rule: ThresholdRule) -> float:
    """Return the threshold that `rule` picks from predictions of patients outside the test fold.

    `labels` (n,) of 0 and 1, `probabilities` (n,); a patient is positive where probability >=
    threshold. The answer is finite, whatever the predictions: 0.5 where they cannot tell, that is
    with one class, equal probabilities or no patient. Raise `StudyError` for probabilities that
    are not finite, labels other than 0 and 1, or an unknown rule.
    """
    outcome, probability = _check_arguments(labels, probabilities)
    if not re.fullmatch(THRESHOLD_PATTERN, rule):
        raise StudyError(
            Problem("threshold rule", repr(rule), f"a rule such as {', '.join(THRESHOLD_FORMS)}")
        )
    name, _, share = rule.partition("=")
    positive = outcome == 1
    if name == "half" or positive.all() or not positive.any() or np.ptp(probability) == 0:
        return NEUTRAL
    return RULES[name](_cuts(positive, probability), Fraction(share or 0))


def _check_arguments(
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


def _cuts(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> Cuts:
    """Return everybody positive, every midpoint between neighbouring values, nobody positive."""
    thresholds = np.concatenate(
        [
            [probability.min()],
            _midpoints(probability),
            [np.nextafter(probability.max(), np.inf)],
        ]
    )
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    return Cuts(
        thresholds,
        n_positive - np.searchsorted(np.sort(probability[positive]), thresholds),
        n_negative - np.searchsorted(np.sort(probability[~positive]), thresholds),
    )


def _midpoints(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Halve the gaps between neighbouring values; a gap of one ulp keeps its upper end."""
    distinct = np.unique(probability)
    below, above = distinct[:-1], distinct[1:]
    middle = below + (above - below) / 2
    return np.where(middle > below, middle, above)


def _youden(cuts: Cuts, _share: Fraction) -> float:
    """Maximise sensitivity + specificity - 1 (Youden, Cancer 1950;3:32) between observed values.

    Of equally good thresholds the one closest to 0.5 wins, of two equally close the lower, which
    misses fewer positives. Whole numbers decide ties, so rounding does not.
    """
    n_positive, n_negative = cuts.true_positive[0], cuts.false_positive[0]
    youden = (cuts.true_positive * n_negative - cuts.false_positive * n_positive)[1:-1]
    return _closest(cuts.thresholds[1:-1][youden == youden.max()], NEUTRAL)


def _sensitivity(cuts: Cuts, share: Fraction) -> float:
    """Take the highest threshold that still finds this share of the positives."""
    enough = cuts.true_positive * share.denominator >= cuts.true_positive[0] * share.numerator
    return float(cuts.thresholds[enough].max())


def _specificity(cuts: Cuts, share: Fraction) -> float:
    """Take the lowest threshold that already spares this share of the negatives."""
    spared = cuts.false_positive[0] - cuts.false_positive
    enough = spared * share.denominator >= cuts.false_positive[0] * share.numerator
    return float(cuts.thresholds[enough].min())


def _net_benefit(cuts: Cuts, share: Fraction) -> float:
    """Maximise TP / n - FP / n x P / (1 - P) (Vickers & Elkin, Med Decis Making 2006;26:565).

    Of equally good thresholds the one closest to P wins, of two equally close the lower.
    """
    weight, harm = share.denominator - share.numerator, share.numerator
    benefit = cuts.true_positive * weight - cuts.false_positive * harm
    return _closest(cuts.thresholds[benefit == benefit.max()], float(share))


def _closest(thresholds: NDArray[np.float64], aim: float) -> float:
    return float(thresholds[np.argmin(np.abs(thresholds - aim))])


RULES: Final[Mapping[str, Callable[[Cuts, Fraction], float]]] = MappingProxyType(
    {
        "youden": _youden,
        "sensitivity": _sensitivity,
        "specificity": _specificity,
        "net_benefit": _net_benefit,
    }
)
