"""Every confusion matrix of one test set, weighed against the printed figures of its models.

With n patients, P of them positive, a matrix is TP of 0..P and FP of 0..N. For each TP the false
positives that give a figure its printed digits are one run of whole numbers, found in closed form,
so nothing is overlooked and nothing is enumerated but TP.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from axilla.evaluation.audit.interpretations import FRACTIONS, MISPRINT, Windows
from axilla.records.arrays import BoolArray, FloatArray, IntArray

Counts = tuple[int, int, int, int]
_TIE: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """For each model and TP, runs of FP from `start` to before `stop`, (models, P + 1, runs).

    Within a run the same figures are explained, (models, P + 1, runs, figures).
    """

    start: IntArray
    stop: IntArray
    explained: BoolArray

    @property
    def length(self) -> IntArray:
        """Return the number of matrices in each run."""
        return np.asarray(np.maximum(self.stop - self.start, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Per model: log10 of the Bayes factor against arbitrary figures, and figures explained."""

    evidence: FloatArray
    explained: IntArray


def runs_of(windows: Windows, *, n: int, positives: int) -> Runs:
    """Cut the matrices of a test set into runs that explain the same figures."""
    negatives = n - positives
    first, last = zip(
        *(_false_positives(windows, k, n=n, positives=positives)
          for k in range(len(windows.figures))), strict=True,
    )  # fmt: skip
    low, above = np.stack(first, axis=-1), np.stack(last, axis=-1) + 1
    ends = np.concatenate([low, above], axis=-1).clip(0, negatives + 1)
    edges = np.sort(
        np.concatenate([ends, np.zeros_like(ends[..., :1]),
                        np.full_like(ends[..., :1], negatives + 1)], axis=-1), axis=-1,
    )  # fmt: skip
    start, stop = edges[..., :-1], edges[..., 1:]
    inside = start[..., None]
    explained = (low[..., None, :] <= inside) & (inside < above[..., None, :])
    return Runs(start, stop, explained)


def _false_positives(
    windows: Windows, figure: int, *, n: int, positives: int
) -> tuple[IntArray, IntArray]:
    """Return the lowest and highest FP, (models, P + 1), that print a figure; high < low if none.

    counted = a + b FP and among = c + d FP, so that each bound of the window is one linear
    inequality in FP.
    """
    tp = np.arange(positives + 1, dtype=np.int64)
    constants = np.stack([tp, np.zeros_like(tp), positives - tp, np.full_like(tp, n - positives)])
    slopes = np.array([0, 1, 0, -1])
    (counted, counted_slope), (among, among_slope) = (
        (np.array(cells) @ constants, int(np.array(cells) @ slopes))
        for cells in FRACTIONS[windows.figures[figure]]
    )
    low, high, scale = (
        bound[:, figure, None] for bound in (windows.low, windows.high, windows.scale)
    )
    conditions = (
        (counted * scale - low * among, counted_slope * scale - low * among_slope),
        (high * among - counted * scale - windows.open_above,
         high * among_slope - counted_slope * scale),
        (among[None] - 1, np.array([[among_slope]])),
    )  # fmt: skip
    shape = (len(windows.shown), positives + 1)
    first = np.zeros(shape, dtype=np.int64)
    last = np.full(shape, n - positives, dtype=np.int64)
    for constant, slope in conditions:
        divisor = np.where(slope == 0, 1, slope)
        # constant + slope FP >= 0; floor division rounds both bounds the right way
        first = np.where(slope > 0, np.maximum(first, -(constant // divisor)), first)
        last = np.where(slope < 0, np.minimum(last, constant // -divisor), last)
        last = np.where((slope == 0) & (constant < 0), -1, last)
    return first, np.where(windows.shown[:, figure, None], last, -1)


def weigh(windows: Windows, *, n: int, positives: int) -> Weighed:
    """Weigh all matrices of a test set of `n` patients, `positives` of them positive.

    The evidence of a model is log10 of the mean, over its matrices, of the product of its figures'
    factors: (1 - m) 10^digits + m if the matrix prints the figure, m if not, where m is the share
    of misprints. Against figures drawn at random its expectation is 1, for any n. Figures
    explained are those of the heaviest matrix.
    """
    runs = runs_of(windows, n=n, positives=positives)
    weights = _log_weights(windows, runs)
    matrices = (positives + 1) * (n - positives + 1)
    flat = (len(windows.shown), -1)
    heaviest = weights.reshape(flat).max(axis=1)
    shares = 10.0 ** (weights - heaviest[:, None, None]) * runs.length
    evidence = np.log10(shares.reshape(flat).sum(axis=1) / matrices) + heaviest
    best = weights.reshape(flat).argmax(axis=1)
    counts = runs.explained.sum(axis=-1).reshape(flat)
    return Weighed(evidence, counts[np.arange(len(best)), best])


def heaviest_matrices(
    windows: Windows, *, n: int, positives: int, most: int
) -> list[tuple[int, list[tuple[Counts, BoolArray]]]]:
    """Return, per model, how many matrices tie for the most weight, and up to `most` of them.

    Each comes as TP, FP, FN, TN with the figures it explains, (figures,).
    """
    runs = runs_of(windows, n=n, positives=positives)
    weights = _log_weights(windows, runs)
    found = []
    for model, mine in enumerate(weights):
        tied = np.argwhere(mine > mine.max() - _TIE)  # (ties, 2): TP, run
        lengths = runs.length[model][tuple(tied.T)]
        matrices = (
            ((tp, fp, positives - tp, n - positives - fp), runs.explained[model, tp, run])
            for tp, run in tied.tolist()
            for fp in range(int(runs.start[model, tp, run]), int(runs.stop[model, tp, run]))
        )
        found.append((int(lengths.sum()), list(islice(matrices, most))))
    return found


def _log_weights(windows: Windows, runs: Runs) -> FloatArray:
    """Return log10 of the product of factors in each run, -inf where it is empty."""
    right, wrong = np.log10(windows.gain), np.log10(MISPRINT)
    right, missed = np.where(windows.shown, right, 0), np.where(windows.shown, wrong, 0)
    summed = missed.sum(axis=1)[:, None, None] + (
        runs.explained * (right - missed)[:, None, None, :]
    ).sum(axis=-1)
    return np.where(runs.length > 0, summed, -np.inf)
