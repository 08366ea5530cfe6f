"""ROIs drawn in the browser, their versions and their tables."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ForeignKey, UniqueConstraint, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi
from axilla.web.accounts.account_store import User
from axilla.web.accounts.roles import Actor
from axilla.web.core.audit_log import only_grows
from axilla.web.core.database import Base
from axilla.web.core.http_errors import ConflictError, InvalidError

SAVE: Final = "save"
SUBMIT: Final = "submit"


class State(StrEnum):
    """How far an image is; `NEW` has no drawing yet."""

    NEW = "new"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    DISAGREEMENT = "disagreement"


class RoiDrawing(Base):
    """The current drawing of an image; rectangles are 'left,top,width,height', '' for none.

    `standing` is the rectangle accepted last, `filed` the one that rois.csv was last given.
    """

    __tablename__ = "roi_drawing"
    image: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str]
    patient_id: Mapped[str]
    pixel_mm: Mapped[float | None]
    version: Mapped[int]
    state: Mapped[str]
    roi: Mapped[str]
    comment: Mapped[str]
    annotator_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    saved_at: Mapped[float]
    reviewer_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    decision: Mapped[str | None]
    review_roi: Mapped[str | None]
    review_comment: Mapped[str] = mapped_column(default="")
    iou: Mapped[float | None]
    reviewed_at: Mapped[float | None]
    settler_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    standing: Mapped[str | None]
    filed: Mapped[str | None]


class RoiRevision(Base):
    """One change of a drawing, whole before and after as JSON; no version comes twice."""

    __tablename__ = "roi_revision"
    __table_args__ = (UniqueConstraint("image", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    image: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    at: Mapped[float]
    actor_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    action: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]


only_grows(RoiRevision.__table__)


def to_json(roi: Roi | None) -> str:
    """Return a rectangle as the database has it."""
    return "" if roi is None else str(roi)


def roi_of(text: str | None) -> Roi | None:
    """Return the rectangle that the database has, None for none."""
    return Roi(*map(int, text.split(","))) if text else None


@dataclass(frozen=True, slots=True)
class Image:
    """What a drawing is of: the key of pages, the table's path and patient, and its scale."""

    key: str
    path: str
    patient_id: str
    pixel_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What somebody drew: a rectangle, or none because there is no lesion to draw."""

    roi: Roi | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StoredRoi:
    """A drawing as people see it."""

    version: int
    state: State
    roi: dict[str, int] | None
    absent: bool
    comment: str
    annotator: str
    saved_at: float
    reviewer: str | None
    decision: str | None
    review_roi: dict[str, int] | None
    review_absent: bool
    review_comment: str
    iou: float | None
    reviewed_at: float | None
    settler: str | None
    standing: dict[str, int] | None
    standing_absent: bool


def save(
    session: Session, actor: Actor, image: Image, content: Content, *, version: int
) -> RoiDrawing:
    """Save a drawing over `version`, 0 where there is none yet.

    Raises `ConflictError` with both versions if somebody else was faster, or if it was handed in.
    """
    values = {
        "roi": to_json(content.roi),
        "comment": content.comment,
        "annotator_id": actor.user_id,
        "pixel_mm": image.pixel_mm,
        "saved_at": time.time(),
    }
    row = session.get(RoiDrawing, image.key, populate_existing=True)
    if row is None and version == 0:
        return _begin(session, actor, image, content, values=values)
    return change(
        session, actor, image.key, version=version, states=(State.DRAFT,), action=SAVE,
        values=values, yours=content,
    )  # fmt: skip


def submit(session: Session, actor: Actor, key: str, *, version: int) -> RoiDrawing:
    """Hand a drawing in for review; raise `InvalidError` if it says neither where nor why not."""
    row = session.get(RoiDrawing, key, populate_existing=True)
    if row is not None and not row.roi and not row.comment.strip():
        remedy = "Say in a few words why there is no lesion to draw."
        raise InvalidError(Problem("comment", "none", "a reason, or a rectangle", remedy))
    return change(
        session, actor, key, version=version, states=(State.DRAFT,), action=SUBMIT,
        values={"state": State.SUBMITTED},
    )  # fmt: skip


def change(
    session: Session,
    actor: Actor,
    key: str,
    *,
    version: int,
    states: Iterable[str],
    action: str,
    values: Mapping[str, Any],
    yours: Content | None = None,
) -> RoiDrawing:
    """Change the drawing that the actor saw, and write the change down.

    Raises `ConflictError`, with both versions, unless it still has that version and one of
    `states`.
    """
    row = session.get(RoiDrawing, key, populate_existing=True)
    if row is None or row.version != version or row.state not in states:
        raise _make_conflict(session, row, version=version, action=action, yours=yours)
    before = _all_of(row)
    done = session.connection().execute(
        update(RoiDrawing)
        .where(RoiDrawing.image == key, RoiDrawing.version == version)
        .values(version=version + 1, **values)
    )
    session.refresh(row)
    if done.rowcount == 0:
        raise _make_conflict(session, row, version=version, action=action, yours=yours)
    _write_down(session, actor, row, action=action, before=before)
    return row


def drawing_of(session: Session, key: str) -> RoiDrawing | None:
    """Return the drawing of an image, if there is one."""
    return session.get(RoiDrawing, key)


def drawings(session: Session) -> dict[str, RoiDrawing]:
    """Return all drawings by image."""
    return {row.image: row for row in session.scalars(select(RoiDrawing))}


def history(session: Session, key: str) -> tuple[RoiRevision, ...]:
    """Return every change of a drawing, the oldest first."""
    mine = select(RoiRevision).where(RoiRevision.image == key).order_by(RoiRevision.id)
    return tuple(session.scalars(mine))


def drawn_by(session: Session, actor: Actor) -> frozenset[str]:
    """Return the images that somebody ever drew on as annotator."""
    mine = select(RoiRevision.image).where(
        RoiRevision.actor_id == actor.user_id, RoiRevision.action == SAVE
    )
    return frozenset(session.scalars(mine.distinct()))


def names(session: Session) -> dict[int, str]:
    """Return people's names by account number."""
    return {number: name for number, name in session.execute(select(User.id, User.name))}  # noqa: C416 - rows, not pairs


