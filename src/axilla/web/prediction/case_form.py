"""Read a case from an uploaded form: files, ROIs, frames and clinical values."""

import json
import math
import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from axilla.inference.case_io import parse_clinical_values
from axilla.inference.manifest import Manifest
from axilla.records.errors import Problem
from axilla.records.patients import ClinicalValue
from axilla.records.roi_rectangle import Roi
from axilla.web.core.http_errors import InvalidError
from axilla.web.prediction.uploaded_case import Upload, UploadedCase, upload_of
from axilla.web.state import AppState

_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
_MOST_PX: Final = 10_000_000
_ROI_NUMBERS: Final = 4
_MOST_FILES: Final = 64
_MOST_FIELDS: Final = 256
_LONGEST_FIELD_BYTES: Final = 64 << 10
_FILES: Final = {"ultrasound": True, "pathology": True, "mask": False}
_TEXTS: Final = {"type": "array", "items": {"type": "string", "maxLength": 64}, "maxItems": 64}
_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "roi": {**_TEXTS, "description": "left,top,width,height in px, one per ultrasound image"},
    "frame": {**_TEXTS, "description": "frame of a clip from 1, one per ultrasound image"},
    "mpp": {"type": "string", "description": "micrometres per pathology pixel"},
    "clinical": {"type": "string", "description": "JSON object: column to value"},
    "heatmaps": {"type": "string", "enum": ["true", "false"]},
}
_CLINICAL: Final = "clinical."
_LARGEST_FRAME: Final = 100_000


