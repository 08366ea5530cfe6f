"""Tables of drawings: the current one of each image, and every change that led to it."""

from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from axilla.records.roi_rectangle import Roi
from axilla.web.core.database import Base
from axilla.web.core.growing import only_grows


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


def written(roi: Roi | None) -> str:
    """Return a rectangle as the database has it."""
    return "" if roi is None else str(roi)


def roi_of(text: str | None) -> Roi | None:
    """Return the rectangle that the database has, None for none."""
    return Roi(*map(int, text.split(","))) if text else None
