"""The database: a file of the study folder, or a PostgreSQL server."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pg8000.dbapi
from sqlalchemy import Engine, Table, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from axilla.records.errors import ConfigError, Problem

SCHEMA: Final = 1
_WAIT_S: Final = 20
_PLACE: Final = "--database"
# Written on every connection: other readers go on while one writes, and what was acknowledged is
# on disk even after a power failure.
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {_WAIT_S * 1000}",
)


class Base(DeclarativeBase):
    """What all tables share. Times are seconds since 1970, UTC."""


class Fact(Base):
    """One thing the database knows of itself."""

    __tablename__ = "fact"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Database:
    """Opens transactions; each is whole on disk when its block has ended, or did not happen."""

    def __init__(self, url: str, tables: Sequence[type[Base]]) -> None:
        """Connect and make `tables`; raise `ConfigError` if that cannot be."""
        parsed = _parse_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._engine = _engine(parsed, is_sqlite=self.is_sqlite)
        try:
            _prepare(self._engine, parsed, tables)
        except (DBAPIError, OSError) as error:
            raise _unreachable(parsed) from error

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that may write; it is committed unless the block raises."""
        writer = self._engine.execution_options(writes=True)
        with Session(writer, expire_on_commit=False) as found, found.begin():
            yield found

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that only reads, and waits for no writer."""
        with Session(self._engine, expire_on_commit=False) as found:
            yield found

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def one_at_a_time(session: Session, lock: int) -> None:
    """Wait until no other transaction holds `lock`, and hold it to the end of this one.

    SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(lock)))


def _parse_url(url: str) -> URL:
    expected = "postgresql://USER@HOST/NAME, or sqlite:///FILE"
    remedy = "Leave the option out to keep everything in the study folder."
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(Problem(_PLACE, "no address of a database", expected, remedy)) from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+pg8000")
    if backend != "sqlite":
        raise ConfigError(Problem(_PLACE, backend, expected, remedy))
    return parsed


def _engine(url: URL, *, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        engine = create_engine(url, pool_size=10, max_overflow=20)
        event.listen(engine, "checkout", _require_alive)
        return engine
    engine = create_engine(url, connect_args={"timeout": _WAIT_S})

    def configure_connection(connection: Any, _record: object) -> None:
        # The driver's own transactions begin late and would let two writers start from one state.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    def begun(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure_connection)
    event.listen(engine, "begin", begun)
    return engine


def _require_alive(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool connect anew where the server was away.

    Not `pool_pre_ping`: where the network is gone, this driver raises what that does not expect.
    """
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        connection.rollback()
    except (OSError, pg8000.dbapi.Error) as error:
        raise DisconnectionError from error


def _prepare(engine: Engine, url: URL, tables: Sequence[type[Base]]) -> None:
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and url.database:
        _private(Path(url.database))
    writer = engine.execution_options(writes=True)
    with writer.begin() as connection:
        if not is_sqlite:  # two servers that start at once must not make the tables twice
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(8472011)")
        wanted = [table for kind in tables if isinstance(table := kind.__table__, Table)]
        Base.metadata.create_all(connection, tables=wanted)
    with Session(writer) as found, found.begin():
        version = found.get(Fact, "schema")
        if version is None:
            found.add(Fact(name="schema", value=str(SCHEMA)))
        elif version.value != str(SCHEMA):
            remedy = "Serve it with the version that wrote it, or name another database."
            problem = Problem(_PLACE, f"schema {version.value}", f"schema {SCHEMA}", remedy)
            raise ConfigError(problem)


def _private(path: Path) -> None:
    """Make the file before SQLite does: only its owner may read it, and its -wal copies that."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.close(descriptor)


def _unreachable(url: URL) -> ConfigError:
    where = url.render_as_string(hide_password=True)
    remedy = "Check that it runs, the name, and that the user may create tables."
    found = "nobody who answers, or who lets us in"
    return ConfigError(Problem(_PLACE, f"{found} at {where}", "a database", remedy))
