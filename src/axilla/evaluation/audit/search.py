"""Search for the test set behind a table: its size, its positives, and how to read the columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import logsumexp

from axilla.evaluation.audit.interpretations import (
    FloatArray,
    IntArray,
    Reading,
    readings_of,
    windows_of,
)
from axilla.evaluation.audit.matrices import weigh
from axilla.evaluation.audit.reported_table import ReportedModel
from axilla.evaluation.audit.test_set_search import Shortlist, shortlist

_MOST_WEIGHED: Final = 40
_TOO_FAR: Final = 8.0  # log10 below the best: not weighed


@dataclass(frozen=True, slots=True)
class Explanation:
    """One test set and reading; how many of the printed figures its matrices reproduce.

    `evidence` is log10 of the Bayes factor against arbitrary figures; `probability` is that of
    this explanation if one of those searched is right, with the priors of `Reading`, 1/n of n, and
    all numbers of positives alike.
    """

    n: int
    positives: int
    reading: Reading
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
    chosen = _chosen(scores, readings=readings)
    weighed = [_weighed(models, readings[r], lists[r], at=k, offset=offsets[r]) for r, k in chosen]
    rest = [np.delete(mine, [k for q, k in chosen if q == r]) for r, mine in enumerate(scores)]
    total = _log10_sum(np.concatenate([*rest, np.array([score for score, _ in weighed])]))
    weighed.sort(key=lambda pair: -pair[0])
    return Found(
        tuple(replace(found, probability=10 ** (score - total)) for score, found in weighed),
        total,
        sizes,
        positives,
    )


def _chosen(scores: Sequence[FloatArray], *, readings: Sequence[Reading]) -> list[tuple[int, int]]:
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


def _weighed(
    models: Sequence[ReportedModel], reading: Reading, found: Shortlist, *, at: int, offset: float
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
