"""Cross-fitted AUC of one variable, with a permutation test and Holm's correction.

The AUC is taken inside each test fold and averaged over folds by their number of pairs of a
positive and a negative patient. Rates that leave out only the patient at hand would not do: each
is lower for the positive patient than for the negative one beside it, and AUC falls below 0.5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import rankdata

from axilla.records.arrays import FloatArray, IntArray

Shuffled = NDArray[np.float32]

DRAWS = 2000
_CELLS_AT_ONCE = 1_000_000
_ROUNDING = 1e-6  # of statistics in float32
Columns = NDArray[np.float32] | NDArray[np.float64]
"""Outcomes (N, B), 0 or 1: one column per shuffle."""
_FOLDS = 5
_PRIOR_PATIENTS = 2.0  # a rate is drawn towards the prevalence as by so many more patients
_BINS = 8
_MOST_LEVELS = 24
_FEWEST = 3  # patients of a level; rarer levels are taken together
_RIDGE = 5.0


def shuffled_outcomes(
    labels: IntArray, groups: IntArray, *, rng: Generator, draws: int = DRAWS
) -> Iterator[Shuffled]:
    """Yield `draws` shuffles of the outcome in arrays (N, some), 0 or 1.

    `labels` and `groups` are (N,), groups numbered from 0. Each group takes the outcomes of
    another, in a circle from a random member on until its own patients all have one: so outcomes
    stay as alike within groups as they are, and a relation to anything else is broken. Where
    every patient is a group, this is the usual permutation; otherwise the number of positives
    varies with the sizes of the groups.
    """
    sizes = np.bincount(groups)
    places = np.argsort(groups, kind="stable")
    starts = np.cumsum(sizes) - sizes
    member = np.empty_like(groups)
    member[places] = np.arange(len(labels)) - np.repeat(starts, sizes)
    by_group = labels[places].astype(np.float32)
    at_once = max(1, _CELLS_AT_ONCE // max(1, len(labels)))
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        donor = rng.permuted(np.tile(np.arange(len(sizes))[:, np.newaxis], (1, count)), axis=0)
        first = rng.integers(0, sizes[donor])
        turn = (member[:, np.newaxis] + first[groups]) % sizes[donor][groups]
        yield by_group[starts[donor][groups] + turn]


def p_by_chance(observed: float, by_chance: FloatArray) -> float:
    """Return the share of shuffles that do at least as well, the observed order being one."""
    reached = int((by_chance >= observed - _ROUNDING).sum())
    return (1 + reached) / (1 + len(by_chance))


def holm(p_values: Mapping[str, float], *, tests: int) -> dict[str, float]:
    """Return p-values corrected by Holm (1979); `tests` counts also those not listed.

    A test that is not listed counts as one with a larger p, which can only make the others'
    corrected values larger.
    """
    corrected: dict[str, float] = {}
    highest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (tests - rank)))
        corrected[name] = highest
    return corrected


class LeakageVariable(Protocol):
    """Something whose AUC is known for each column of outcomes."""

    def auc(self, outcomes: Columns) -> NDArray[np.float64]:
        """Return the AUC (B,) of each column of `outcomes` (N, B)."""
        ...


def folds_by_group(groups: IntArray, *, rng: Generator) -> IntArray:
    """Return each patient's test fold; a group stays in one, and folds are of similar size."""
    sizes = np.bincount(groups)
    fold_of = np.empty(len(sizes), dtype=np.int64)
    load = np.zeros(_FOLDS)
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = int(np.argmin(load))
        load[fold_of[group]] += sizes[group]
    return fold_of[groups]


