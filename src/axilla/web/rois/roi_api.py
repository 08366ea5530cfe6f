"""API of annotation and review."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from axilla.annotation.image_index import StudyImage
from axilla.annotation.roi_reviews import RoiReview
from axilla.annotation.stage import exported_rois
from axilla.records.errors import AxillaError, Problem
from axilla.records.roi_rectangle import Roi
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core import audit_log
from axilla.web.core.api_errors import WebPart, refusals, require_permission
from axilla.web.core.finite_numbers import finite
from axilla.web.core.http_errors import InvalidError
from axilla.web.rois import roi_review_store, roi_store
from axilla.web.rois.roi_files import file_accepted
from axilla.web.rois.roi_schemas import (
    Agreement,
    Detail,
    Items,
    Number,
    Rect,
    Review,
    Reviewed,
    Revision,
    RoiAnswer,
    RoiContent,
    Settlement,
    Stated,
    Suggested,
    WorklistItem,
    content_of,
)
from axilla.web.rois.roi_store import Content, Image, RoiDrawing, State
from axilla.web.rois.study_images import KEY
from axilla.web.state import AppState

router = APIRouter(prefix="/api", responses=refusals())
_LOOKS = (Permission.ANNOTATE, Permission.REVIEW, Permission.SETTLE)
Looker = Annotated[Actor, Depends(require_permission(*_LOOKS))]
Annotator = Annotated[Actor, Depends(require_permission(Permission.ANNOTATE))]
Reviewer = Annotated[Actor, Depends(require_permission(Permission.REVIEW))]
Settler = Annotated[Actor, Depends(require_permission(Permission.REVIEW, Permission.SETTLE))]
Exporter = Annotated[Actor, Depends(require_permission(Permission.EXPORT))]
Key = Annotated[str, Path(pattern=KEY, description="An image of the worklist.")]
_PNG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/png": {}}, "description": "The image, as browsers show it."},
    304: {"description": "The image has not changed."},
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {}, "application/json": {}}, "description": "The file."}
}


def agreement_of(reviews: Sequence[RoiReview]) -> tuple[dict[str, Any], ...]:
    """Return each number with its interval, None where the data allow none."""
    # scipy's tests take a second to import; the server must not wait for them.
    from axilla.evaluation.agreement.roi_agreement import roi_agreement  # noqa: PLC0415

    return tuple(
        {
            "key": one.key,
            "value": finite(one.estimate.value),
            "low": finite(one.estimate.low),
            "high": finite(one.estimate.high),
            "n": one.estimate.n,
            "unit": one.unit,
            "method": one.estimate.method,
        }
        for one in roi_agreement(reviews)
    )


@router.get("/rois")
def worklist(web: WebPart, actor: Looker, state: Annotated[State | None, Query()] = None) -> Items:
    """Return the worklist, or those of its images that are in one state."""
    listed = web.images.worklist()
    with web.database.writing() as session:
        drawings = roi_store.drawings(session)
        mine, names = roi_store.drawn_by(session, actor), roi_store.names(session)
        audit_log.record(session, actor, "roi.list", state or "all")
    items = [
        _item(key, image, listed.places[key], drawings.get(key), own=key in mine, names=names)
        for key, image in listed.images.items()
    ]
    counts = {each: sum(item.state == each for item in items) for each in State}
    return Items(items=[i for i in items if state is None or i.state == state], counts=counts)


@router.get("/rois/agreement")
def agreement(web: WebPart, actor: Settler) -> Agreement:
    """Return how far second readers agree with first readers so far."""
    with web.database.writing() as session:
        said = roi_review_store.reviews(session)
        audit_log.record(session, actor, "roi.agreement")
    return Agreement(
        images=len(said),
        numbers=[Number(**number) for number in agreement_of(said)],
    )


@router.get("/rois/export", response_class=Response, responses=_FILE)
def export(
    web: WebPart,
    actor: Exporter,
    format: Annotated[Literal["csv", "coco"], Query()] = "csv",  # noqa: A002 - the URL's word
) -> Response:
    """Return every rectangle that `axilla run` uses, for other tools."""
    listed = web.images.worklist()
    content, count = exported_rois(listed.config, web.settings.folder.root, format)
    with web.database.writing() as session:
        audit_log.record(session, actor, "roi.export", format, detail={"rectangles": count})
    kind, suffix = ("application/json", "json") if format == "coco" else ("text/csv", "csv")
    headers = {"Content-Disposition": f'attachment; filename="rois.{suffix}"'}
    return Response(content, media_type=kind, headers=headers)


@router.get("/rois/{image}", responses=refusals(404))
def detail(web: WebPart, actor: Looker, image: Key) -> Detail:
    """Return an image's size and scale, its drawing, and what the study suggests."""
    found = web.images.image(image)
    picture = web.pictures.open(found)
    suggested = web.images.suggestion(found)
    place = web.images.worklist().places[image]
    with web.database.reading() as session:
        row, names = roi_store.drawing_of(session, image), roi_store.names(session)
        own = image in roi_store.drawn_by(session, actor)
        return Detail(
            item=_item(image, found, place, row, own=own, names=names),
            width=picture.width_px,
            height=picture.height_px,
            pixel_mm=picture.pixel_mm,
            drawing=_drawing(row, names) if row else None,
            suggestion=None
            if suggested is None
            else Suggested(roi=_rect(suggested.roi), source=suggested.source),
        )