def whole(text: str, *, place: str, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`; raise `InvalidError`."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    if number is None or not low <= number <= high:
        raise InvalidError(Problem(place, repr(text[:80]), f"a whole number from {low} to {high}"))
    return number


def decimal(text: str, *, place: str, low: float, high: float) -> float:
    """Return a number from `low` to `high`; raise `InvalidError`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise InvalidError(Problem(place, repr(text[:80]), f"a number from {low:g} to {high:g}"))
    return number


def rectangle(text: str, *, place: str) -> Roi | None:
    """Return a rectangle written as left,top,width,height in px; None of an empty text."""
    if not text:
        return None
    numbers = text.split(",")
    if len(numbers) != _ROI_NUMBERS:
        raise InvalidError(
            Problem(place, repr(text[:80]), "left,top,width,height in px, or nothing")
        )
    left, top = (whole(n.strip(), place=place, low=0, high=_MOST_PX) for n in numbers[:2])
    width, height = (whole(n.strip(), place=place, low=1, high=_MOST_PX) for n in numbers[2:])
    return Roi(left, top, width, height)


class _InMemory(MultiPartParser):
    """Starlette's parser, which would write files above 1 MiB to the disk."""

    spool_max_size = 1 << 62


@asynccontextmanager
async def form_of(request: Request, web: AppState) -> AsyncIterator[FormData]:
    """Read a form of files and fields; their memory is counted while the block runs.

    Raises `InvalidError` for another kind of body, `BusyError` if others fill the memory.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise InvalidError(Problem("Content-Type", kind[:80] or "none", "multipart/form-data"))
    stated = request.headers.get("content-length", "")
    most = web.settings.limits.upload_bytes
    with web.desks.room.hold(int(stated) if stated.isdigit() else most):
        parser = _InMemory(
            request.headers,
            request.stream(),
            max_files=_MOST_FILES,
            max_fields=_MOST_FIELDS,
            max_part_size=_LONGEST_FIELD_BYTES,
        )
        try:
            form = await parser.parse()
        except MultiPartException as error:
            expected = f"a form of at most {_MOST_FILES} files"
            raise InvalidError(Problem("body", error.message, expected)) from error
        except ClientDisconnect as error:
            raise InvalidError(Problem("body", "one that ends early", "a whole form")) from error
        try:
            yield form
        finally:
            await form.close()


def require_known(form: FormData, names: Collection[str]) -> None:
    """Raise `InvalidError` for a field not in `names`; a name ending in a dot is a prefix."""
    for name in form:
        if name not in names and f"{name.partition('.')[0]}." not in names:
            raise InvalidError(
                Problem("form", repr(name[:80]), f"some of {', '.join(sorted(names))}")
            )


async def uploads(form: FormData, name: str) -> list[Upload]:
    """Return the files of a field; a browser's empty choice is none, an empty file is refused."""
    found = []
    for value in form.getlist(name):
        if not isinstance(value, UploadFile):
            raise InvalidError(Problem(name, "a text", "a file"))
        content = await value.read()
        if not content and not value.filename:
            continue
        if not content:
            raise InvalidError(
                Problem(name, "an empty file", "an image", "Export the image again.")
            )
        found.append(upload_of(value.filename, content))
    return found


def texts(form: FormData, name: str) -> list[str]:
    """Return the values of a field, each as it was written; raise `InvalidError` for a file."""
    values = form.getlist(name)
    if any(isinstance(value, UploadFile) for value in values):
        raise InvalidError(Problem(name, "a file", "a text"))
    return [str(value).strip() for value in values]


def describe_form(
    files: Mapping[str, bool], fields: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return OpenAPI's description of a form: `files`, several if true, and `fields`."""
    binary = {"type": "string", "format": "binary"}
    several = {"type": "array", "items": binary, "maxItems": _MOST_FILES}
    properties = {name: several if many else binary for name, many in files.items()}
    schema = {"type": "object", "properties": {**properties, **fields}}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


FORM: Final = describe_form(_FILES, _FIELDS)


async def case_of(form: FormData, manifest: Manifest) -> UploadedCase:
    """Return the case of a form; raise `InvalidError` or `ConfigError` for what cannot be."""
    require_known(form, (*_FILES, *_FIELDS, _CLINICAL))
    ultrasound = await _ultrasound(form)
    mpp = (texts(form, "mpp") or [""])[0]
    size = decimal(mpp, place="mpp", low=0.01, high=100) if mpp else None
    pathology = [replace(one, mpp=size) for one in await uploads(form, "pathology")]
    case = UploadedCase(
        tuple(ultrasound),
        tuple(pathology),
        parse_clinical_values(_clinical(form), manifest),
        _flag(form, "heatmaps"),
    )
    _require_something(case, manifest)
    return case


async def _ultrasound(form: FormData) -> list[Upload]:
    images = await uploads(form, "ultrasound")
    masks = await uploads(form, "mask")
    if masks and (len(masks), len(images)) != (1, 1):
        found = f"{len(masks)} masks and {len(images)} ultrasound images"
        raise InvalidError(Problem("mask", found, "one mask for one image"))
    boxes, frames = texts(form, "roi"), texts(form, "frame")
    for name, given in (("roi", boxes), ("frame", frames)):
        if len(given) > len(images):
            found = f"{len(given)} for {len(images)} ultrasound images"
            raise InvalidError(Problem(name, found, "one per image, in their order, or empty"))
    return [
        replace(
            image,
            roi=rectangle(_at(boxes, place), place=f"roi of ultrasound-{place + 1}"),
            frame=_frame(_at(frames, place)),
            mask=masks[0] if masks else None,
        )
        for place, image in enumerate(images)
    ]


def _at(given: list[str], place: int) -> str:
    return given[place] if place < len(given) else ""


def _frame(text: str) -> int | None:
    return whole(text, place="frame", low=1, high=_LARGEST_FRAME) if text else None


def _flag(form: FormData, name: str) -> bool:
    text = (texts(form, name) or ["false"])[0].casefold()
    if text not in ("true", "false", "1", "0", "on", ""):
        raise InvalidError(Problem(name, repr(text[:80]), "true or false"))
    return text in ("true", "1", "on")


def _clinical(form: FormData) -> dict[str, ClinicalValue]:
    """Return the values of the field `clinical`, a JSON object, and of fields `clinical.NAME`."""
    values: dict[str, ClinicalValue] = {}
    for text in texts(form, "clinical"):
        values |= _object(text) if text else {}
    for name in form:
        if name.startswith(_CLINICAL):
            values[name.removeprefix(_CLINICAL)] = texts(form, name)[-1] or None
    return {name: (value or None) if isinstance(value, str) else value
            for name, value in values.items()}  # fmt: skip


def _object(text: str) -> dict[str, ClinicalValue]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidError(
            Problem("clinical", "no JSON", 'an object such as {"age": 53}')
        ) from error
    if not isinstance(content, dict) or any(
        isinstance(value, bool) or not isinstance(value, int | float | str | None)
        for value in content.values()
    ):
        expected = 'an object of numbers and words, such as {"age": 53}'
        raise InvalidError(Problem("clinical", "JSON of another form", expected))
    return content


def _require_something(case: UploadedCase, manifest: Manifest) -> None:
    """Raise `InvalidError` unless the bundle can use something of the case."""
    known = [part.modality for part in manifest.modalities]
    there = {
        "ultrasound": bool(case.ultrasound),
        "pathology": bool(case.pathology),
        "clinical": any(value is not None for value in case.clinical.values()),
    }
    if not any(there[modality] for modality in known):
        raise InvalidError(Problem("case", "none of them", f"at least one of {', '.join(known)}"))
