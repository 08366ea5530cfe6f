"""CVAT for images 1.1: XML with boxes, polygons, ellipses and run-length masks per image."""

from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

from pydantic import field_validator

from axilla.annotation.formats.field_validation import (
    EXPORT_AGAIN,
    Corners,
    Length,
    Name,
    Number,
    Pixels,
    Record,
    Run,
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
    rotated_box,
)
from axilla.annotation.rle import decode_rows
from axilla.records.errors import CohortError, Problem

# Tags and attributes are words about an image or a shape, not something drawn.
_WORDS = ("tag", "attribute")


class _CvatImage(Record):
    name: Name
    width: Pixels
    height: Pixels


class _CvatShape(Record):
    label: Name


class _CvatBox(_CvatShape):
    xtl: Number
    ytl: Number
    xbr: Number
    ybr: Number
    rotation: Number = 0.0

    def part(self) -> ShapePart:
        centre = ((self.xtl + self.xbr) / 2, (self.ytl + self.ybr) / 2)
        sides = (self.xbr - self.xtl, self.ybr - self.ytl)
        return rotated_box(
            (self.xtl, self.ytl), sides, clockwise_deg=self.rotation, about_px=centre
        )


class _CvatPolygon(_CvatShape):
    points: Corners

    @field_validator("points", mode="before")
    @classmethod
    def _split(cls, text: Any) -> Any:
        return [tuple(pair.split(",")) for pair in str(text).split(";")]

    def part(self) -> ShapePart:
        return Polygon((ring_of(self.points),))


class _CvatEllipse(_CvatShape):
    cx: Number
    cy: Number
    rx: Length
    ry: Length
    rotation: Number = 0.0

    def part(self) -> ShapePart:
        return Ellipse((self.cx, self.cy), (self.rx, self.ry), self.rotation)


class _Mask(_CvatShape):
    rle: list[Run]
    left: Number
    top: Number
    width: Pixels
    height: Pixels

    @field_validator("rle", mode="before")
    @classmethod
    def _split(cls, text: Any) -> Any:
        return str(text).split(",")

    def part(self) -> ShapePart:
        decode = partial(decode_rows, self.rle, width_px=self.width, height_px=self.height)
        return Bitmap(decode, left_px=round(self.left), top_px=round(self.top))


_SHAPES: dict[str, type[_CvatBox | _CvatPolygon | _CvatEllipse | _Mask]] = {
    "box": _CvatBox,
    "polygon": _CvatPolygon,
    "ellipse": _CvatEllipse,
    "mask": _Mask,
}


class _NoDoctype(ET.TreeBuilder):
    """Refuses a document type, where entities that expand without end are declared."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        message = "a document type (DOCTYPE), which no annotation tool writes"
        raise ValueError(message)


def read(content: bytes, name: str) -> tuple[DrawnImage, ...]:
    """Return what a CVAT file holds; raise `CohortError` with every fault."""
    root = _root(content, name)
    problems: list[Problem] = []
    drawn = []
    for index, element in enumerate(root.findall("image")):
        place = f"{name}, image[{index}]"
        image = validate_record(_CvatImage, element.attrib, place=place, problems=problems)
        drawings, skipped = _drawings(element, place, problems=problems)
        if image is not None:
            size = (image.width, image.height)
            drawn.append(DrawnImage(place, (image.name,), drawings, size, skipped))
    if root.find("track") is not None:
        found = "tracks through the frames of a video"
        remedy = "Export the task as 'CVAT for images 1.1'."
        problems.append(Problem(name, found, "shapes on images", remedy))
    if problems:
        raise CohortError(problems)
    return tuple(drawn)


def _root(content: bytes, name: str) -> ET.Element:
    try:
        root = ET.fromstring(content, parser=ET.XMLParser(target=_NoDoctype()))  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        expected = "an XML file that CVAT exported"
        raise CohortError(Problem(name, str(error), expected, EXPORT_AGAIN)) from error
    if root.tag != "annotations":
        expected = "<annotations>, as CVAT for images 1.1 writes"
        raise CohortError(Problem(name, f"an XML file of <{root.tag[:40]}>", expected))
    return root


def _drawings(
    image: ET.Element, place: str, *, problems: list[Problem]
) -> tuple[tuple[AnnotatedShape, ...], int]:
    drawings = []
    skipped = 0
    for index, element in enumerate(image):
        model = _SHAPES.get(element.tag)
        if model is None:
            skipped += element.tag not in _WORDS
            continue
        where = f"{place}.{element.tag}[{index}]"
        shape = validate_record(model, element.attrib, place=where, problems=problems)
        if shape is not None:
            drawings.append(AnnotatedShape(where, shape.label, (shape.part(),)))
    return tuple(drawings), skipped
