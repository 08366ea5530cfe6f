"""Per model: confusion matrix, rates with intervals, misprints, AUC."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from axilla.evaluation.audit.auc_bounds import AucBounds, auc_bounds
from axilla.evaluation.audit.interpretations import FRACTIONS, Interpretation, Rounding, windows_of
from axilla.evaluation.audit.matrices import Counts, heaviest_matrices
from axilla.evaluation.audit.reported_table import Printed, ReportedModel
from axilla.evaluation.audit.test_set_search import Explanation, Found, complete
from axilla.evaluation.intervals.confidence_intervals import wilson
from axilla.evaluation.metrics.confusion import PROPORTIONS, proportion
from axilla.records.arrays import BoolArray

Halves = Literal["to even", "up", "both ways", "not told", "cut off"]

_LAST_PLACE: Final = "last place off by one"
_TRANSPOSED: Final = "two neighbouring digits transposed"
_ONE_DIGIT: Final = "one digit changed"
_RATES: Final = ("accuracy", "recall", "specificity")
_FEWEST_EXPLAINED: Final = 2  # one figure alone does not determine a matrix
_MOST_TIED: Final = 200
_MOST_LISTED: Final = 5
_MOST_SETS: Final = 200
Tied = tuple[int, list[tuple[Counts, BoolArray]]]


@dataclass(frozen=True, slots=True)
class Misprint:
    """A figure that no matrix of the test set prints together with the rest of its row.

    `expected` is what the matrix that explains the rest gives; `slip` is the single change of
    digits between the two, None if it takes more than one.
    """

    figure: str
    column: str
    printed: str
    expected: str | None
    slip: str | None


def fraction(counts: Counts, figure: str) -> Fraction | None:
    """Return a figure of a matrix TP, FP, FN, TN exactly, None where nobody is counted among."""
    counted, among = (
        sum(times * cell for times, cell in zip(cells, counts, strict=True))
        for cells in FRACTIONS[figure]
    )
    return Fraction(counted, among) if among else None


def expected_figure(share: Fraction, digits: int, *, halves: Halves) -> Printed:
    """Round a share to digits; an exact half goes up, or to even where that is not known."""
    exact = share * 10**digits
    if halves == "cut off":
        return Printed(exact.numerator // exact.denominator, digits)
    if halves == "up":
        return Printed(int(exact + Fraction(1, 2)), digits)
    return Printed(round(exact), digits)


def halves_of(
    explained: Iterable[tuple[Fraction, Printed]], *, rounding: Rounding
) -> tuple[Halves, int]:
    """Tell how exact halves were rounded, and how many figures say so.

    0.65625 printed as 0.6562 went to even, as C and Python print it; as 0.6563 it went up, as
    spreadsheets do. A half that both send the same way tells nothing.
    """
    if rounding == "truncated":
        return "cut off", 0
    up = even = 0
    for share, printed in explained:
        exact = share * 10**printed.digits
        if exact.denominator == 2 and round(exact) < exact:  # noqa: PLR2004
            up += printed.places > exact
            even += printed.places < exact
    if up and even:
        return "both ways", up + even
    return ("up" if up else "to even" if even else "not told"), up + even


def slip_between(printed: Printed, expected: Printed) -> str | None:
    """Name the single slip that turns `expected` into `printed`, or None if there is none."""
    if abs(printed.places - expected.places) == 1:
        return _LAST_PLACE
    one, other = str(expected), str(printed)
    if len(one) != len(other):
        return None
    differing = [k for k, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(differing) == 1:
        return _ONE_DIGIT
    return _TRANSPOSED if _is_transposition(one, other, differing) else None


def _is_transposition(one: str, other: str, differing: Sequence[int]) -> bool:
    """Tell whether the only difference is that two neighbours changed places."""
    neighbours = [(a, b) for a, b in pairwise(differing) if b == a + 1]
    if len(differing) != len(("first", "second")) or not neighbours:
        return False
    first, second = neighbours[0]
    return one[first] == other[second] and one[second] == other[first]


def misprint(
    figure: str, column: str, *, printed: Printed, counts: Counts, halves: Halves
) -> Misprint:
    """Describe a figure that the matrix `counts` does not print."""
    share = fraction(counts, figure)
    if share is None:
        return Misprint(figure, column, str(printed), None, None)
    expected = expected_figure(share, printed.digits, halves=halves)
    return Misprint(figure, column, str(printed), str(expected), slip_between(printed, expected))


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of a recovered matrix with its 95 % Wilson interval, and out of how many patients."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A model under an explanation. `matrix` is TP, FP, FN, TN, None where several fit alike.

    `ties` counts the matrices that explain as much, `candidates` holds the first of them. Rates,
    misprints and the AUC's bounds are given only with a matrix.
    """

    table: str
    model: str
    explained: int
    figures: int
    matrix: Counts | None
    ties: int
    candidates: tuple[Counts, ...]
    rates: tuple[Rate, ...]
    misprints: tuple[Misprint, ...]
    auc: AucBounds | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A model that called nobody positive, and what its accuracy would be in the test set.

    Its column may hold the accuracy of calling everybody positive instead, a sign that classes
    were exchanged.
    """

    table: str
    model: str
    printed_accuracy: str | None
    nobody_positive: str
    everybody_positive: str


@dataclass(frozen=True, slots=True)
class CompleteSet:
    """A test set that reproduces every figure, and each model's matrices TP, FP, FN, TN."""

    n: int
    positives: int
    matrices: tuple[tuple[Counts, ...], ...]


