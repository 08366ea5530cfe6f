"""LabelMe: one JSON file per image, shapes by their points, brushed masks as embedded PNG."""

import base64
import binascii
import math
import struct
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from axilla.annotation.formats.field_validation import (
    EXPORT_AGAIN,
    Name,
    Pixels,
    Point,
    Record,
    ring_of,
    validate_record,
)
from axilla.annotation.outline_shapes import (
    AnnotatedShape,
    Bitmap,
    Box,
    DrawnImage,
    Ellipse,
    Polygon,
    ShapePart,
)
from axilla.imaging.raster import MAX_PIXELS
from axilla.records.errors import CohortError, Problem, RoiError

_POINTS = {
    "polygon": (3, 20_000),
    "rectangle": (2, 4),
    "oriented_rectangle": (4, 4),
    "rotation": (4, 4),  # what forks of LabelMe call it
    "circle": (2, 2),
    "mask": (2, 2),
}
_WITHOUT_AREA = ("point", "points", "line", "linestrip")

# What Pillow raises on damaged PNG data.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, OverflowError, struct.error)


class _LabelMeShape(Record):
    label: Name
    points: list[Point]
    shape_type: str | None = None
    group_id: int | str | None = None
    mask: str | None = None


class _LabelMeFile(Record):
    image_path: Name = Field(alias="imagePath")
    width_px: Pixels | None = Field(None, alias="imageWidth")
    height_px: Pixels | None = Field(None, alias="imageHeight")
    shapes: list[_LabelMeShape]


def recognises(content: object) -> bool:
    """Tell whether decoded JSON is a LabelMe file."""
    return isinstance(content, dict) and "shapes" in content and "imagePath" in content


def read(content: object, name: str) -> tuple[DrawnImage, ...]:
    """Return what a LabelMe file holds; raise `CohortError` with every fault.

    Shapes of one label and group are one object.
    """
    problems: list[Problem] = []
    file = validate_record(_LabelMeFile, content, place=name, problems=problems)
    if file is None:
        raise CohortError(problems)
    groups: dict[Any, list[tuple[int, ShapePart]]] = {}
    skipped = 0
    for index, shape in enumerate(file.shapes):
        kind = shape.shape_type or "polygon"
        if kind in _WITHOUT_AREA:
            skipped += 1
        elif problem := _problem(shape, kind, place=f"{name}, shapes[{index}]"):
            problems.append(problem)
        else:
            alone = shape.group_id is None
            key = (shape.label, index if alone else None, shape.group_id)
            groups.setdefault(key, []).append((index, _part(shape, kind)))
    if problems:
        raise CohortError(problems)
    drawings = tuple(
        AnnotatedShape(f"{name}, shapes[{parts[0][0]}]", label, tuple(part for _, part in parts))
        for (label, *_), parts in groups.items()
    )
    size = (file.width_px, file.height_px) if file.width_px and file.height_px else None
    return (DrawnImage(name, (file.image_path,), drawings, size, skipped),)


def _problem(shape: _LabelMeShape, kind: str, *, place: str) -> Problem | None:
    if kind not in _POINTS:
        known = ", ".join([*_POINTS, *_WITHOUT_AREA])
        return Problem(place, f"shape_type {kind!r}", f"one of {known}", EXPORT_AGAIN)
    fewest, most = _POINTS[kind]
    if not fewest <= len(shape.points) <= most:
        expected = f"{fewest} points" if fewest == most else f"{fewest} to {most} points"
        found = f"a {kind} of {len(shape.points)} points"
        return Problem(place, found, expected, "Draw the shape again.")
    if kind == "mask" and not shape.mask:
        return Problem(place, "a mask without pixels", "a PNG image in base64", EXPORT_AGAIN)
    if kind == "circle" and shape.points[0] == shape.points[1]:
        return Problem(place, "a circle without area", "a lesion", "Draw the shape again.")
    return None


def _part(shape: _LabelMeShape, kind: str) -> ShapePart:
    across, down = [x for x, _ in shape.points], [y for _, y in shape.points]
    match kind:
        case "rectangle":
            return Box((min(across), min(down), max(across), max(down)))
        case "circle":
            radius = math.hypot(across[1] - across[0], down[1] - down[0])
            return Ellipse((across[0], down[0]), (radius, radius))
        case "mask":
            left, top = round(min(across)), round(min(down))
            return Bitmap(partial(_png_mask, shape.mask or ""), left_px=left, top_px=top)
    return Polygon((ring_of(shape.points),))


def _png_mask(text: str) -> NDArray[np.bool_]:
    try:
        with Image.open(BytesIO(base64.b64decode(text)), formats=("PNG",)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise RoiError(_damage_problem(f"{width} x {height} px"))
            return np.asarray(image.convert("L")) > 0
    except binascii.Error as error:
        raise RoiError(_damage_problem("text that is not base64")) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DAMAGED) as error:
        raise RoiError(_damage_problem(f"a damaged PNG image ({type(error).__name__})")) from error


def _damage_problem(found: str) -> Problem:
    return Problem("mask", found, "a PNG image in base64", EXPORT_AGAIN)
