"""The levels of a column that describes patients: its words, its codes, or bands of its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from axilla.records.patients import ClinicalValue

UNKNOWN: Final = "unknown"
# A numeric column with so few different values is a code (grade 1 to 3), not a measurement.
_MOST_CODES: Final = 5


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a column and its patients; `known` is False where the column is empty."""

    name: str
    patients: frozenset[str]
    known: bool = True


def levels_of(values: Mapping[str, ClinicalValue], *, cuts: Sequence[float] = ()) -> list[Level]:
    """Return the levels of `values` (by patient) that hold a patient, the unknown one last.

    Numbers fall into bands at `cuts`, a band holding its lower end; without cuts, up to five
    different numbers are levels of their own and more are halved at their median. Text is a
    level as it stands, except that the word unknown counts as empty.
    """
    known = {p: v for p, v in values.items() if v is not None and str(v).casefold() != UNKNOWN}
    numbers = {p: v for p, v in known.items() if isinstance(v, float)}
    if len(numbers) < len(known):
        names: Mapping[str, str] = {p: _printed(v) for p, v in known.items()}
        order = sorted(set(names.values()), key=lambda name: (name.casefold(), name))
    elif not cuts and len(set(numbers.values())) <= _MOST_CODES:
        names = {p: _printed(v) for p, v in numbers.items()}
        order = [_printed(value) for value in sorted(set(numbers.values()))]
    else:
        names, order = _bands(numbers, cuts or [_halving_cut(list(numbers.values()))])
    levels = [
        Level(name, frozenset(patient for patient, own in names.items() if own == name))
        for name in order
    ]
    if missing := frozenset(values.keys() - known.keys()):
        levels.append(Level(UNKNOWN, missing, known=False))
    return [level for level in levels if level.patients]


def _bands(numbers: Mapping[str, float], cuts: Sequence[float]) -> tuple[dict[str, str], list[str]]:
    """Return each patient's band, and the bands from the lowest."""
    whole = all(value.is_integer() for value in (*numbers.values(), *map(float, cuts)))
    inner = [_between(low, high, whole=whole) for low, high in pairwise(cuts)]
    order = [f"< {_printed(cuts[0])}", *inner, f">= {_printed(cuts[-1])}"]
    places = np.searchsorted(cuts, list(numbers.values()), side="right")
    return {p: order[place] for p, place in zip(numbers, places, strict=True)}, order


def _between(low: float, high: float, *, whole: bool) -> str:
    if not whole:
        return f"{_printed(low)} to < {_printed(high)}"
    return _printed(low) if high - low == 1 else f"{_printed(low)} to {_printed(high - 1)}"


def _halving_cut(values: Sequence[float]) -> float:
    """Return the median, or the next value where no value lies below it."""
    median = float(np.median(values))
    return median if min(values) < median else min(value for value in values if value > median)


def _printed(value: ClinicalValue) -> str:
    return f"{value:.10g}" if isinstance(value, float | int) else str(value)
