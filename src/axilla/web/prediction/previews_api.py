"""Uploads turned into something a browser shows, before anything is predicted."""

from base64 import b64encode
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from axilla.records.errors import Problem
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core.api_errors import WebPart, refusals, require_permission
from axilla.web.core.http_errors import InvalidError
from axilla.web.prediction.case_form import (
    describe_form,
    form_of,
    require_known,
    texts,
    uploads,
    whole,
)
from axilla.web.prediction.prediction_api import wait_for_answer
from axilla.web.prediction.worker.worker_process import Message

router = APIRouter(prefix="/api", responses=refusals(503))
Predicts = Annotated[Actor, Depends(require_permission(Permission.PREDICT))]

_KINDS = ("ultrasound", "pathology")
_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "kind": {"type": "string", "enum": list(_KINDS)},
    "frame": {"type": "integer", "minimum": 1, "maximum": 100_000},
}


class PreviewImage(BaseModel):
    """An upload as a page shows it: PNG in base64, `factor` times the size of the original.

    `frame` of `frames` is shown, counted from 1; without a wish it is the sharpest.
    """

    kind: Literal["image", "dicom", "slide"]
    width_px: int
    height_px: int
    shown_width_px: int
    shown_height_px: int
    factor: float
    pixel_mm: float | None
    frames: int
    frame: int
    png: str


@router.post("/pictures", openapi_extra=describe_form({"file": False}, _FIELDS))
async def picture(request: Request, web: WebPart, _actor: Predicts) -> PreviewImage:
    """Decode an image, a frame of a DICOM clip, or the overview of a slide; nothing is kept."""
    async with form_of(request, web) as form:
        require_known(form, ("file", *_FIELDS))
        files = await uploads(form, "file")
        if len(files) != 1:
            raise InvalidError(Problem("file", f"{len(files)} files", "one image"))
        kind = (texts(form, "kind") or ["ultrasound"])[0]
        if kind not in _KINDS:
            raise InvalidError(Problem("kind", repr(kind[:80]), " or ".join(_KINDS)))
        asked = (texts(form, "frame") or [""])[0]
        frame = whole(asked, place="frame", low=1, high=100_000) if asked else None
        message = Message(
            {"kind": kind, "suffix": files[0].suffix, "frame": frame}, (files[0].content,)
        )
        answer = await wait_for_answer(web.desks.pictures.submit(message))
    return PreviewImage(**answer.content, png=b64encode(answer.blobs[0]).decode())
