"""Search for the test set behind a published table.

Accuracy, recall and specificity have a denominator that all models of a test set share, so each
tells sizes, or numbers of positives, apart alone and cheaply. The best combinations are scored
with the matrix that two figures of each model determine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import Final

import numpy as np
from scipy.special import logsumexp

from axilla.evaluation.audit.interpretations import (
    FRACTIONS,
    MISPRINT,
    Interpretation,
    Windows,
    readings_of,
    windows_of,
    within,
)
from axilla.evaluation.audit.matrices import weigh
from axilla.evaluation.audit.reported_table import ReportedModel
from axilla.records.arrays import BoolArray, FloatArray, IntArray

# Sizes, and numbers of positives, combined at first; a single model tells few of them apart.
_AXIS: Final = 300
_AXIS_OF_ONE: Final = 1200
_FEWEST_SCORED: Final = 1500
_MOST_SCORED: Final = 60_000
_NEARLY_PARALLEL: Final = 1e-12
_TIE: Final = 1e-9
_CHUNK: Final = 20_000
_MOST_WEIGHED: Final = 40
_TOO_FAR: Final = 8.0  # log10 below the best: not weighed


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """Test sets to weigh: patients, positives, log10 of prior, and of prior x Bayes factor, (K,).

    The prior is 1 / n of n patients, short of a constant, and the same for all numbers of
    positives.
    """

    sizes: IntArray
    positives: IntArray
    priors: FloatArray
    scores: FloatArray


def shortlist(windows: Windows, *, sizes: IntArray, positives: int | None) -> Shortlist:
    """Score the test sets of `sizes` patients (ascending) that the shared denominators favour.

    `positives` fixes the number of positive patients. Between 1500 and 60,000 are scored, fewer
    the more models there are to tell them apart.
    """
    n, p = _promising(windows, sizes=sizes, positives=positives)
    priors = -np.log10(n) - (np.log10(np.maximum(n - 1, 1)) if positives is None else 0.0)
    return Shortlist(n, p, priors, priors + approximate_evidence(windows, n, positives=p))


def _promising(
    windows: Windows, *, sizes: IntArray, positives: int | None
) -> tuple[IntArray, IntArray]:
    all_positives = np.arange(1, sizes.max()) if positives is None else np.array([positives])
    by_size = _score_shared_denominators(windows, "accuracy", sizes) - np.log10(sizes)
    by_positives = _score_shared_denominators(windows, "recall", all_positives)
    most = max(_AXIS, _AXIS_OF_ONE // len(windows.shown))
    rows = _best(by_size, most=most if "accuracy" in windows.figures else None)
    columns = _best(by_positives, most=most if "recall" in windows.figures else None)
    n, p = sizes[rows, None], all_positives[None, columns]
    possible = p < n
    ranks = by_size[rows, None] + by_positives[columns] - np.log10(n)
    if "specificity" in windows.figures:
        negatives = np.where(possible, n - p, 1)
        ranks += _score_shared_denominators(windows, "specificity", np.arange(negatives.max() + 1))[
            negatives
        ]
    ranks = np.where(possible, ranks, -np.inf).ravel()
    wanted = np.clip(_MOST_SCORED // len(windows.shown) ** 2, _FEWEST_SCORED, _MOST_SCORED)
    wanted = min(int(wanted), int(possible.sum()))
    chosen = np.argpartition(-ranks, min(wanted, len(ranks) - 1))[:wanted]
    row, column = np.unravel_index(chosen, possible.shape)
    return n[row, 0], p[0, column]


def _best(ranks: FloatArray, *, most: int | None) -> IntArray:
    """Return the places of the best ranks, all if no figure tells them apart (`most` is None)."""
    if most is None or len(ranks) <= most:
        return np.arange(len(ranks))
    return np.argpartition(-ranks, most)[:most]


def _score_shared_denominators(windows: Windows, figure: str, denominators: IntArray) -> FloatArray:
    """Return the evidence of one figure of all models for each shared denominator; 0 without it."""
    if figure not in windows.figures:
        return np.zeros(len(denominators))
    at = windows.figures.index(figure)
    share = _numerators(windows, at, denominators) / (denominators + 1)
    factor = MISPRINT + (windows.gain[:, at, None] - MISPRINT) * share
    return np.asarray(np.where(windows.shown[:, at, None], np.log10(factor), 0).sum(axis=0))


def _numerators(windows: Windows, figure: int, denominators: IntArray) -> IntArray:
    """Count the numerators, (models, denominators), that print a figure over each denominator."""
    low, high, scale = (
        part[:, figure, None] for part in (windows.low, windows.high, windows.scale)
    )
    first = np.maximum(-(-low * denominators // scale), 0)
    last = np.minimum((high * denominators - windows.open_above) // scale, denominators)
    return np.asarray(np.maximum(last - first + 1, 0))


def approximate_evidence(windows: Windows, n: IntArray, *, positives: IntArray) -> FloatArray:
    """Return log10 of the Bayes factor, (K,), from the best matrix that two figures determine."""
    heaviest = _heaviest(windows, n, positives=positives)
    nothing = np.log10(np.where(windows.shown, MISPRINT, 1)).sum(axis=1)
    matrices = (positives + 1) * (n - positives + 1)
    # what no match and one match are worth on average, so that no model is impossible
    base = 1 + (windows.shown * (1 - MISPRINT) / MISPRINT).sum(axis=1)
    return np.asarray((np.log10(base + 10.0**heaviest / matrices[:, None]) + nothing).sum(axis=1))


def complete(
    windows: Windows, *, sizes: IntArray, positives: int | None
) -> tuple[IntArray, IntArray]:
    """Return every test set, as sizes and positives in ascending order, that explains all figures.

    Where accuracy and recall are printed and n is below 10^digits, none is overlooked: recall then
    leaves one TP, and accuracy one FP.
    """
    all_positives = np.arange(1, sizes.max()) if positives is None else np.array([positives])
    n = sizes[_possible(windows, "accuracy", sizes)]
    p = all_positives[_possible(windows, "recall", all_positives)]
    n, p = (part.ravel() for part in np.meshgrid(n, p, indexing="ij"))
    n, p = n[p < n], p[p < n]
    fits = _possible(windows, "specificity", n - p)
    n, p = n[fits], p[fits]
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(n), _CHUNK):
        some_n, some_p = n[start : start + _CHUNK], p[start : start + _CHUNK]
        heaviest = _heaviest(windows, some_n, positives=some_p)
        full = (heaviest >= _weights(windows).sum(axis=1) - _TIE).all(axis=1)
        found.append(np.stack([some_n[full], some_p[full]], axis=-1))
    pairs = np.concatenate(found)
    return pairs[:, 0], pairs[:, 1]


def _possible(windows: Windows, figure: str, denominators: IntArray) -> BoolArray:
    """Tell which denominators have a numerator for every printed value of a figure."""
    if figure not in windows.figures:
        return np.ones(len(denominators), dtype=np.bool_)
    at = windows.figures.index(figure)
    hits = _numerators(windows, at, denominators) > 0
    return np.asarray((hits | ~windows.shown[:, at, None]).all(axis=0))


def _weights(windows: Windows) -> FloatArray:
    return np.asarray(np.where(windows.shown, np.log10(windows.gain / MISPRINT), 0))


def _heaviest(windows: Windows, n: IntArray, *, positives: IntArray) -> FloatArray:
    """Return log10 of the weight, (K, models), of the best matrix that two figures determine.

    Two figures are two linear equations in TP and FP. Their solution, rounded, is where a matrix
    that prints both can be, unless n nears 10^digits.
    """
    weights = _weights(windows)
    heaviest = _lone(windows, n, positives=positives)
    equations = _equations(windows, n, positives=positives)
    for pair in combinations(range(len(windows.figures)), 2):
        solved_tp, fp_given = _solve_pair(equations, pair)
        tp = np.rint(solved_tp).clip(0, positives[:, None])
        fp = np.rint(fp_given(tp)).clip(0, (n - positives)[:, None])
        matrix = _cells(tp, fp, n=n, positives=positives)
        found = np.zeros_like(heaviest)
        for k, figure in enumerate(windows.figures):
            counted, among = (_total(matrix, part, figure) for part in (0, 1))
            found += within(windows, k, counted=counted, among=among) * weights[:, k]
        np.maximum(heaviest, found, out=heaviest)
    return heaviest


def _lone(windows: Windows, n: IntArray, *, positives: IntArray) -> FloatArray:
    """Return log10 of the weight, (K, models), of models of which one figure was printed, else 0.

    Accuracy, recall and specificity need a numerator; any other figure is taken to have a matrix.
    """
    denominators = {"accuracy": n, "recall": positives, "specificity": n - positives}
    weights = np.zeros((len(n), len(windows.shown)))
    alone = windows.shown.sum(axis=1) == 1
    if not alone.any():
        return weights
    for k, figure in enumerate(windows.figures):
        fits = np.ones(weights.shape, dtype=np.bool_)
        if figure in denominators:
            fits = np.asarray(_numerators(windows, k, denominators[figure]) > 0).T
        weights += fits * alone * _weights(windows)[:, k]
    return weights


def _solve_pair(
    equations: tuple[FloatArray, FloatArray, FloatArray], pair: tuple[int, int]
) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
    """Return the TP that solves two equations, and the FP that solves the steeper one, given TP."""
    of_tp, of_fp, constants = equations
    one, other = pair
    determinant = of_tp[:, one] * of_fp[:, other] - of_tp[:, other] * of_fp[:, one]
    tp = of_fp[:, one] * constants[..., other] - of_fp[:, other] * constants[..., one]
    tp = tp / np.where(np.abs(determinant) > _NEARLY_PARALLEL, determinant, 1)
    steeper = np.abs(of_fp[:, other]) >= np.abs(of_fp[:, one])
    slope = np.where(steeper, of_fp[:, other], of_fp[:, one])
    along = np.where(steeper, of_tp[:, other], of_tp[:, one])
    rest = np.where(steeper, constants[..., other], constants[..., one])

    def fp(whole: FloatArray) -> FloatArray:
        return np.asarray(-(along * whole + rest) / np.where(slope == 0, 1, slope))

    return tp, fp


def _equations(
    windows: Windows, n: IntArray, *, positives: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a, b, (models, figures), and c, (K, models, figures), of a TP + b FP + c = 0."""
    counted = np.array([FRACTIONS[figure][0] for figure in windows.figures])
    among = np.array([FRACTIONS[figure][1] for figure in windows.figures])
    weights = counted - windows.centre[..., None] * among  # (models, figures, cells)
    constants = (
        weights[..., 2] * positives[:, None, None]
        + weights[..., 3] * ((n - positives)[:, None, None])
    )
    return weights[..., 0] - weights[..., 2], weights[..., 1] - weights[..., 3], constants


