"""A case out of an uploaded form: files, rectangles, frames and clinical values."""

import json
from dataclasses import replace
from typing import Any, Final

from starlette.datastructures import FormData

from axilla.inference.case_io import typed
from axilla.inference.manifest import Manifest
from axilla.records.errors import Problem
from axilla.records.patients import ClinicalValue
from axilla.web.core.http_errors import Invalid
from axilla.web.prediction.numbers import decimal, rectangle, whole
from axilla.web.prediction.request import Case, Upload
from axilla.web.prediction.uploads import described, require_known, texts, uploads

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

FORM: Final = described(_FILES, _FIELDS)


async def case_of(form: FormData, manifest: Manifest) -> Case:
    """Return the case of a form; raise `Invalid` or `ConfigError` for what cannot be."""
    require_known(form, (*_FILES, *_FIELDS, _CLINICAL))
    ultrasound = await _ultrasound(form)
    mpp = (texts(form, "mpp") or [""])[0]
    size = decimal(mpp, place="mpp", low=0.01, high=100) if mpp else None
    pathology = [replace(one, mpp=size) for one in await uploads(form, "pathology")]
    case = Case(
        tuple(ultrasound),
        tuple(pathology),
        typed(_clinical(form), manifest),
        _flag(form, "heatmaps"),
    )
    _require_something(case, manifest)
    return case


async def _ultrasound(form: FormData) -> list[Upload]:
    images = await uploads(form, "ultrasound")
    masks = await uploads(form, "mask")
    if masks and (len(masks), len(images)) != (1, 1):
        found = f"{len(masks)} masks and {len(images)} ultrasound images"
        raise Invalid(Problem("mask", found, "one mask for one image"))
    boxes, frames = texts(form, "roi"), texts(form, "frame")
    for name, given in (("roi", boxes), ("frame", frames)):
        if len(given) > len(images):
            found = f"{len(given)} for {len(images)} ultrasound images"
            raise Invalid(Problem(name, found, "one per image, in their order, or empty"))
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
        raise Invalid(Problem(name, repr(text[:80]), "true or false"))
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
        raise Invalid(Problem("clinical", "no JSON", 'an object such as {"age": 53}')) from error
    if not isinstance(content, dict) or any(
        isinstance(value, bool) or not isinstance(value, int | float | str | None)
        for value in content.values()
    ):
        expected = 'an object of numbers and words, such as {"age": 53}'
        raise Invalid(Problem("clinical", "JSON of another form", expected))
    return content


def _require_something(case: Case, manifest: Manifest) -> None:
    """Raise `Invalid` unless the bundle can use something of the case."""
    known = [part.modality for part in manifest.modalities]
    there = {
        "ultrasound": bool(case.ultrasound),
        "pathology": bool(case.pathology),
        "clinical": any(value is not None for value in case.clinical.values()),
    }
    if not any(there[modality] for modality in known):
        raise Invalid(Problem("case", "none of them", f"at least one of {', '.join(known)}"))
