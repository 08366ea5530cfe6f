"""How many patients a sensitivity or specificity needs for an interval of a wanted width."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from axilla.evaluation.intervals.confidence_intervals import NORMAL_QUANTILE
from axilla.evaluation.planning.requirements import require_at_least, require_between
from axilla.evaluation.planning.sample_size import Plan, fewest, too_many

FloatArray = NDArray[np.float64]

_MOST_OF_CLASS: Final = 50_000
_LEAST_WIDTH: Final = 0.01  # below it, more patients of a class than the search goes through
_RARE: Final = 1e-12


def wilson_width(counted: ArrayLike, trials: ArrayLike) -> FloatArray:
    """Return the full width of Wilson's 95 % interval of `counted` in `trials`, broadcast."""
    n = np.asarray(trials, dtype=np.float64)
    share, unit = np.asarray(counted) / n, NORMAL_QUANTILE**2 / n
    return np.asarray(2 * np.sqrt(share * (1 - share) * unit + unit**2 / 4) / (1 + unit))


def expected_width(share: float, *, trials: int) -> float:
    """Return the mean width of Wilson's interval over the counts that `trials` patients may give.

    The mean is the binomial one, to the last count that matters, not the width at the mean count.
    """
    require_between("proportion", share, 0, 1)
    require_at_least("patients", trials, 1)
    low, high = (int(binom.ppf(tail, trials, share)) for tail in (_RARE, 1 - _RARE))
    counts = np.arange(low, high + 1)
    return float(binom.pmf(counts, trials, share) @ wilson_width(counts, trials))


def assurance_of_width(share: float, *, trials: NDArray[np.int64], width: float) -> FloatArray:
    """Return the chance that Wilson's interval is at most this wide, with the shape of `trials`.

    The width depends on the count k through k (n - k) alone, so the counts that give a narrow one
    lie below some count and above its mirror image.
    """
    n = trials.astype(np.float64)
    unit = NORMAL_QUANTILE**2 / n
    # Solved for the product of shares p (1 - p) at which the width is just the wanted one.
    product = ((width * (1 + unit) / 2) ** 2 - unit**2 / 4) / unit
    middle = np.sqrt(np.clip(0.25 - product, 0, None))
    below = np.floor(n * (0.5 - middle) + _RARE)
    inner = np.clip(n - 2 * below - 1, 0, None)
    some = binom.cdf(below, n, share) + binom.sf(below + inner, n, share)
    return np.asarray(np.where(product < 0, 0.0, some))


def patients_for_proportion_width(
    share: float,
    *,
    width: float,
    class_share: float,
    assurance: float | None = None,
    effect: float = 1.0,
) -> Plan:
    """Return the fewest patients for a Wilson 95 % interval of this full width.

    `share` is the expected sensitivity (or specificity) and `class_share` the prevalence (or one
    minus it): only that class counts, and the plan's `n_positive` is its size. Without
    `assurance` the width is kept on average, and the class is expected to be large enough; with
    it, both the width and the size are kept with at least this probability each. `effect`
    multiplies the number in the class.
    """
    require_between("proportion", share, 0, 1)
    require_between("width", width, _LEAST_WIDTH, 1)
    require_between("prevalence", class_share, 0, 1)
    if assurance is None:
        # The mean width falls with every patient.
        counted = _found(fewest(lambda n: expected_width(share, trials=n) <= width, least=1))
        reached = expected_width(share, trials=counted)
        counted = int(np.ceil(counted * effect))
        n = int(np.ceil(counted / class_share))
    else:
        require_between("assurance", assurance, 0.5, 1, remedy="Leave it out for the average.")
        counted, reached = _first_assured(share, width=width, assurance=assurance)
        counted = int(np.ceil(counted * effect))
        n = _found(
            fewest(lambda n: binom.sf(counted - 1, n, class_share) >= assurance, least=counted)
        )
    return Plan(n, counted, n - counted, reached)


def _first_assured(share: float, *, width: float, assurance: float) -> tuple[int, float]:
    """Return the smallest class from which on every larger one is assured, and its assurance."""
    trials = np.arange(1, _MOST_OF_CLASS + 1)
    assured = assurance_of_width(share, trials=trials, width=width)
    failing = np.flatnonzero(assured < assurance)
    first = int(failing[-1]) + 1 if len(failing) else 0
    if first == len(trials):
        raise too_many()
    return int(trials[first]), float(assured[first])


def _found(number: int | None) -> int:
    if number is None:
        raise too_many()
    return number