@router.get("/rois/{image}/picture", response_class=Response, responses=_PNG | refusals(404))
def picture(
    web: WebPart,
    actor: Looker,
    image: Key,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Return the image itself, or 304 if it has not changed."""
    found = web.images.image(image)
    opened = web.pictures.open(found)
    with web.database.writing() as session:
        audit_log.record(session, actor, "roi.view", found.patient_id, detail={"image": image})
    tag = f'"{opened.tag}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(opened.png, media_type="image/png", headers={"ETag": tag})


@router.get("/rois/{image}/history", responses=refusals(404))
def history(web: WebPart, actor: Looker, image: Key) -> list[Revision]:
    """Return every change of an image's drawing, the oldest first."""
    found = web.images.image(image)
    with web.database.writing() as session:
        names = roi_store.names(session)
        changes = roi_store.history(session, image)
        audit_log.record(session, actor, "roi.history", found.patient_id, detail={"image": image})
    return [
        Revision(
            version=one.version,
            at=one.at,
            who=names.get(one.actor_id, ""),
            action=one.action,
            before=one.before,
            after=one.after,
        )
        for one in changes
    ]


@router.put("/rois/{image}", responses=refusals(404, 409))
def save(web: WebPart, actor: Annotator, image: Key, drawn: RoiContent) -> RoiAnswer:
    """Save a drawing over the version that you saw."""
    meant, content = _find_image(web, image), _inside(web, image, drawn)
    with web.database.writing() as session:
        row = roi_store.save(session, actor, meant, content, version=drawn.version)
        return _make_answer(actor, row, "roi.save", session=session)


@router.post("/rois/{image}/submit", responses=refusals(404, 409))
def submit(web: WebPart, actor: Annotator, image: Key, stated: Stated) -> RoiAnswer:
    """Hand a drawing in for review."""
    web.images.image(image)
    with web.database.writing() as session:
        row = roi_store.submit(session, actor, image, version=stated.version)
        return _make_answer(actor, row, "roi.submit", session=session)


@router.post("/rois/{image}/reopen", responses=refusals(404, 409))
def reopen(web: WebPart, actor: Looker, image: Key, stated: Stated) -> RoiAnswer:
    """Make a drawing a draft again; what was accepted stands until something else is."""
    web.images.image(image)
    with web.database.writing() as session:
        row = roi_review_store.reopen(session, actor, image, version=stated.version)
        drawing = _make_answer(actor, row, "roi.reopen", session=session)
    return _update_files(web, drawing, row).drawing


@router.post("/rois/{image}/review", responses=refusals(404, 409))
def review(web: WebPart, actor: Reviewer, image: Key, said: Review) -> Reviewed:
    """Accept somebody else's drawing, or draw it again."""
    web.images.image(image)
    redrawn = _inside(web, image, said) if said.verdict == "redraw" else None
    with web.database.writing() as session:
        row = roi_review_store.review(session, actor, image, redrawn, version=said.version)
        drawing = _make_answer(actor, row, "roi.review", session=session)
    return _update_files(web, drawing, row)


@router.post("/rois/{image}/settle", responses=refusals(404, 409))
def settle(web: WebPart, actor: Settler, image: Key, said: Settlement) -> Reviewed:
    """Decide what two people disagree on."""
    web.images.image(image)
    drawn = _inside(web, image, said) if said.choice == "drawn" else None
    with web.database.writing() as session:
        row = roi_review_store.settle(
            session, actor, image, said.choice, drawn=drawn, version=said.version
        )
        drawing = _make_answer(actor, row, "roi.settle", session=session)
    return _update_files(web, drawing, row)


def _find_image(web: AppState, key: str) -> Image:
    found = web.images.image(key)
    return Image(key, found.text, found.patient_id, web.pictures.open(found).pixel_mm)


def _inside(web: AppState, key: str, drawn: RoiContent) -> Content:
    """Return what was drawn; raise `InvalidError` if it leaves its image."""
    content = content_of(drawn)
    opened = web.pictures.open(web.images.image(key))
    width, height = opened.width_px, opened.height_px
    if content.roi is not None and not content.roi.inside(width_px=width, height_px=height):
        expected = f"a rectangle inside the image, {width} x {height} px"
        raise InvalidError(Problem("roi", str(content.roi), expected))
    return content


def _make_answer(actor: Actor, row: RoiDrawing, action: str, *, session: Session) -> RoiAnswer:
    detail = {"image": row.image, "version": row.version, "state": row.state, "roi": row.roi}
    audit_log.record(session, actor, action, row.patient_id, detail=detail)
    return _drawing(row, roi_store.names(session))


def _update_files(web: AppState, drawing: RoiAnswer, row: RoiDrawing) -> Reviewed:
    """Bring the study's files up to date; what the database holds is accepted in any case."""
    try:
        lost = file_accepted(web.database, web.settings.folder.root)
    except (AxillaError, OSError) as error:
        said = str(error) if isinstance(error, AxillaError) else "rois.csv cannot be written."
        return Reviewed(drawing=drawing, filed=False, mask_dropped=False, note=said)
    return Reviewed(drawing=drawing, filed=True, mask_dropped=row.path in lost, note="")


def _item(
    key: str,
    image: StudyImage,
    place: tuple[int, int],
    row: RoiDrawing | None,
    *,
    own: bool,
    names: Mapping[int, str],
) -> WorklistItem:
    return WorklistItem(
        image=key,
        patient_id=image.patient_id,
        part=place[0],
        parts=place[1],
        state=State(row.state) if row else State.NEW,
        version=row.version if row else 0,
        annotator=names.get(row.annotator_id) if row else None,
        reviewer=names.get(row.reviewer_id) if row and row.reviewer_id else None,
        iou=row.iou if row else None,
        own=own,
    )


def _drawing(row: RoiDrawing, names: Mapping[int, str]) -> RoiAnswer:
    return RoiAnswer.model_validate(roi_store.to_stored_roi(row, names))


def _rect(roi: Roi) -> Rect:
    return Rect(left=roi.left_px, top=roi.top_px, width=roi.width_px, height=roi.height_px)
