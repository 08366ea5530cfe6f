"""The second look: accept or redraw, settle what two disagree on; never on one's own drawing."""

import time
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from axilla.annotation.roi_reviews import Decision, RoiReview
from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core.http_errors import NotAllowedError
from axilla.web.rois.roi_store import (
    SAVE,
    Content,
    RoiDrawing,
    RoiRevision,
    State,
    change,
    roi_of,
    to_json,
)

AGREED_IOU: Final = 0.5
Choice = Literal["first", "second", "drawn"]
_NOBODYS: Final[dict[str, Any]] = {
    "reviewer_id": None,
    "decision": None,
    "review_roi": None,
    "review_comment": "",
    "iou": None,
    "reviewed_at": None,
    "settler_id": None,
}


def review(
    session: Session, actor: Actor, key: str, redrawn: Content | None, *, version: int
) -> RoiDrawing:
    """Accept a drawing, or draw it again: by an IoU of 0.5 and more that one is accepted.

    Raises `NotAllowedError` for one's own drawing, `ConflictError` if it is not up for review.
    """
    row = session.get(RoiDrawing, key, populate_existing=True)
    if row is not None:
        _require_other(session, actor, row)
    first = roi_of(row.roi) if row else None
    second = first if redrawn is None else redrawn.roi
    iou = overlap(first, second)
    agreed = redrawn is None or iou is None or iou >= AGREED_IOU
    values = {
        "state": State.ACCEPTED if agreed else State.DISAGREEMENT,
        "reviewer_id": actor.user_id,
        "decision": _decision(redrawn=redrawn is not None, agreed=agreed),
        "review_roi": to_json(second),
        "review_comment": redrawn.comment if redrawn else "",
        "iou": iou,
        "reviewed_at": time.time(),
        **({"standing": to_json(second)} if agreed else {}),
    }
    return change(
        session, actor, key, version=version, states=(State.SUBMITTED,),
        action="accept" if redrawn is None else "redraw", values=values, yours=redrawn,
    )  # fmt: skip


def settle(
    session: Session,
    actor: Actor,
    key: str,
    choice: Choice,
    *,
    drawn: Content | None,
    version: int,
) -> RoiDrawing:
    """Choose one of two drawings, or draw a third, which is accepted.

    Raises `NotAllowedError` for whoever drew one of them.
    """
    row = session.get(RoiDrawing, key, populate_existing=True)
    if row is not None:
        _require_other(session, actor, row)
        if actor.user_id == row.reviewer_id:
            raise _own("the second drawing is yours", "Let a third person settle it.")
    roi = to_json(drawn.roi) if drawn is not None else ""
    if row is not None and choice != "drawn":
        roi = row.roi if choice == "first" else row.review_roi or ""
    values = {
        "state": State.ACCEPTED,
        "decision": "settled",
        "settler_id": actor.user_id,
        "standing": roi,
    }
    return change(
        session, actor, key, version=version, states=(State.DISAGREEMENT,),
        action=f"settle {choice}", values=values, yours=drawn,
    )  # fmt: skip


def reopen(session: Session, actor: Actor, key: str, *, version: int) -> RoiDrawing:
    """Make a drawing a draft again; what was accepted stands until something else is."""
    states = [State.SUBMITTED, State.ACCEPTED, State.DISAGREEMENT]
    if not (actor.may(Permission.REVIEW) or actor.may(Permission.SETTLE)):
        row = session.get(RoiDrawing, key, populate_existing=True)
        if row is not None and row.state != State.SUBMITTED and row.annotator_id != actor.user_id:
            raise _own("another person's, which was reviewed", "Ask a reviewer or the lead.")
    values = {"state": State.DRAFT, **_NOBODYS}
    return change(
        session, actor, key, version=version, states=states, action="reopen", values=values
    )


def reviews(session: Session) -> tuple[RoiReview, ...]:
    """Return every image that two people judged, by the paths of the table.

    People are A and the number of their account.
    """
    reviewed = select(RoiDrawing).where(RoiDrawing.reviewer_id.is_not(None))
    return tuple(
        RoiReview(
            row.path,
            row.patient_id,
            (f"A{row.annotator_id}", f"A{row.reviewer_id}"),
            roi_of(row.roi),
            roi_of(row.review_roi),
            _require_known(row.decision),
            row.pixel_mm,
        )
        for row in session.scalars(reviewed.order_by(RoiDrawing.path))
    )


def overlap(first: Roi | None, second: Roi | None) -> float | None:
    """Return the IoU of two drawings, 0 if only one drew, None if neither."""
    if first is None or second is None:
        return None if first is second else 0.0
    return first.iou(second)


def _decision(*, redrawn: bool, agreed: bool) -> Decision:
    if not redrawn:
        return "accepted"
    return "redrawn" if agreed else "disagreement"


def _require_known(decision: str | None) -> Decision:
    match decision:
        case "accepted" | "redrawn" | "disagreement" | "settled":
            return decision
    return "disagreement"


def _require_other(session: Session, actor: Actor, row: RoiDrawing) -> None:
    """Raise `NotAllowedError` for whoever ever drew this as annotator, whatever came after."""
    mine = select(RoiRevision.id).where(
        RoiRevision.image == row.image,
        RoiRevision.actor_id == actor.user_id,
        RoiRevision.action == SAVE,
    )
    if row.annotator_id == actor.user_id or session.scalar(mine.limit(1)) is not None:
        raise _own("a drawing of your own", "Let somebody else review it.")


def _own(found: str, remedy: str) -> NotAllowedError:
    return NotAllowedError(Problem("review", found, "another person's drawing", remedy))
