"""Application state: settings, database, study, prediction service."""

import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import HTTPConnection

from axilla.records.errors import Problem, StudyError
from axilla.web.accounts import sessions
from axilla.web.accounts.account_store import FailedAttempt, User, find_user
from axilla.web.accounts.roles import Actor, Permission, Role
from axilla.web.accounts.sessions import ApiToken, BrowserSession
from axilla.web.core.audit_log import AuditEntry
from axilla.web.core.database import Base, Database, Fact
from axilla.web.core.http_errors import NotAllowedError, NotSignedInError
from axilla.web.core.settings import ServeSettings
from axilla.web.prediction.prediction_service import PredictionService, open_desks
from axilla.web.prediction.saved_predictions import SavedPicture, SavedPrediction
from axilla.web.reader_study.packet_contents import Packets
from axilla.web.reader_study.packet_exports import Exports
from axilla.web.reader_study.reader_answers import ReadCase, ReadingPlace
from axilla.web.results.results_cache import ResultsCache
from axilla.web.rois.roi_files import file_at_start
from axilla.web.rois.roi_store import RoiDrawing, RoiRevision
from axilla.web.rois.study_images import ImageCache, StudyImages

# A table is made only if its class is known when the database is opened.
TABLES: Final[tuple[type[Base], ...]] = (
    *(Fact, User, BrowserSession, ApiToken, FailedAttempt),
    AuditEntry,
    *(RoiDrawing, RoiRevision),
    *(ReadingPlace, ReadCase),
    *(SavedPrediction, SavedPicture),
)
_SAFE = ("GET", "HEAD", "OPTIONS")
_BEARER = "bearer "
CSRF_HEADER = "X-CSRF-Token"
LOCAL_USER = "local"


def open_database(url: str) -> Database:
    """Connect and make what is missing of `TABLES`; raise `ConfigError` if that cannot be."""
    return Database(url, TABLES)


@dataclass(frozen=True, slots=True)
class AppState:
    """The running application's parts; made once per server."""

    settings: ServeSettings
    database: Database
    images: StudyImages
    packets: Packets
    exports: Exports
    results: ResultsCache
    desks: PredictionService
    local: int = 0
    pictures: ImageCache = field(default_factory=ImageCache)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start what runs beside the server, and stop it when the block ends."""
        file_at_start(self.database, self.settings.folder.root)
        try:
            with self.desks.running(at_once=self.settings.bundle_path.is_file()):
                yield
        finally:
            self.database.close()

    def actor(self, connection: HTTPConnection) -> Actor:
        """Return who asks; raise `NotSignedInError`, or `NotAllowedError` without a token."""
        address = address_of(connection)
        if self.settings.no_auth:
            return self._local(address)
        authorization = connection.headers.get("authorization", "")
        if authorization.lower().startswith(_BEARER):
            return self._by_token(authorization[len(_BEARER) :].strip(), address)
        actor = self.by_session(connection.cookies.get(cookie_name(connection), ""), address)
        method = connection.scope.get("method", "GET")
        if method not in _SAFE and not _same(connection.headers.get(CSRF_HEADER, ""), actor.csrf):
            remedy = "Reload the page, and try again."
            raise NotAllowedError(
                Problem(CSRF_HEADER, "no or another token", "the session's", remedy)
            )
        return actor

    def by_session(self, key: str, address: str) -> Actor:
        """Return who a browser's session key speaks for; raise `NotSignedInError`."""
        if self.settings.no_auth:
            return self._local(address)
        with self.database.reading() as session:
            held = sessions.session_of(session, key, self.settings.limits) if key else None
        if held is None:
            found, expected = "none, or one that has ended", "somebody who is signed in"
            raise NotSignedInError(Problem("session", found, expected, "Sign in."))
        if held.session_id is not None and held.unnoticed:
            with self.database.writing() as session:
                sessions.touch(session, held.session_id)
        return Actor(
            held.user.id, held.user.name, held.user.roles, address, held.session_id, held.csrf
        )

    def _by_token(self, key: str, address: str) -> Actor:
        with self.database.reading() as session:
            held = sessions.token_of(session, key)
        if held is None:
            remedy = "Make another on your account's page."
            raise NotSignedInError(
                Problem("token", "one that has ended or never was", "a token", remedy)
            )
        return Actor(held.user.id, held.user.name, held.user.roles, address)

    def _local(self, address: str) -> Actor:
        return Actor(
            self.local, LOCAL_USER, tuple(Role), address, permissions=frozenset(Permission)
        )


def open_web(settings: ServeSettings) -> AppState:
    """Open a study for the web.

    Raises `StudyError` if the folder is none, `ConfigError` if its settings or the database
    cannot be read.
    """
    if not (settings.folder.root / "study.toml").is_file():
        found = "no study.toml"
        remedy = "Give the folder of a study; `axilla init` makes one."
        raise StudyError(Problem(settings.folder.root.name, found, "a study folder", remedy))
    database = open_database(settings.database_url)
    return AppState(
        settings,
        database,
        images=StudyImages(settings.folder),
        packets=Packets(settings.folder),
        exports=Exports(settings.folder),
        results=ResultsCache(settings.folder),
        desks=open_desks(settings),
        local=_local_user(database) if settings.no_auth else 0,
    )


def _local_user(database: Database) -> int:
    """Return the account of whoever sits at this machine; it has no password and cannot sign in."""
    with database.writing() as session:
        user = find_user(session, LOCAL_USER)
        if user is None:
            user = User(
                key=LOCAL_USER,
                name=LOCAL_USER,
                password="",
                role_names="",
                active=False,
                created_at=time.time(),
            )
            session.add(user)
            session.flush()
        return user.id


def address_of(connection: HTTPConnection) -> str:
    """Return where a request comes from; behind a known proxy, what that says."""
    return connection.client.host if connection.client else ""


def cookie_name(connection: HTTPConnection) -> str:
    """Return the session cookie's name; over HTTPS one that no other host can set."""
    secure = connection.url.scheme in ("https", "wss")
    return "__Host-axilla" if secure else "axilla_session"


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())
