"""Who reads which packet, and what each reader has answered."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.records.types import ImageModality
from axilla.web.core.database import Base, one_at_a_time
from axilla.web.core.http_errors import ConflictError, NotFoundError

_LOCK: Final = 8472031


@dataclass(frozen=True, slots=True)
class ReaderAnswer:
    """What a reader says to one criterion; None is not answered yet.

    `matches` says whether the attention matches a finding that is present.
    """

    modality: ImageModality
    criterion: str
    present: bool | None = None
    matches: bool | None = None
    comment: str = ""

    @property
    def whole(self) -> bool:
        """Tell whether nothing is left to answer."""
        return self.present is False or (self.present is True and self.matches is not None)


class ReadingPlace(Base):
    """One reader of an export, R1 or R2, and the account that reads; `at` is the case last seen."""

    __tablename__ = "reading_place"
    __table_args__ = (
        UniqueConstraint("packet", "reader"),
        UniqueConstraint("packet", "user_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    packet: Mapped[str]
    reader: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[str] = mapped_column(default="")
    submitted_at: Mapped[float | None]


class ReadCase(Base):
    """A reader's answers to one case; `version` counts how often they were saved."""

    __tablename__ = "read_case"
    __table_args__ = (UniqueConstraint("packet", "reader", "code"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    packet: Mapped[str]
    reader: Mapped[str]
    code: Mapped[str]
    version: Mapped[int]
    content: Mapped[str]
    saved_at: Mapped[float]

    @property
    def answers(self) -> tuple[ReaderAnswer, ...]:
        """The answers, one per criterion that was touched."""
        return tuple(ReaderAnswer(**one) for one in json.loads(self.content))


def places_of(session: Session, packet: str) -> dict[str, ReadingPlace]:
    """Return who reads what, by reader."""
    wanted = select(ReadingPlace).where(ReadingPlace.packet == packet)
    return {place.reader: place for place in session.scalars(wanted)}


def place_of(session: Session, packet: str, *, user_id: int) -> ReadingPlace:
    """Return the place of an account; raise `NotFoundError` if it reads nothing of this export."""
    place = session.scalar(
        select(ReadingPlace).where(ReadingPlace.packet == packet, ReadingPlace.user_id == user_id)
    )
    if place is None:
        remedy = "Ask the study's lead to give you a packet."
        raise NotFoundError(Problem("packet", "none that is yours", "one to read", remedy))
    return place


def read_cases(session: Session, packet: str, *, reader: str) -> dict[str, ReadCase]:
    """Return the answers of one reader by code of the case."""
    wanted = select(ReadCase).where(ReadCase.packet == packet, ReadCase.reader == reader)
    return {found.code: found for found in session.scalars(wanted)}


def hold(session: Session) -> None:
    """Wait until no other transaction changes readings, and keep others waiting to the end."""
    one_at_a_time(session, _LOCK)


def readers_with_answers(session: Session, packet: str) -> tuple[str, ...]:
    """Return the readers who have answered anything."""
    wanted = select(ReadCase.reader).where(ReadCase.packet == packet).distinct()
    return tuple(sorted(session.scalars(wanted)))


def assign(session: Session, packet: str, *, reader: str, user_id: int | None) -> None:
    """Give a packet to an account, or to nobody; raise `ConflictError` once it has answers.

    An account that had another packet of the export gives that one back, unless it has answers.
    """
    one_at_a_time(session, _LOCK)
    places = places_of(session, packet)
    held = places.get(reader)
    if held is not None and held.user_id == user_id:
        return
    own = next((place for place in places.values() if place.user_id == user_id), None)
    for place in {id(one): one for one in (held, own) if one is not None}.values():
        if read_cases(session, packet, reader=place.reader):
            found = f"answers of {place.reader}"
            remedy = "Export with one reader more, and give that packet away."
            raise ConflictError(Problem("packet", found, "a packet that nobody has begun", remedy))
        session.delete(place)
    session.flush()
    if user_id is not None:
        session.add(ReadingPlace(packet=packet, reader=reader, user_id=user_id, submitted_at=None))
        session.flush()


def save_case(
    session: Session,
    place: ReadingPlace,
    code: str,
    *,
    version: int,
    answers: Iterable[ReaderAnswer],
) -> ReadCase:
    """Save the answers to one case over `version`, 0 for the first time.

    Raises `ConflictError` if another window saved meanwhile, with what it saved, or after the end.
    """
    one_at_a_time(session, _LOCK)
    session.refresh(place)
    require_open(place)
    kept = session.scalar(
        select(ReadCase)
        .where(
            ReadCase.packet == place.packet, ReadCase.reader == place.reader, ReadCase.code == code
        )
        .with_for_update()
    )
    there = kept.version if kept else 0
    if there != version:
        remedy = "Look at them, and change them there."
        problem = Problem(code, "newer answers from another window", "the last ones", remedy)
        newer = [asdict(one) for one in kept.answers] if kept else []
        raise ConflictError(problem, more={"version": there, "answers": newer})
    content = json.dumps([asdict(one) for one in answers], ensure_ascii=False)
    if kept is None:
        kept = ReadCase(packet=place.packet, reader=place.reader, code=code, version=0)
        session.add(kept)
    kept.version, kept.content, kept.saved_at = version + 1, content, time.time()
    place.at = code
    session.flush()
    return kept


def require_open(place: ReadingPlace) -> None:
    """Raise `ConflictError` once the reader has finished."""
    if place.submitted_at is not None:
        remedy = "Ask the study's lead to open it again, if an answer is wrong."
        raise ConflictError(Problem("packet", "a reading that is finished", "an open one", remedy))


def submit(session: Session, place: ReadingPlace, *, unanswered: Mapping[str, int]) -> None:
    """Finish a reading; raise `ConflictError` if it is finished or questions are open."""
    one_at_a_time(session, _LOCK)
    session.refresh(place)
    require_open(place)
    if unanswered:
        found = f"{len(unanswered)} cases with open questions, as {next(iter(unanswered))}"
        remedy = "Answer these first."
        raise ConflictError(Problem("packet", found, "an answer to every question", remedy))
    place.submitted_at = time.time()
    session.flush()


def reopen(session: Session, packet: str, *, reader: str) -> None:
    """Open a finished reading again; raise `NotFoundError` if there is none."""
    one_at_a_time(session, _LOCK)
    place = places_of(session, packet).get(reader)
    if place is None or place.submitted_at is None:
        raise NotFoundError(Problem("packet", f"{reader} is not finished", "a finished reading"))
    place.submitted_at = None
    session.flush()
