"""COCO object detection: boxes, polygons and run-length masks of many images in one file."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from axilla.annotation.formats.field_validation import (
    EXPORT_AGAIN,
    Corners,
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
    Box,
    DrawnImage,
    Polygon,
    ShapePart,
)
from axilla.annotation.rle import decode_coco
from axilla.records.errors import CohortError, Problem

_Id = int | str


class _CocoImage(Record):
    id: _Id
    file_name: Name
    width: Pixels | None = None
    height: Pixels | None = None


class _Category(Record):
    id: _Id
    name: Name


class _RunLengths(Record):
    size: tuple[Pixels, Pixels]
    counts: str | list[Run]


class _Corners(Record):
    corners: Corners

    @model_validator(mode="before")
    @classmethod
    def _pair_corners(cls, flat: Any) -> Any:
        if not isinstance(flat, list) or len(flat) % 2:
            message = "a list of x and y in turn"
            raise ValueError(message)
        return {"corners": list(zip(flat[::2], flat[1::2], strict=True))}


def _kind(segmentation: object) -> str:
    return "RLE" if isinstance(segmentation, dict) else "polygons"


class _CocoAnnotation(Record):
    image_id: _Id
    category_id: _Id | None = None
    bbox: tuple[Number, Number, Number, Number] | None = None
    segmentation: (
        Annotated[
            Annotated[_RunLengths, Tag("RLE")] | Annotated[list[_Corners], Tag("polygons")],
            Discriminator(_kind),
        ]
        | None
    ) = None


class _CocoFile(Record):
    images: list[_CocoImage]
    annotations: list[_CocoAnnotation]
    categories: list[_Category] = Field(default_factory=list)


def recognises(content: object) -> bool:
    """Tell whether decoded JSON is a COCO file."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("images"), list)
        and isinstance(content.get("annotations"), list)
    )


def read(content: object, name: str) -> tuple[DrawnImage, ...]:
    """Return what a COCO file holds; raise `CohortError` with every fault."""
    problems: list[Problem] = []
    file = validate_record(_CocoFile, content, place=name, problems=problems)
    if file is None:
        raise CohortError(problems)
    classes = {category.id: category.name for category in file.categories}
    drawn: dict[_Id, list[AnnotatedShape]] = {image.id: [] for image in file.images}
    skipped = dict.fromkeys(drawn, 0)
    for index, annotation in enumerate(file.annotations):
        place = f"{name}, annotations[{index}]"
        if dangling := _dangling(annotation, drawn, classes=classes):
            key, expected = dangling
            found = f"{key} {getattr(annotation, key)!r}"
            problems.append(Problem(place, found, expected, EXPORT_AGAIN))
        elif parts := _parts(annotation):
            label = "" if annotation.category_id is None else classes[annotation.category_id]
            drawn[annotation.image_id].append(AnnotatedShape(place, label, parts))
        else:
            skipped[annotation.image_id] += 1
    if problems:
        raise CohortError(problems)
    return tuple(
        DrawnImage(
            f"{name}, images[{index}]",
            (image.file_name,),
            tuple(drawn[image.id]),
            (image.width, image.height) if image.width and image.height else None,
            skipped[image.id],
        )
        for index, image in enumerate(file.images)
    )


def _dangling(
    annotation: _CocoAnnotation, images: Mapping[_Id, object], *, classes: Mapping[_Id, str]
) -> tuple[str, str] | None:
    if annotation.image_id not in images:
        return "image_id", "the id of one of the file's images"
    if annotation.category_id is not None and annotation.category_id not in classes:
        return "category_id", "the id of one of the file's categories"
    return None


def _parts(annotation: _CocoAnnotation) -> tuple[ShapePart, ...]:
    match annotation.segmentation:
        case _RunLengths(size=(height, width), counts=counts):
            decode = partial(decode_coco, counts, width_px=width, height_px=height)
            return (Bitmap(decode, whole=True),)
        case [*polygons] if polygons:
            return tuple(Polygon((ring_of(polygon.corners),)) for polygon in polygons)
    if annotation.bbox is None:
        return ()
    left, top, width_px, height_px = annotation.bbox
    return (Box((left, top, left + width_px, top + height_px)),)
