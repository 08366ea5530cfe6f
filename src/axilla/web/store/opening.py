"""The database with every table of the application."""

from typing import Final

from axilla.web.store.accounts import User
from axilla.web.store.attempts import FailedAttempt
from axilla.web.store.audit import AuditEntry
from axilla.web.store.database import Base, Database, Fact
from axilla.web.store.keys import ApiToken, BrowserSession
from axilla.web.store.predictions import SavedPicture, SavedPrediction
from axilla.web.store.readings import ReadCase, ReadingPlace
from axilla.web.store.roi_tables import RoiDrawing, RoiRevision

# A table is made only if its class is known when the database is opened.
TABLES: Final[tuple[type[Base], ...]] = (
    *(Fact, User, BrowserSession, ApiToken, FailedAttempt),
    AuditEntry,
    *(RoiDrawing, RoiRevision),
    *(ReadingPlace, ReadCase),
    *(SavedPrediction, SavedPicture),
)


def open_database(url: str) -> Database:
    """Connect and make what is missing of `TABLES`; raise `ConfigError` if that cannot be."""
    return Database(url, TABLES)
