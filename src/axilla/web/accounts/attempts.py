"""Failed sign-ins, counted so that nobody can try passwords for long."""

import time
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.web.core.database import Base, one_at_a_time
from axilla.web.core.http_errors import TooMany

_LOCK: Final = 8472013
WINDOW_S: Final = 15 * 60
# One person at one place; one person from anywhere; anybody from one place (a ward's proxy).
_PER_BOTH: Final = 5
_PER_NAME: Final = 30
_PER_ADDRESS: Final = 60


class FailedAttempt(Base):
    """One wrong password."""

    __tablename__ = "failed_attempt"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(index=True)
    at: Mapped[float] = mapped_column(index=True)


def require_patience(session: Session, name: str, address: str) -> None:
    """Raise `TooMany` after too many failures of a name, an address, or both.

    Attempts that come at once are looked at one after the other, so that none slips past.
    """
    one_at_a_time(session, _LOCK)
    recent = FailedAttempt.at > time.time() - WINDOW_S
    named, from_there = FailedAttempt.key == _key(name), FailedAttempt.address == address
    bounds = (
        ((named, from_there), _PER_BOTH),
        ((named,), _PER_NAME),
        ((from_there,), _PER_ADDRESS),
    )
    for conditions, most in bounds:
        oldest = list(
            session.scalars(
                select(FailedAttempt.at)
                .where(recent, *conditions)
                .order_by(FailedAttempt.at.desc())
                .limit(most)
            )
        )
        if len(oldest) >= most:
            wait_s = max(1, int(oldest[-1] + WINDOW_S - time.time()) + 1)
            remedy = f"Try again in {-(-wait_s // 60)} minutes, or ask the study's lead."
            problem = Problem("sign-in", f"{most} failed attempts", "the right password", remedy)
            raise TooMany(problem, retry_after_s=wait_s)


def note_failure(session: Session, name: str, address: str) -> None:
    """Count a failure, and forget those that no longer count."""
    now = time.time()
    session.execute(delete(FailedAttempt).where(FailedAttempt.at < now - WINDOW_S))
    session.add(FailedAttempt(key=_key(name), address=address, at=now))


def forgive(session: Session, name: str, address: str) -> None:
    """Forget the failures of a name at an address once the right password came."""
    session.execute(
        delete(FailedAttempt).where(
            FailedAttempt.key == _key(name), FailedAttempt.address == address
        )
    )


def _key(name: str) -> str:
    return name.strip().casefold()[:256]
