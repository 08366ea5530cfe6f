"""Predictions that somebody chose to keep, with the pictures of their heatmaps."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.web.accounts.account_store import User
from axilla.web.accounts.roles import Actor, Role
from axilla.web.core.database import Base
from axilla.web.core.http_errors import NotFoundError


class SavedPrediction(Base):
    """One prediction: `result` is the API's JSON without pictures, `name` is its owner's."""

    __tablename__ = "saved_prediction"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    made_at: Mapped[float]
    saved_at: Mapped[float]
    name: Mapped[str]
    bundle: Mapped[str]
    probability: Mapped[float]
    call: Mapped[str]
    result: Mapped[str]

    @property
    def content(self) -> dict[str, Any]:
        """Return the result as it was answered, but for its pictures."""
        content: dict[str, Any] = json.loads(self.result)
        return content


class SavedPicture(Base):
    """A picture of a saved prediction, in the order of its answer."""

    __tablename__ = "saved_picture"
    id: Mapped[int] = mapped_column(primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("saved_prediction.id"), index=True)
    place: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


def save(
    session: Session,
    owner_id: int,
    *,
    name: str,
    made_at: float,
    result: Mapping[str, Any],
    pictures: Sequence[bytes],
) -> SavedPrediction:
    """Write a prediction and its pictures."""
    saved = SavedPrediction(
        owner_id=owner_id,
        made_at=made_at,
        saved_at=time.time(),
        name=name.strip(),
        bundle=str(result["digest"]),
        probability=float(result["probability"]),
        call=str(result["call"]),
        result=json.dumps(dict(result), ensure_ascii=False),
    )
    session.add(saved)
    session.flush()
    session.add_all(
        SavedPicture(prediction_id=saved.id, place=place, content=content)
        for place, content in enumerate(pictures)
    )
    session.flush()
    return saved


def seen_by(session: Session, actor: Actor) -> list[tuple[SavedPrediction, str]]:
    """Return somebody's own predictions, or for a lead all, with their owners' names; newest first.

    At most 500.
    """
    wanted = (
        select(SavedPrediction, User.name)
        .join(User, User.id == SavedPrediction.owner_id)
        .order_by(SavedPrediction.id.desc())
        .limit(500)
    )
    if Role.LEAD not in actor.roles:
        wanted = wanted.where(SavedPrediction.owner_id == actor.user_id)
    return [(saved, name) for saved, name in session.execute(wanted)]


def one_of(session: Session, actor: Actor, number: int) -> SavedPrediction:
    """Return a prediction to its owner or a lead; raise `NotFoundError` for anybody else."""
    saved = session.get(SavedPrediction, number)
    if saved is None or (saved.owner_id != actor.user_id and Role.LEAD not in actor.roles):
        raise NotFoundError(Problem("prediction", f"number {number}", "one that you saved"))
    return saved


def owner_of(session: Session, saved: SavedPrediction) -> str:
    """Return the name of who saved a prediction."""
    user = session.get(User, saved.owner_id)
    return user.name if user else ""


def pictures_of(session: Session, number: int) -> list[bytes]:
    """Return the pictures of a saved prediction."""
    wanted = (
        select(SavedPicture.content)
        .where(SavedPicture.prediction_id == number)
        .order_by(SavedPicture.place)
    )
    return list(session.scalars(wanted))


def forget(session: Session, saved: SavedPrediction) -> None:
    """Delete a prediction and its pictures."""
    session.execute(delete(SavedPicture).where(SavedPicture.prediction_id == saved.id))
    session.delete(saved)
