"""What a confusion matrix and a test set say about a printed AUC, which neither determines.

Through the operating point (x, y) = (FP / N, TP / P) the ROC curve may rise early or late, so the
matrix bounds the AUC. And an AUC is a count of positive-negative pairs over P N, so a test set
allows only some printed values: a check of its size that uses no other figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.stats import binom, norm

from axilla.evaluation.audit.matrices import Counts
from axilla.evaluation.audit.reported_table import Printed
from axilla.evaluation.metrics.confusion import balanced_accuracy, recall, specificity

AucVerdict = Literal["impossible", "that of its calls", "implausible", "plausible"]
_CONSTANT: Final = 0.5
_ODD: Final = 2.0  # standard errors


@dataclass(frozen=True, slots=True)
class AucBounds:
    """A printed AUC beside what its matrix says.

    `low` and `high` are the least and greatest possible, `of_calls` is that of the calls alone
    (the balanced accuracy), `expected` that of a binormal ROC curve through the matrix's point, and
    `standard_error` is the expected one's.
    """

    printed: str
    low: float
    high: float
    of_calls: float
    expected: float
    standard_error: float
    verdict: AucVerdict


@dataclass(frozen=True, slots=True)
class PairCount:
    """How many printed AUCs are a whole number of pairs over P N; `expected` by chance.

    `p` is the chance of so many or more if AUCs were arbitrary. `halves` also allows half pairs,
    which tied scores give.
    """

    pairs: int
    printed: int
    whole: int
    halves: int
    expected: float
    p: float


def auc_limits(counts: Counts) -> tuple[float, float]:
    """Return the least and greatest area under any ROC curve through the matrix's point.

    With x = FP / N and y = TP / P, a curve that never falls encloses at least y (1 - x), rising
    only at x and at 1, and at most 1 - x (1 - y), rising only at 0 and at x. Both are attained.
    NaN with one class.
    """
    y, x = float(recall(counts)), 1 - float(specificity(counts))
    return y * (1 - x), 1 - x * (1 - y)


def binormal_auc(counts: Counts) -> float:
    """Return the AUC of scores that are normal in both classes, with one variance, at this matrix.

    AUC = Phi((z(TPR) - z(FPR)) / sqrt 2), with half a patient added to each cell so that rates of
    0 and 1 have a quantile (Hautus, Behav Res Methods 1995;27:46).
    """
    tp, fp, fn, tn = (cell + 0.5 for cell in counts)
    distance = norm.ppf(tp / (tp + fn)) - norm.ppf(fp / (fp + tn))
    return float(norm.cdf(distance / np.sqrt(2)))


def auc_standard_error(area: float, *, positives: int, negatives: int) -> float:
    """Return the standard error of an AUC from the numbers of patients alone.

    Source: Hanley & McNeil, Radiology 1982;143:29, equations 1 and 2.
    """
    two_positives, two_negatives = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (two_positives - area**2)
    variance += (negatives - 1) * (two_negatives - area**2)
    return float(np.sqrt(variance / (positives * negatives)))


def auc_bounds(printed: Printed, counts: Counts) -> AucBounds:
    """Compare a printed AUC with what its matrix TP, FP, FN, TN, of both classes, says.

    Outside the limits it is impossible. Equal to the AUC of the calls, to the printed digits, it
    was probably computed from calls instead of probabilities. More than two standard errors from
    the binormal AUC it is implausible: scores, matrix or print are then of an unusual kind, or do
    not belong together.
    """
    tp, fp, fn, tn = counts
    low, high = auc_limits(counts)
    calls, expected = float(balanced_accuracy(counts)), binormal_auc(counts)
    error = auc_standard_error(expected, positives=tp + fn, negatives=fp + tn)
    half_place = 0.5 / 10**printed.digits * (1 + 1e-9)
    value = printed.places / 10**printed.digits
    verdict: AucVerdict = "plausible"
    if not low - half_place <= value <= high + half_place:
        verdict = "impossible"
    elif abs(value - calls) <= half_place:
        verdict = "that of its calls"
    elif abs(value - expected) > _ODD * error:
        verdict = "implausible"
    return AucBounds(str(printed), low, high, calls, expected, error, verdict)


def pair_count(aucs: Sequence[Printed], *, n: int, positives: int) -> PairCount | None:
    """Count the AUCs that are, as printed, a whole number of the P N pairs; None without AUCs.

    Rounded AUCs are meant. 0, 0.5 and 1 fit any even number of pairs and are left out.
    """
    informing = [auc for auc in aucs if auc.places / 10**auc.digits not in (0, _CONSTANT, 1)]
    pairs = positives * (n - positives)
    if not informing:
        return None
    whole = sum(_multiples(auc, pairs) > 0 for auc in informing)
    halves = sum(_multiples(auc, 2 * pairs) > 0 for auc in informing)
    chance = min(1.0, sum(min(1.0, pairs / 10**auc.digits) for auc in informing) / len(informing))
    p = float(binom.sf(whole - 1, len(informing), chance))
    return PairCount(pairs, len(informing), whole, halves, chance * len(informing), p)


def _multiples(auc: Printed, pairs: int) -> int:
    """Count the whole numbers k for which k / pairs rounds to the printed AUC."""
    scale: int = 2 * 10**auc.digits
    first = -((1 - 2 * auc.places) * pairs // scale)
    last = (2 * auc.places + 1) * pairs // scale
    return last - first + 1
