"""Numbers in the fields of forms."""

import math
import re
from typing import Final

from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi
from axilla.web.core.http_errors import Invalid

_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
_MOST_PX: Final = 10_000_000
_ROI_NUMBERS: Final = 4


def whole(text: str, *, place: str, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`; raise `Invalid`."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    if number is None or not low <= number <= high:
        raise Invalid(Problem(place, repr(text[:80]), f"a whole number from {low} to {high}"))
    return number


def decimal(text: str, *, place: str, low: float, high: float) -> float:
    """Return a number from `low` to `high`; raise `Invalid`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise Invalid(Problem(place, repr(text[:80]), f"a number from {low:g} to {high:g}"))
    return number


def rectangle(text: str, *, place: str) -> Roi | None:
    """Return a rectangle written as left,top,width,height in px; None of an empty text."""
    if not text:
        return None
    numbers = text.split(",")
    if len(numbers) != _ROI_NUMBERS:
        raise Invalid(Problem(place, repr(text[:80]), "left,top,width,height in px, or nothing"))
    left, top = (whole(n.strip(), place=place, low=0, high=_MOST_PX) for n in numbers[:2])
    width, height = (whole(n.strip(), place=place, low=1, high=_MOST_PX) for n in numbers[2:])
    return Roi(left, top, width, height)