def recover(
    models: Sequence[ReportedModel], explanation: Explanation
) -> tuple[tuple[Recovered, ...], Halves, int]:
    """Return every model's matrix, how exact halves were rounded, and how many figures say so.

    Where several matrices explain as many figures, at least two, the one that explains most of the
    others by a single slip is taken if it stands alone.
    """
    windows = windows_of(models, explanation.reading)
    tied = heaviest_matrices(
        windows, n=explanation.n, positives=explanation.positives, most=_MOST_TIED
    )
    reading = explanation.reading
    certain = [
        pair
        for model, (ties, matrices) in zip(models, tied, strict=True)
        if ties == 1
        for pair in _list_explained_figures(model, *matrices[0], reading=reading)
    ]
    halves, told_by = halves_of(certain, rounding=reading.rounding)
    found = tuple(
        _recover_model(model, mine, reading=reading, halves=halves)
        for model, mine in zip(models, tied, strict=True)
    )
    return found, halves, told_by


def complete_sets(
    models: Sequence[ReportedModel], reading: Interpretation, *, found: Found
) -> tuple[int, tuple[CompleteSet, ...]]:
    """Count the searched test sets that reproduce every figure; return the 200 smallest."""
    windows = windows_of(models, reading)
    pairs = list(zip(*complete(windows, sizes=found.sizes, positives=found.positives), strict=True))
    sets = []
    for n, p in pairs[:_MOST_SETS]:
        tied = heaviest_matrices(windows, n=int(n), positives=int(p), most=_MOST_LISTED)
        matrices = tuple(tuple(counts for counts, _ in mine) for _, mine in tied)
        sets.append(CompleteSet(int(n), int(p), matrices))
    return len(pairs), tuple(sets)


def _list_explained_figures(
    model: ReportedModel, counts: Counts, explained: BoolArray, *, reading: Interpretation
) -> list[tuple[Fraction, Printed]]:
    """Return the exact value and the print of every figure that a matrix explains."""
    pairs = []
    for figure, column, fits in zip(reading.figures, reading.columns, explained, strict=True):
        share = fraction(counts, figure) if fits else None
        if share is not None:
            pairs.append((share, model.figures[column]))
    return pairs


def _recover_model(
    model: ReportedModel, tied: Tied, *, reading: Interpretation, halves: Halves
) -> Recovered:
    ties, matrices = tied
    explained = int(matrices[0][1].sum())
    misprints = [_misprints(model, *pair, reading=reading, halves=halves) for pair in matrices]
    slips = np.array([sum(one.slip is not None for one in mine) for mine in misprints])
    best = int(slips.argmax())
    alone = ties == 1 or (ties == len(matrices) and int((slips == slips[best]).sum()) == 1)
    matrix = matrices[best][0] if alone and explained >= _FEWEST_EXPLAINED else None
    return Recovered(
        table=model.table,
        model=model.model,
        explained=explained,
        figures=len(model.figures),
        matrix=matrix,
        ties=ties,
        candidates=tuple(counts for counts, _ in matrices[:_MOST_LISTED]),
        rates=_rates(matrix) if matrix else (),
        misprints=tuple(misprints[best]) if matrix else (),
        auc=auc_bounds(model.auc, matrix) if matrix and model.auc else None,
    )


def _misprints(
    model: ReportedModel,
    counts: Counts,
    explained: BoolArray,
    *,
    reading: Interpretation,
    halves: Halves,
) -> list[Misprint]:
    return [
        misprint(figure, column, printed=model.figures[column], counts=counts, halves=halves)
        for figure, column, fits in zip(reading.figures, reading.columns, explained, strict=True)
        if column in model.figures and not fits
    ]


def _rates(counts: Counts) -> tuple[Rate, ...]:
    rates = []
    for name in _RATES:
        among = int(np.array(PROPORTIONS[name][1]) @ np.array(counts))
        value = float(proportion(counts, name=name))
        low, high = wilson(value, among)
        known = among > 0
        rates.append(
            Rate(name, value if known else None, low if known else None,
                 high if known else None, among)
        )  # fmt: skip
    return tuple(rates)


def set_aside(model: ReportedModel, explanation: Explanation) -> SetAside:
    """Say what the accuracy of a model that called nobody positive is in the test set."""
    columns = dict(zip(explanation.reading.figures, explanation.reading.columns, strict=True))
    printed = model.figures.get(columns.get("accuracy", ""))
    n, positives = explanation.n, explanation.positives
    digits = printed.digits if printed else max(f.digits for f in model.figures.values())
    nobody, everybody = (
        str(Printed(round(Fraction(right, n) * 10**digits), digits))
        for right in (n - positives, positives)
    )
    text = str(printed) if printed else None
    return SetAside(model.table, model.model, text, nobody, everybody)
