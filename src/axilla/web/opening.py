"""The database with every table of the application."""

from typing import Final

from axilla.web.accounts.account_store import User
from axilla.web.accounts.attempts import FailedAttempt
from axilla.web.accounts.sessions import ApiToken, BrowserSession
from axilla.web.core.audit_log import AuditEntry
from axilla.web.core.database import Base, Database, Fact
from axilla.web.prediction.saved_predictions import SavedPicture, SavedPrediction
from axilla.web.reader_study.reader_answers import ReadCase, ReadingPlace
from axilla.web.rois.roi_tables import RoiDrawing, RoiRevision

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
