"""Which tool wrote an annotation file, told from its content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from axilla.annotation.formats import coco, cvat, label_studio, labelme, qupath
from axilla.annotation.outline_shapes import DrawnImage
from axilla.records.errors import CohortError, Problem

# Decoded JSON takes several times its size in memory.
MAX_BYTES = 128 * 1024 * 1024

_KNOWN = (
    "an annotation file of COCO, LabelMe, Label Studio (JSON), CVAT for images 1.1 (XML) "
    "or QuPath (GeoJSON)"
)
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """What one file holds, and the tool or format it is of."""

    name: str
    tool: str
    images: tuple[DrawnImage, ...]


def read_annotations(path: Path, *, image: str | None = None) -> AnnotationFile:
    """Read an annotation file of any known tool.

    `image` names the image of a file that does not, as QuPath's; the default is the file's own
    name. Nothing is decoded that the file only packs, such as masks. Raises `CohortError` with
    every fault.
    """
    content = _content(path)
    if content.startswith(_ZIP):
        remedy = "Unpack it and give the annotation files inside."
        raise CohortError(Problem(path.name, "a ZIP archive", _KNOWN, remedy))
    if content.lstrip()[:1] == b"<":
        return AnnotationFile(path.name, "CVAT", cvat.read(content, path.name))
    decoded = _json(content, path.name)
    if coco.recognises(decoded):
        return AnnotationFile(path.name, "COCO", coco.read(decoded, path.name))
    if labelme.recognises(decoded):
        return AnnotationFile(path.name, "LabelMe", labelme.read(decoded, path.name))
    if qupath.recognises(decoded):
        names = (image or path.stem,)  # QuPath writes a.geojson or a.jpg.geojson
        return AnnotationFile(path.name, "QuPath", qupath.read(decoded, path.name, names=names))
    if label_studio.recognises(decoded):
        return AnnotationFile(path.name, "Label Studio", label_studio.read(decoded, path.name))
    remedy = "Export the annotations in one of these formats; from Label Studio as JSON."
    raise CohortError(Problem(path.name, _kind(decoded), _KNOWN, remedy))


def _content(path: Path) -> bytes:
    if not path.is_file():
        remedy = "Correct the path."
        raise CohortError(Problem(path.name, "no such file", _KNOWN, remedy))
    if (size := path.stat().st_size) > MAX_BYTES:
        found, expected = f"{size // 2**20} MiB", f"at most {MAX_BYTES // 2**20} MiB"
        raise CohortError(Problem(path.name, found, expected, "Export the images in parts."))
    return path.read_bytes().removeprefix(b"\xef\xbb\xbf")


def _json(content: bytes, name: str) -> Any:
    try:
        return from_json(content, cache_strings="keys")
    except ValueError as error:
        raise CohortError(Problem(name, f"no readable JSON ({error})", _KNOWN)) from error


def _kind(decoded: object) -> str:
    if isinstance(decoded, dict):
        keys = ", ".join(map(repr, list(decoded)[:5]))
        return f"JSON with {keys}"[:120] if keys else "an empty JSON object"
    if isinstance(decoded, list):
        return f"a JSON list of {len(decoded)}" if decoded else "an empty JSON list"
    return "a single JSON value"