def _cells(
    tp: FloatArray, fp: FloatArray, *, n: IntArray, positives: IntArray
) -> tuple[IntArray, ...]:
    true, false = tp.astype(np.int64), fp.astype(np.int64)
    return true, false, positives[:, None] - true, (n - positives)[:, None] - false


def _total(matrix: tuple[IntArray, ...], part: int, figure: str) -> IntArray:
    """Add up the cells that a figure counts (`part` 0) or counts among (1)."""
    multiples = FRACTIONS[figure][part]
    terms = [times * cell for times, cell in zip(multiples, matrix, strict=True) if times]
    return reduce(np.add, terms)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One test set and reading; how many of the printed figures its matrices reproduce.

    `evidence` is log10 of the Bayes factor against arbitrary figures; `probability` is that of
    this explanation if one of those searched is right, with the priors of `Interpretation`, 1/n
    of n, and all numbers of positives alike.
    """

    n: int
    positives: int
    reading: Interpretation
    explained: int
    figures: int
    evidence: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Explanations, the most probable first, and the evidence that any searched one is right.

    `evidence` is log10 of the Bayes factor of "one test set in the range searched" against "the
    figures are arbitrary". It is averaged over everything searched, so searching more does not
    raise it. `sizes` and `positives` (None = all) are what was searched.
    """

    explanations: tuple[Explanation, ...]
    evidence: float
    sizes: IntArray
    positives: int | None


