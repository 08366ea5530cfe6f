"""Accounts of people; nothing is ever deleted, since the audit log names them."""

import re
import time
from collections.abc import Iterable
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.web.accounts.passwords import checked_password, hashed
from axilla.web.accounts.roles import Role, checked_roles
from axilla.web.core.database import Base
from axilla.web.core.http_errors import Conflict, Invalid, NotFound

_NAME: Final = re.compile(r"[\w][\w.@-]{0,63}")


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
    """Make an account; raise `Invalid` for its values, `Conflict` if the name is taken."""
    name = _checked_name(name)
    user = User(
        key=name.casefold(),
        name=name,
        password=hashed(checked_password(password, name=name)),
        role_names=" ".join(checked_roles(roles)),
        created_at=time.time(),
    )
    if find_user(session, name) is not None:
        raise Conflict(Problem("name", repr(name), "a name that nobody has", "Choose another."))
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, name: str) -> User | None:
    """Return the account of a name, in whatever letter case."""
    return session.scalar(select(User).where(User.key == name.strip().casefold()))


def user_of(session: Session, user_id: int) -> User:
    """Return an account; raise `NotFound`."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound(Problem("user", f"number {user_id}", "an account"))
    return user


def all_users(session: Session) -> tuple[User, ...]:
    """Return every account, by name."""
    return tuple(session.scalars(select(User).order_by(User.key)))


def change_user(
    session: Session, user_id: int, *, roles: Iterable[str] | None, active: bool | None
) -> User:
    """Change roles or close an account; raise `Invalid` if nobody would be left to lead."""
    user = user_of(session, user_id)
    if roles is not None:
        user.role_names = " ".join(checked_roles(roles))
    if active is not None:
        user.active = active
    session.flush()
    if not any(other.active and Role.LEAD in other.roles for other in all_users(session)):
        remedy = "Make somebody else a lead first."
        raise Invalid(Problem("roles", "no lead left", "at least one active lead", remedy))
    return user


def set_password(session: Session, user_id: int, password: str) -> User:
    """Give an account another password; raise `Invalid` for a weak one."""
    user = user_of(session, user_id)
    user.password = hashed(checked_password(password, name=user.name))
    return user


def _checked_name(name: str) -> str:
    name = name.strip()
    if not _NAME.fullmatch(name):
        expected = "1 to 64 letters, digits, and any of . _ - @"
        raise Invalid(Problem("name", repr(name[:80]), expected, "Choose another."))
    return name
