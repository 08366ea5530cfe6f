"""Label Studio: JSON of tasks, shapes in percent of the image, brushes as packed runs."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AliasChoices, Field

from axilla.annotation.formats.field_validation import (
    EXPORT_AGAIN,
    Corners,
    Length,
    Name,
    Number,
    Pixels,
    Record,
    ring_of,
    validate_record,
)
from axilla.annotation.outline_shapes import (
    AnnotatedShape,
    Bitmap,
    DrawnImage,
    Ellipse,
    Polygon,
    ShapePart,
    Size,
    rotated_box,
)
from axilla.annotation.rle import decode_brush
from axilla.records.errors import CohortError, Problem

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".dcm", ".dicom")
_WITHOUT_AREA = ("keypoint", "vector")

_Byte = Annotated[int, Field(ge=0, le=255)]


class _Rectangle(Record):
    x: Number
    y: Number
    width: Length
    height: Length
    rotation: Number = 0.0

    def part(self, size: Size) -> ShapePart:
        corner = _px(self.x, self.y, size)
        return rotated_box(
            corner,
            _px(self.width, self.height, size),
            clockwise_deg=self.rotation,
            about_px=corner,
        )


class _EllipseLabels(Record):
    x: Number
    y: Number
    radius_x: Length = Field(alias="radiusX")
    radius_y: Length = Field(alias="radiusY")
    rotation: Number = 0.0

    def part(self, size: Size) -> ShapePart:
        radii = _px(self.radius_x, self.radius_y, size)
        return Ellipse(_px(self.x, self.y, size), radii, self.rotation)


class _PolygonLabels(Record):
    points: Corners

    def part(self, size: Size) -> ShapePart:
        return Polygon((ring_of(_px(x, y, size) for x, y in self.points),))


class _Brush(Record):
    rle: list[_Byte]

    def part(self, size: Size) -> ShapePart:
        decode = partial(decode_brush, bytes(self.rle), width_px=size[0], height_px=size[1])
        return Bitmap(decode)


_SHAPES: dict[str, type[_Rectangle | _EllipseLabels | _PolygonLabels | _Brush]] = {
    "rectangle": _Rectangle,
    "ellipse": _EllipseLabels,
    "polygon": _PolygonLabels,
    "brush": _Brush,
}


class _Result(Record):
    id: Name = ""
    type: Name = ""
    value: dict[str, Any] = Field(default_factory=dict)
    width_px: Pixels | None = Field(None, alias="original_width")
    height_px: Pixels | None = Field(None, alias="original_height")
    image_rotation: Number = 0.0

    @property
    def kind(self) -> str:
        """What was drawn, whether or not the tool names its class in the same breath."""
        return self.type.removesuffix("labels")


class _LabelStudioAnnotation(Record):
    result: list[_Result]
    was_cancelled: bool = False


class _Task(Record):
    data: dict[str, Any]
    annotations: list[_LabelStudioAnnotation] = Field(
        validation_alias=AliasChoices("annotations", "completions")
    )
    file_upload: Name | None = None


def recognises(content: object) -> bool:
    """Tell whether decoded JSON is a Label Studio export of tasks, or one task."""
    task = content[0] if isinstance(content, list) and content else content
    return (
        isinstance(task, dict)
        and "data" in task
        and bool({"annotations", "completions"} & set(task))
    )


def read(content: object, name: str) -> tuple[DrawnImage, ...]:
    """Return what a Label Studio export holds; raise `CohortError` with every fault.

    Cancelled annotations and predictions of models are left out.
    """
    problems: list[Problem] = []
    drawn = []
    for index, raw in enumerate(content if isinstance(content, list) else [content]):
        place = f"{name}, [{index}]"
        task = validate_record(_Task, raw, place=place, problems=problems)
        image = None if task is None else _read_task(task, place, problems=problems)
        drawn += [] if image is None else [image]
    if problems:
        raise CohortError(problems)
    return tuple(drawn)


def _read_task(task: _Task, place: str, *, problems: list[Problem]) -> DrawnImage | None:
    names = tuple(_names(task))
    if not names:
        expected = "one path or address of an image in data"
        problems.append(Problem(place, f"data of {', '.join(task.data)[:80]}", expected))
        return None
    drawings: list[AnnotatedShape] = []
    skipped = 0
    size: Size | None = None
    for where, result, label in _results(task, place):
        skipped += result.kind in _WITHOUT_AREA
        if result.kind not in _SHAPES:
            continue
        size = _size(result, where, problems=problems)
        model = _SHAPES[result.kind]
        shape = validate_record(model, result.value, place=f"{where}.value", problems=problems)
        if shape is not None and size is not None:
            drawings.append(AnnotatedShape(where, label, (shape.part(size),)))
    return DrawnImage(place, names, tuple(drawings), size, skipped)


def _results(task: _Task, place: str) -> Iterator[tuple[str, _Result, str]]:
    """Yield each result with its class, which may stand in another result of the same id."""
    for row, annotation in enumerate(task.annotations):
        if annotation.was_cancelled:
            continue
        apart = {r.id: _class(r.value, "labels") for r in annotation.result if r.type == "labels"}
        for index, result in enumerate(annotation.result):
            label = _class(result.value, result.type) or apart.get(result.id, "")
            yield f"{place}.annotations[{row}].result[{index}]", result, label


def _class(value: Mapping[str, Any], key: str) -> str:
    labels = value.get(key)
    return str(labels[0]) if isinstance(labels, list) and labels else ""


def _size(result: _Result, place: str, *, problems: list[Problem]) -> Size | None:
    if result.image_rotation % 360:
        found = f"an image turned by {result.image_rotation:g} degrees"
        remedy = "Turn the image file before it is annotated."
        problems.append(Problem(place, found, "an upright image", remedy))
    if result.width_px is None or result.height_px is None:
        expected = "original_width and original_height"
        problems.append(Problem(place, "no size of the image", expected, EXPORT_AGAIN))
        return None
    return result.width_px, result.height_px


def _names(task: _Task) -> Iterator[str]:
    """Yield the image's names, as stored and without the prefix that an upload adds."""
    for text in (_address(task.data), task.file_upload):
        if text:
            name = _path_of(text)
            yield name
            yield _UPLOAD_PREFIX.sub("", PurePosixPath(name).name)


def _address(data: Mapping[str, Any]) -> str | None:
    texts = {key: text for key, text in data.items() if isinstance(text, str)}
    images = [text for text in texts.values() if _path_of(text).lower().endswith(_IMAGES)]
    if len(images) == 1:
        return images[0]
    return texts.get("image") or (next(iter(texts.values())) if len(texts) == 1 else None)


def _path_of(address: str) -> str:
    """Return the path in an address; storage on the server's disk has it behind '?d='."""
    try:
        parts = urlsplit(address)
    except ValueError:  # not an address after all
        return address
    if inner := parse_qs(parts.query).get("d"):
        return inner[0]
    drive = len(parts.scheme) == 1  # C:, not an address
    return unquote(parts.path if parts.scheme and not drive else address)


def _px(x_percent: float, y_percent: float, size: Size) -> tuple[float, float]:
    return x_percent / 100 * size[0], y_percent / 100 * size[1]
