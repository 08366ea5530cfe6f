"""Accounts and failed sign-ins; accounts are never deleted."""

import re
import time
from collections.abc import Iterable
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.web.accounts.passwords import checked_password, hash_password
from axilla.web.accounts.roles import Role, checked_roles
from axilla.web.core.database import Base, one_at_a_time
from axilla.web.core.http_errors import ConflictError, InvalidError, NotFoundError, TooManyError

_NAME: Final = re.compile(r"[\w][\w.@-]{0,63}")
_LOCK: Final = 8472013
WINDOW_S: Final = 15 * 60
# One person at one place; one person from anywhere; anybody from one place (a ward's proxy).
_PER_BOTH: Final = 5
_PER_NAME: Final = 30
_PER_ADDRESS: Final = 60


class User(Base):
    """Somebody who characters in; `key` is the name without letter case."""

    __tablename__ = "user_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password: Mapped[str]
    role_names: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[float]

    @property
    def roles(self) -> tuple[Role, ...]:
        """What this person is in the study."""
        return tuple(Role(name) for name in self.role_names.split())


def has_users(session: Session) -> bool:
    """Tell whether anybody has an account."""
    return session.scalar(select(func.count()).select_from(User)) != 0


def add_user(session: Session, name: str, *, password: str, roles: Iterable[str]) -> User:
    """Make an account; raise `InvalidError` for its values, `ConflictError` for a taken name."""
    name = _checked_name(name)
    user = User(
        key=name.casefold(),
        name=name,
        password=hash_password(checked_password(password, name=name)),
        role_names=" ".join(checked_roles(roles)),
        created_at=time.time(),
    )
    if find_user(session, name) is not None:
        raise ConflictError(
            Problem("name", repr(name), "a name that nobody has", "Choose another.")
        )
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, name: str) -> User | None:
    """Return the account of a name, in whatever letter case."""
    return session.scalar(select(User).where(User.key == name.strip().casefold()))


def user_of(session: Session, user_id: int) -> User:
    """Return an account; raise `NotFoundError`."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError(Problem("user", f"number {user_id}", "an account"))
    return user


def all_users(session: Session) -> tuple[User, ...]:
    """Return every account, by name."""
    return tuple(session.scalars(select(User).order_by(User.key)))


def change_user(
    session: Session, user_id: int, *, roles: Iterable[str] | None, active: bool | None
) -> User:
    """Change roles or close an account; raise `InvalidError` if nobody would be left to lead."""
    user = user_of(session, user_id)
    if roles is not None:
        user.role_names = " ".join(checked_roles(roles))
    if active is not None:
        user.active = active
    session.flush()
    if not any(other.active and Role.LEAD in other.roles for other in all_users(session)):
        remedy = "Make somebody else a lead first."
        raise InvalidError(Problem("roles", "no lead left", "at least one active lead", remedy))
    return user


def set_password(session: Session, user_id: int, password: str) -> User:
    """Give an account another password; raise `InvalidError` for a weak one."""
    user = user_of(session, user_id)
    user.password = hash_password(checked_password(password, name=user.name))
    return user


def _checked_name(name: str) -> str:
    name = name.strip()
    if not _NAME.fullmatch(name):
        expected = "1 to 64 letters, digits, and any of . _ - @"
        raise InvalidError(Problem("name", repr(name[:80]), expected, "Choose another."))
    return name


class FailedAttempt(Base):
    """One wrong password."""

    __tablename__ = "failed_attempt"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    address: Mapped[str] = mapped_column(index=True)
    at: Mapped[float] = mapped_column(index=True)


def require_patience(session: Session, name: str, address: str) -> None:
    """Raise `TooManyError` after too many failures of a name, an address, or both.

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
            raise TooManyError(problem, retry_after_s=wait_s)


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
