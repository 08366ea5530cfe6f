"""Sessions of browsers and tokens of programs: the database holds digests, never the keys."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ForeignKey, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.records.errors import Problem
from axilla.web.accounts.account_store import User
from axilla.web.core.database import Base
from axilla.web.core.http_errors import InvalidError, NotFoundError
from axilla.web.core.settings import Limits

TOKEN_MARK: Final = "axl_"  # noqa: S105 - so that scanners of secrets know one
_BYTES: Final = 32
_DAY_S: Final = 24 * 60 * 60
_SEEN_EVERY_S: Final = 30
_LONGEST_NAME: Final = 80
MOST_DAYS: Final = 366


class BrowserSession(Base):
    """Somebody signed in at a browser, until `ends_at`."""

    __tablename__ = "browser_session"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    csrf: Mapped[str]
    created_at: Mapped[float]
    seen_at: Mapped[float]


class ApiToken(Base):
    """A program that speaks for somebody."""

    __tablename__ = "api_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    name: Mapped[str]
    created_at: Mapped[float]
    ends_at: Mapped[float]
    used_at: Mapped[float | None]


@dataclass(frozen=True, slots=True)
class SessionUser:
    """An account and the session or token that speaks for it.

    `unnoticed` tells that its last sign of life is old enough to be written down again.
    """

    user: User
    session_id: int | None = None
    csrf: str = ""
    unnoticed: bool = False


def start_session(session: Session, user: User) -> str:
    """Begin a session; return the key that the browser keeps."""
    key = secrets.token_urlsafe(_BYTES)
    now = time.time()
    session.add(
        BrowserSession(
            digest=_digest(key),
            user_id=user.id,
            csrf=secrets.token_urlsafe(_BYTES),
            created_at=now,
            seen_at=now,
        )
    )
    return key


def session_of(session: Session, key: str, limits: Limits) -> SessionUser | None:
    """Return who a browser's key speaks for; None if its session has ended or never was."""
    found = session.scalar(select(BrowserSession).where(BrowserSession.digest == _digest(key)))
    if found is None or _has_ended(found, limits):
        return None
    user = session.get(User, found.user_id)
    if user is None or not user.active:
        return None
    unnoticed = time.time() - found.seen_at > _SEEN_EVERY_S
    return SessionUser(user, found.id, found.csrf, unnoticed)


def touch(session: Session, session_id: int) -> None:
    """Note a sign of life."""
    session.execute(
        update(BrowserSession).where(BrowserSession.id == session_id).values(seen_at=time.time())
    )


def end_session(session: Session, key: str) -> None:
    """End a session; its key opens nothing any more."""
    session.execute(delete(BrowserSession).where(BrowserSession.digest == _digest(key)))


def end_all_sessions(session: Session, user_id: int, *, but: int | None = None) -> None:
    """End every session of somebody, but perhaps one, as after a change of password or roles."""
    statement = delete(BrowserSession).where(BrowserSession.user_id == user_id)
    session.execute(statement if but is None else statement.where(BrowserSession.id != but))


def forget_ended(session: Session, limits: Limits) -> None:
    """Remove sessions and tokens that have ended."""
    now = time.time()
    session.execute(
        delete(BrowserSession).where(
            (BrowserSession.seen_at < now - limits.idle_s)
            | (BrowserSession.created_at < now - limits.session_s)
        )
    )
    session.execute(delete(ApiToken).where(ApiToken.ends_at < now))


def make_token(session: Session, user_id: int, *, name: str, days: int) -> tuple[ApiToken, str]:
    """Make a token; return it and its key, which is shown once and never again."""
    name = name.strip()
    if not 1 <= len(name) <= _LONGEST_NAME or not 1 <= days <= MOST_DAYS:
        expected = f"a name of 1 to {_LONGEST_NAME} characters, and 1 to {MOST_DAYS} days"
        raise InvalidError(Problem("token", f"{name[:_LONGEST_NAME]!r}, {days} days", expected))
    key = TOKEN_MARK + secrets.token_urlsafe(_BYTES)
    now = time.time()
    token = ApiToken(
        digest=_digest(key),
        user_id=user_id,
        name=name,
        created_at=now,
        ends_at=now + days * _DAY_S,
    )
    session.add(token)
    session.flush()
    return token, key


def token_of(session: Session, key: str) -> SessionUser | None:
    """Return who a token speaks for; None if it has ended or never was."""
    found = session.scalar(select(ApiToken).where(ApiToken.digest == _digest(key)))
    if found is None or found.ends_at < time.time():
        return None
    user = session.get(User, found.user_id)
    return SessionUser(user) if user is not None and user.active else None


def tokens_of(session: Session, user_id: int) -> tuple[ApiToken, ...]:
    """Return somebody's tokens, the oldest first."""
    mine = select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id)
    return tuple(session.scalars(mine))


def end_token(session: Session, token_id: int, *, user_id: int) -> None:
    """End somebody's own token; raise `NotFoundError` for anybody else's."""
    found = session.get(ApiToken, token_id)
    if found is None or found.user_id != user_id:
        raise NotFoundError(Problem("token", f"number {token_id}", "one of your tokens"))
    session.delete(found)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _has_ended(found: BrowserSession, limits: Limits) -> bool:
    now = time.time()
    return now > found.seen_at + limits.idle_s or now > found.created_at + limits.session_s
