"""Values in annotation files, checked one by one, so that every fault is told with its place."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from axilla.annotation.outline_shapes import Ring
from axilla.records.errors import Problem

_FARTHEST_PX = 1e6
_MOST_SHOWN = 80
# No reader draws more; a jagged line of more takes minutes to fill.
_MOST_CORNERS = 20_000
_FEWEST_CORNERS = 3

EXPORT_AGAIN = "Export it again from the annotation tool."

Number = Annotated[float, Field(ge=-_FARTHEST_PX, le=_FARTHEST_PX, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=_FARTHEST_PX, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=1, le=int(_FARTHEST_PX))]
Run = Annotated[int, Field(ge=0, le=2**31)]
Point = tuple[Number, Number]
Corners = Annotated[list[Point], Field(min_length=_FEWEST_CORNERS, max_length=_MOST_CORNERS)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4096)]

_Model = TypeVar("_Model", bound=BaseModel)


class Record(BaseModel):
    """A part of an annotation file; keys that axilla has no use for are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


def validate_record(
    model: type[_Model], content: object, *, place: str, problems: list[Problem]
) -> _Model | None:
    """Return `content` as a record, or None with what is wrong with it added to `problems`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems.extend(
            Problem(
                _place(place, fault["loc"]),
                _quote_value(fault["input"]) if fault["type"] != "missing" else "nothing",
                _describe_expectation(fault["msg"]),
                EXPORT_AGAIN,
            )
            for fault in error.errors(include_url=False, include_context=False)
        )
        return None


def ring_of(points: Iterable[Sequence[float]]) -> Ring:
    """Return corners as an array (N, 2)."""
    return np.array(list(points), dtype=np.float64)


def _place(place: str, location: Iterable[Any]) -> str:
    words = place
    for part in location:
        joint = "." if words != place or "[" in place else ", "
        words += f"[{part}]" if isinstance(part, int) else f"{joint}{part}"
    return words


def _quote_value(found: object) -> str:
    if isinstance(found, dict | list):
        return f"{'an object' if isinstance(found, dict) else 'a list'} of {len(found)}"
    words = repr(found)
    return words if len(words) <= _MOST_SHOWN else f"{words[:_MOST_SHOWN]} ..."


def _describe_expectation(message: str) -> str:
    words = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return "a value" if words == "Field required" else words[:1].lower() + words[1:]
