"""How Table 1 prints numbers, and in which order its levels stand."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from axilla.cohort.values.cells import as_number
from axilla.records.arrays import FloatArray, IntArray

MEAN: Final = "mean ± SD"
MEDIAN: Final = "median (IQR)"

_LEAST_P = 0.001
_DECIMALS = 3
_MOST_DECIMALS = 6
_SD_PER_IQR = 1.349
_DIGITS = re.compile(r"(\d+)")


def p_text(p: float) -> str:
    """Print a p-value with three decimals, or as below 0.001; nothing where there is none."""
    if math.isnan(p):
        return ""
    return f"< {_LEAST_P}" if p < _LEAST_P else f"{p:.{_DECIMALS}f}"


def smd_text(smd: float) -> str:
    """Print a standardised mean difference with three decimals, or `inf`; nothing for NaN."""
    return "" if math.isnan(smd) else f"{smd:.{_DECIMALS}f}"


def count_text(count: int, of: int) -> str:
    """Print a count with its share in percent, or the count alone of a group without patients."""
    return f"{count} ({100 * count / of:.1f})" if of else str(count)


def missing_text(absent: IntArray) -> str:
    """Print how many patients have no value, in all and in each group: `5 (2 / 3)`, or 0."""
    total = int(absent.sum())
    return f"{total} ({' / '.join(map(str, absent))})" if total else "0"


def number_texts(samples: Sequence[FloatArray], *, normal: bool) -> tuple[str, list[str]]:
    """Return which summary it is, and that of each sample; empty where there are no values.

    Quartiles are interpolated linearly (Hyndman & Fan 1996, type 7). Decimals follow the spread of
    the first sample, that of all patients, so that an SD has two or three digits.
    """
    if not samples[0].size:
        return "", [""] * len(samples)
    places = _places(samples[0], normal=normal)
    texts = [_summary(sample, places, normal=normal) if sample.size else "" for sample in samples]
    return (MEAN if normal else MEDIAN), texts


def in_order(levels: Iterable[str]) -> list[str]:
    """Return levels as a person sorts them: numbers by size, else T2 before T10, in any case."""
    listed = sorted(levels)
    numbers = [as_number(level) for level in listed]
    if None in numbers:
        return sorted(listed, key=_natural)
    return sorted(listed, key=float)


def _natural(level: str) -> list[tuple[int, str]]:
    # Every second part is digits, so that equal positions hold the same kind.
    parts = _DIGITS.split(level.casefold())
    return [(int(part) if part.isdecimal() else 0, part) for part in parts]


def _summary(sample: FloatArray, places: int, *, normal: bool) -> str:
    if normal:
        return f"{sample.mean():.{places}f} ± {sample.std(ddof=1):.{places}f}"
    low, middle, high = np.quantile(sample, [0.25, 0.5, 0.75])
    return f"{middle:.{places}f} ({low:.{places}f} to {high:.{places}f})"


def _places(sample: FloatArray, *, normal: bool) -> int:
    if sample.size < 2:  # noqa: PLR2004
        return 1
    low, high = np.quantile(sample, [0.25, 0.75])
    spread = float(sample.std(ddof=1)) if normal else float(high - low) / _SD_PER_IQR
    spread = spread or float(sample.std(ddof=1))
    if spread == 0:
        return 1
    return min(max(1 - math.floor(math.log10(spread / 2)), 0), _MOST_DECIMALS)
