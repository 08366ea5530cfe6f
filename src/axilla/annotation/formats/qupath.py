"""QuPath: GeoJSON features of one image, which the file does not name."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from axilla.annotation.formats.field_validation import (
    Name,
    Number,
    Record,
    ring_of,
    validate_record,
)
from axilla.annotation.outline_shapes import AnnotatedShape, DrawnImage, Polygon
from axilla.records.errors import CohortError, Problem

# GeoJSON allows a height after x and y.
_Position = Annotated[list[Number], Field(min_length=2, max_length=4)]
_Ring = Annotated[list[_Position], Field(min_length=3, max_length=20_000)]
_Rings = Annotated[list[_Ring], Field(min_length=1)]

_ANNOTATIONS = ("annotation", "PathAnnotationObject", "")


class _QuPathPolygon(Record):
    type: Literal["Polygon"]
    coordinates: _Rings


class _MultiPolygon(Record):
    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[_Rings], Field(min_length=1)]


class _Other(Record):
    type: str


class _Classification(Record):
    name: Name = ""
    names: list[Name] = Field(default_factory=list)


class _Properties(Record):
    object_type: str = Field("", alias="objectType")
    classification: _Classification | None = None


def _kind(geometry: object) -> str:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    return kind if kind in ("Polygon", "MultiPolygon") else "object"


class _Feature(Record):
    id: Any = ""
    geometry: Annotated[
        Annotated[_QuPathPolygon, Tag("Polygon")]
        | Annotated[_MultiPolygon, Tag("MultiPolygon")]
        | Annotated[_Other, Tag("object")],
        Discriminator(_kind),
    ]
    properties: _Properties = Field(default_factory=lambda: _Properties.model_validate({}))


class _QuPathFile(Record):
    features: list[_Feature]


def recognises(content: object) -> bool:
    """Tell whether decoded JSON is GeoJSON: a collection, a feature, or a list of features."""
    if isinstance(content, list):
        return bool(content) and _is_feature(content[0])
    return _is_feature(content) or (
        isinstance(content, dict) and content.get("type") == "FeatureCollection"
    )


def read(content: Any, name: str, *, names: tuple[str, ...]) -> tuple[DrawnImage, ...]:
    """Return what a GeoJSON file holds of the image called `names`; only annotations count.

    Coordinates are px of the full resolution. Raises `CohortError` with every fault.
    """
    features = content if isinstance(content, list) else None
    if isinstance(content, dict) and content.get("type") == "Feature":
        features = [content]
    problems: list[Problem] = []
    whole = content if features is None else {"features": features}
    file = validate_record(_QuPathFile, whole, place=name, problems=problems)
    if file is None:
        raise CohortError(problems)
    drawings = []
    for index, feature in enumerate(file.features):
        parts = _parts(feature)
        if parts:
            place = f"{name}, features[{index}]"
            drawings.append(AnnotatedShape(place, _label(feature.properties.classification), parts))
    skipped = len(file.features) - len(drawings)
    return (DrawnImage(name, names, tuple(drawings), None, skipped),)


def _is_feature(content: object) -> bool:
    return isinstance(content, dict) and content.get("type") == "Feature"


def _label(classification: _Classification | None) -> str:
    if classification is None:
        return ""
    return classification.name or ": ".join(classification.names)


def _parts(feature: _Feature) -> tuple[Polygon, ...]:
    kind = feature.properties.object_type
    if not kind and isinstance(feature.id, str) and feature.id.startswith("Path"):
        kind = feature.id  # until QuPath 0.3 the kind of an object stood in its id
    if kind not in _ANNOTATIONS or isinstance(feature.geometry, _Other):
        return ()
    geometry = feature.geometry
    outlines = (
        [geometry.coordinates] if isinstance(geometry, _QuPathPolygon) else geometry.coordinates
    )
    return tuple(
        Polygon(tuple(ring_of(point[:2] for point in ring) for ring in rings)) for rings in outlines
    )
