"""Results over the API: the answer, metrics, curves, the cases behind a point, a run's progress."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from axilla.records.types import ImageModality
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core import audit_log
from axilla.web.core.api_errors import WebPart, refusals, require_permission
from axilla.web.results.results_schemas import (
    CaseDetail,
    Cases,
    CaseSelection,
    FailureList,
    Metrics,
    ModelCurves,
    Overview,
    PictureKind,
    RunState,
)
from axilla.web.state import AppState

router = APIRouter(prefix="/api/results", responses=refusals(404, 503), tags=["results"])
Viewer = Annotated[Actor, Depends(require_permission(Permission.SEE_RESULTS))]
ModelName = Annotated[str, Query(min_length=1, max_length=200)]
PatientId = Annotated[str, Field(min_length=1, max_length=300)]
FileName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_]{1,60}\.[a-z]{2,4}$")]
_KINDS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "csv": "text/csv; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
# A file of the results folder is not ours to trust: it runs in a place of its own.
_CAGED = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "script-src 'unsafe-inline'; sandbox allow-scripts allow-popups"
)
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The file."}
}


@router.get("")
def overview(web: WebPart, viewer: Viewer) -> Overview:
    """Return what the study found, or why there is nothing yet."""
    found = web.results.overview()
    if found.state == "ready":
        _note(web, viewer, "results.see")
    return found


@router.get("/progress")
def progress(web: WebPart, _viewer: Viewer) -> RunState:
    """Return how far the run is, or how the last one ended."""
    return web.results.run()


@router.get("/metrics")
def metrics(web: WebPart, _viewer: Viewer) -> Metrics:
    """Return every model with its metrics, as in metrics.csv."""
    return web.results.view().metrics()


@router.get("/curves")
def curves(web: WebPart, _viewer: Viewer, model: ModelName) -> ModelCurves:
    """Return ROC, calibration and decision curve of a model."""
    return web.results.view().curves(model)


@router.get("/cases")
def cases(web: WebPart, viewer: Viewer, point: Annotated[CaseSelection, Query()]) -> Cases:
    """Return the cases behind a point, called at `threshold` or each at its own fold's."""
    found = web.results.cases(point)
    detail = point.model_dump(exclude={"model"}) | {"cases": len(found.cases)}
    _note(web, viewer, "results.cases", point.model, detail=detail)
    return found


@router.get("/cases/{patient_id:path}")
def case(web: WebPart, viewer: Viewer, patient_id: PatientId) -> CaseDetail:
    """Return one patient: the truth, what everybody said, and which images there are."""
    found = web.results.case(patient_id)
    _note(web, viewer, "results.case", patient_id)
    return found


@router.get("/pictures/{kind}/{modality}", response_class=Response, responses=_FILE)
def picture(
    web: WebPart,
    viewer: Viewer,
    kind: PictureKind,
    modality: ImageModality,
    patient: Annotated[str, Query(min_length=1, max_length=300)],
) -> Response:
    """Return a patient's picture, small, or the mapped image with or without its heatmap."""
    content = web.results.picture(patient, modality, kind=kind)
    _note(web, viewer, "results.picture", patient, detail={"modality": modality, "kind": kind})
    return Response(content, media_type="image/jpeg")


@router.get("/gallery")
def gallery(
    web: WebPart,
    viewer: Viewer,
    model: ModelName,
    most: Annotated[int, Query(ge=1, le=50)] = 8,
) -> FailureList:
    """Return the most confident errors of a model."""
    found = web.results.gallery(model, most=most)
    _note(web, viewer, "results.cases", model, detail={"gallery": most})
    return found


@router.get("/figures/{name}", response_class=Response, responses=_FILE)
def figure(web: WebPart, _viewer: Viewer, name: FileName) -> Response:
    """Return a figure of the report."""
    return _file(name, web.results.figure(name))


@router.get("/files/{name}", response_class=Response, responses=_FILE)
def file(web: WebPart, viewer: Viewer, name: FileName) -> Response:
    """Return a table, the report, or the model card; never the bundle, never a key."""
    content = web.results.file(name)
    _note(web, viewer, "results.file", name)
    return _file(name, content)


def _file(name: str, content: bytes) -> Response:
    kind = name.rsplit(".", maxsplit=1)[-1]
    headers = {"Content-Security-Policy": _CAGED}
    if kind in ("csv", "md"):
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=_KINDS[kind], headers=headers)


def _note(
    web: AppState,
    actor: Actor,
    action: str,
    subject: str = "",
    *,
    detail: Mapping[str, object] | None = None,
) -> None:
    with web.database.writing() as session:
        audit_log.record(session, actor, action, subject, detail=detail)