def search(
    models: Sequence[ReportedModel],
    columns: Sequence[str],
    *,
    sizes: IntArray,
    positives: int | None = None,
) -> Found:
    """Find the test sets of `sizes` patients (ascending) that explain the figures of `models`.

    `positives` fixes the number of positive patients. All models share one test set. Every
    reading of `columns` is tried. Returned are all explanations near the best, and the best of
    each order of columns, weighed with every matrix.
    """
    readings = readings_of(columns)
    lists = [
        shortlist(windows_of(models, reading), sizes=sizes, positives=positives)
        for reading in readings
    ]
    constant = _log10_sum(-np.log10(sizes))
    offsets = [np.log10(reading.prior) - constant for reading in readings]
    scores = [found.scores + offset for found, offset in zip(lists, offsets, strict=True)]
    chosen = _choose_candidates(scores, readings=readings)
    weighed = [
        _weigh_candidate(models, readings[r], lists[r], at=k, offset=offsets[r]) for r, k in chosen
    ]
    rest = [np.delete(mine, [k for q, k in chosen if q == r]) for r, mine in enumerate(scores)]
    total = _log10_sum(np.concatenate([*rest, np.array([score for score, _ in weighed])]))
    weighed.sort(key=lambda pair: -pair[0])
    return Found(
        tuple(replace(found, probability=10 ** (score - total)) for score, found in weighed),
        total,
        sizes,
        positives,
    )