def to_stored_roi(row: RoiDrawing, names: Mapping[int, str]) -> StoredRoi:
    """Return a drawing as people see it."""
    return StoredRoi(
        version=row.version,
        state=State(row.state),
        roi=sides(row.roi),
        absent=row.roi == "",
        comment=row.comment,
        annotator=names.get(row.annotator_id, ""),
        saved_at=row.saved_at,
        reviewer=names.get(row.reviewer_id) if row.reviewer_id else None,
        decision=row.decision,
        review_roi=sides(row.review_roi),
        review_absent=row.review_roi == "",
        review_comment=row.review_comment,
        iou=row.iou,
        reviewed_at=row.reviewed_at,
        settler=names.get(row.settler_id) if row.settler_id else None,
        standing=sides(row.standing),
        standing_absent=row.standing == "",
    )


def sides(text: str | None) -> dict[str, int] | None:
    """Return a rectangle of the database as the API's JSON has it."""
    return sides_of(roi_of(text))


def sides_of(roi: Roi | None) -> dict[str, int] | None:
    """Return a rectangle as the API's JSON has it."""
    if roi is None:
        return None
    return {
        "left": roi.left_px,
        "top": roi.top_px,
        "width": roi.width_px,
        "height": roi.height_px,
    }


def _begin(
    session: Session, actor: Actor, image: Image, content: Content, *, values: Mapping[str, Any]
) -> RoiDrawing:
    row = RoiDrawing(
        image=image.key,
        path=image.path,
        patient_id=image.patient_id,
        version=1,
        state=State.DRAFT,
        review_comment="",
        **values,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:  # somebody else's first drawing came between
        theirs = session.get(RoiDrawing, image.key, populate_existing=True)
        raise _make_conflict(session, theirs, version=0, action=SAVE, yours=content) from error
    _write_down(session, actor, row, action=SAVE, before={})
    return row


def _write_down(
    session: Session, actor: Actor, row: RoiDrawing, *, action: str, before: Mapping[str, Any]
) -> None:
    session.add(
        RoiRevision(
            image=row.image,
            version=row.version,
            at=time.time(),
            actor_id=actor.user_id,
            action=action,
            before=json.dumps(before, ensure_ascii=False),
            after=json.dumps(_all_of(row), ensure_ascii=False),
        )
    )
    session.flush()


def _all_of(row: RoiDrawing) -> dict[str, Any]:
    kept = ("image", "path", "patient_id", "filed")
    return {
        column.name: getattr(row, column.name)
        for column in RoiDrawing.__table__.columns
        if column.name not in kept
    }


def _make_conflict(
    session: Session, row: RoiDrawing | None, *, version: int, action: str, yours: Content | None
) -> ConflictError:
    theirs = None if row is None else asdict(to_stored_roi(row, names(session)))
    mine: dict[str, Any] = {"version": version, "action": action}
    if yours is not None:
        mine |= {"roi": sides_of(yours.roi), "absent": yours.roi is None, "comment": yours.comment}
    found = "no drawing" if row is None else f"version {row.version}, {row.state}"
    remedy = "Look at both, and keep one."
    problem = Problem("drawing", found, f"version {version}, as you saw it", remedy)
    return ConflictError(problem, more={"yours": mine, "theirs": theirs})
