"""What single figures should have said, and which slip of a hand made them what is printed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal

from axilla.evaluation.audit.interpretations import FRACTIONS, Rounding
from axilla.evaluation.audit.matrices import Counts
from axilla.evaluation.audit.reported_table import Printed

Halves = Literal["to even", "up", "both ways", "not told", "cut off"]

_LAST_PLACE: Final = "last place off by one"
_TRANSPOSED: Final = "two neighbouring digits transposed"
_ONE_DIGIT: Final = "one digit changed"


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
    return _TRANSPOSED if _transposed(one, other, differing) else None


def _transposed(one: str, other: str, differing: Sequence[int]) -> bool:
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