@dataclass(frozen=True, slots=True)
class Rates:
    """Predicts the share of positives among training patients of the same level.

    `levels` and `folds` are (N,), both numbered from 0.
    """

    levels: IntArray
    folds: IntArray

    def auc(self, outcomes: Columns) -> NDArray[np.float64]:
        """Return the held-out AUC (B,); 0.5 where no fold holds both outcomes."""
        count, n = int(self.levels.max()) + 1, len(self.levels)
        cell = self.folds * count + self.levels
        shape = (_FOLDS * count, n)
        which = sparse.csr_matrix((np.ones(n, dtype=np.float32), (cell, np.arange(n))), shape=shape)
        positive = np.asarray(which @ outcomes, dtype=np.float64).reshape(_FOLDS, count, -1)
        size = np.bincount(cell, minlength=shape[0]).reshape(_FOLDS, count, 1)
        negative = size - positive
        known = size.sum(axis=0) - size
        rest = positive.sum(axis=0) - positive
        prior = rest.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
        rate = (rest + _PRIOR_PATIENTS * prior) / (known + _PRIOR_PATIENTS)
        won = np.zeros(positive.shape[2])
        for level in range(count):
            mine = rate[:, level : level + 1]
            below = (mine > rate) + 0.5 * (mine == rate)
            won += (positive[:, level] * (below * negative).sum(axis=1)).sum(axis=0)
        pairs = (positive.sum(axis=1) * negative.sum(axis=1)).sum(axis=0)
        return np.where(pairs > 0, won / np.maximum(pairs, 1), 0.5)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A number: the better of its order, in either direction, and of the rates in eight bins."""

    ranks: NDArray[np.float64]
    binned: Rates

    def auc(self, outcomes: Columns) -> NDArray[np.float64]:
        """Return the larger AUC (B,), at least 0.5."""
        up = _auc_of_order(self.ranks, outcomes)
        return np.maximum(np.maximum(up, 1 - up), self.binned.auc(outcomes))


@dataclass(frozen=True, slots=True)
class Together:
    """Ridge regression of the outcome on all variables, `design` (N, P), fitted per fold."""

    design: NDArray[np.float64]
    folds: IntArray

    def auc(self, outcomes: Columns) -> NDArray[np.float64]:
        """Return the held-out AUC (B,); 0.5 where no fold holds both outcomes."""
        won = np.zeros(outcomes.shape[1])
        pairs = np.zeros(outcomes.shape[1])
        for fold in range(_FOLDS):
            test = self.folds == fold
            if not test.any() or test.all():
                continue
            fitted = self.design[~test] - self.design[~test].mean(axis=0)
            gram = fitted.T @ fitted + _RIDGE * np.eye(fitted.shape[1])
            weights = np.linalg.solve(gram, fitted.T @ outcomes[~test])
            ranks = rankdata(self.design[test] @ weights, axis=0)
            positive = outcomes[test].sum(axis=0, dtype=np.float64)
            won += (ranks * outcomes[test]).sum(axis=0) - positive * (positive + 1) / 2
            pairs += positive * (test.sum() - positive)
        return np.where(pairs > 0, won / np.maximum(pairs, 1), 0.5)


def by_level(values: NDArray[np.str_], folds: IntArray) -> Rates | None:
    """Return the predictor of a variable of words (N,), or None if it has one level only.

    Levels of fewer than three patients, and all beyond the 24 most frequent, count as one.
    """
    levels, sizes = np.unique(values, return_inverse=True, return_counts=True)[1:]
    kept = np.argsort(-sizes, kind="stable")[:_MOST_LEVELS]
    kept = kept[sizes[kept] >= _FEWEST]
    number = np.full(len(sizes), len(kept))
    number[kept] = np.arange(len(kept))
    merged = np.unique(number[levels], return_inverse=True)[1]
    return Rates(merged, folds) if merged.max(initial=0) > 0 else None


def by_order(values: NDArray[np.float64], folds: IntArray) -> Ordered | None:
    """Return the predictor of a variable of numbers (N,), or None if it has one value only."""
    if len(np.unique(values)) <= 1:
        return None
    ranks = rankdata(values)
    bins = np.minimum((ranks - 0.5) / len(values) * _BINS, _BINS - 1).astype(np.int64)
    levels = np.unique(bins, return_inverse=True)[1]
    return Ordered(ranks, Rates(levels, folds))


def _auc_of_order(ranks: NDArray[np.float64], outcomes: Columns) -> NDArray[np.float64]:
    positive = outcomes.sum(axis=0, dtype=np.float64)
    pairs = positive * (len(ranks) - positive)
    # Ranks from -1 to 1, so that shuffles in float32 keep six digits of the sum.
    middle = len(ranks) / 2 + 0.5
    above: NDArray[np.floating] = ((ranks - middle) / middle).astype(outcomes.dtype)
    won = (above @ outcomes).astype(np.float64) * middle + pairs / 2
    return np.where(pairs > 0, won / np.maximum(pairs, 1), 0.5)
