"""The audit log: append-only tables, each entry sealed by a hash of those before."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import DDL, FromClause, Table, event, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from axilla.web.accounts.roles import Actor
from axilla.web.core.database import Base, one_at_a_time

_SQLITE: Final = """CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"""
_POSTGRESQL: Final = """CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{table} only grows'; END $$;
CREATE OR REPLACE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"""
_LOCK: Final = 8472012
_PAGE: Final = 1000


def only_grows(table: FromClause) -> None:
    """Have the database refuse everything but new rows, once it makes this table."""
    if not isinstance(table, Table):
        return
    for verb in ("UPDATE", "DELETE"):
        refuse = DDL(_SQLITE.format(table=table.name, verb=verb))
        event.listen(table, "after_create", refuse.execute_if(dialect="sqlite"))
    refuse = DDL(_POSTGRESQL.format(table=table.name))
    event.listen(table, "after_create", refuse.execute_if(dialect="postgresql"))


class AuditEntry(Base):
    """One thing that somebody did; `digest` is over its content and the digest before."""

    __tablename__ = "audit_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str]
    address: Mapped[str]
    digest: Mapped[str]


@dataclass(frozen=True, slots=True)
class Chain:
    """Whether the log is as it was written: `broken_at` is the first entry that is not."""

    entries: int
    broken_at: int | None


def record(
    session: Session,
    actor: Actor | str,
    action: str,
    subject: str = "",
    *,
    address: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write what somebody does, in the transaction that does it."""
    one_at_a_time(session, _LOCK)
    before = session.scalar(select(AuditEntry.digest).order_by(AuditEntry.id.desc()).limit(1))
    entry = AuditEntry(
        at=time.time(),
        actor=actor if isinstance(actor, str) else actor.name,
        action=action,
        subject=subject,
        detail=json.dumps(dict(detail or {}), ensure_ascii=False, sort_keys=True),
        address=address if isinstance(actor, str) else actor.address,
        digest="",
    )
    content = [getattr(entry, column.key) for column in _SEALED]
    entry.digest = _seal(content, before or "")
    session.add(entry)
    session.flush()


def entries(session: Session, *, before: int | None = None, most: int = 200) -> list[AuditEntry]:
    """Return the newest entries, or those before a number."""
    wanted = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(min(most, _PAGE))
    if before is not None:
        wanted = wanted.where(AuditEntry.id < before)
    return list(session.scalars(wanted))


def verify(session: Session) -> Chain:
    """Compute the whole chain again; about a second for 100,000 entries."""
    last, count = "", 0
    columns = (*_SEALED, AuditEntry.digest, AuditEntry.id)
    for *content, digest, number in session.execute(select(*columns).order_by(AuditEntry.id)):
        count += 1
        if digest != _seal(content, last):
            return Chain(count, number)
        last = digest
    return Chain(count, None)


def _seal(content: Sequence[Any], before: str) -> str:
    return hashlib.sha256(json.dumps([before, *content]).encode()).hexdigest()


_SEALED: Final = (
    *(AuditEntry.at, AuditEntry.actor, AuditEntry.action, AuditEntry.subject),
    *(AuditEntry.detail, AuditEntry.address),
)

only_grows(AuditEntry.__table__)