def _choose_candidates(
    scores: Sequence[FloatArray], *, readings: Sequence[Interpretation]
) -> list[tuple[int, int]]:
    """Return which to weigh as (reading, place): the best of all, and of each order of columns."""
    flat = np.concatenate(scores)
    owner = np.repeat(np.arange(len(scores)), [len(mine) for mine in scores])
    place = np.concatenate([np.arange(len(mine)) for mine in scores])
    leading = np.argsort(-flat, kind="stable")[:_MOST_WEIGHED]
    near = leading[flat[leading] >= flat[leading[0]] - _TOO_FAR]
    chosen = [(int(owner[k]), int(place[k])) for k in near]
    orders = [
        (r, int(mine.argmax()))
        for r, mine in enumerate(scores)
        if readings[r].rounding == "rounded"
    ]
    return list(dict.fromkeys([*chosen, *orders]))


def _weigh_candidate(
    models: Sequence[ReportedModel],
    reading: Interpretation,
    found: Shortlist,
    *,
    at: int,
    offset: float,
) -> tuple[float, Explanation]:
    windows = windows_of(models, reading)
    n, positives = int(found.sizes[at]), int(found.positives[at])
    result = weigh(windows, n=n, positives=positives)
    evidence = float(result.evidence.sum())
    explanation = Explanation(
        n=n,
        positives=positives,
        reading=reading,
        explained=int(result.explained.sum()),
        figures=int(windows.shown.sum()),
        evidence=evidence,
        probability=0.0,
    )
    return evidence + float(found.priors[at]) + offset, explanation


def _log10_sum(exponents: FloatArray) -> float:
    return float(logsumexp(exponents * np.log(10)) / np.log(10))
