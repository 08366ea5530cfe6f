"""The audit log only grows, and tells if somebody changed it behind the program's back."""

import re
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from axilla.web.core import audit_log
from axilla.web.core.database import Database
from axilla.web.state import open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'web.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("department")
    opened = open_database(url)
    yield opened
    opened.close()


def write(database: Database, count: int, *, who: str = "anna") -> None:
    for number in range(count):
        with database.writing() as session:
            audit_log.record(
                session, who, "roi.save", f"image {number}", detail={"iou": 0.1 + number}
            )


def test_entries_seal_those_before(database: Database) -> None:
    write(database, 5)
    with database.reading() as session:
        assert audit_log.verify(session) == audit_log.Chain(5, None)
        found = audit_log.entries(session, most=2)
        assert [entry.subject for entry in found] == ["image 4", "image 3"]
        older = audit_log.entries(session, before=found[-1].id)
        assert [entry.subject for entry in older] == ["image 2", "image 1", "image 0"]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM audit_entry", "UPDATE audit_entry SET actor = 'x'"]
)
def test_nothing_can_be_changed_or_removed(database: Database, statement: str) -> None:
    write(database, 2)
    with pytest.raises(DBAPIError, match="only grows"), database.writing() as session:
        session.execute(text(statement))
    with database.reading() as session:
        assert audit_log.verify(session) == audit_log.Chain(2, None)


def test_a_change_behind_our_back_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "web.db"
    database = open_database(f"sqlite:///{path}")
    write(database, 5)
    with sqlite3.connect(path) as behind:
        for name in ("audit_entry_no_UPDATE", "audit_entry_no_DELETE"):
            behind.execute(f"DROP TRIGGER {name}")
        behind.execute("UPDATE audit_entry SET subject = 'another' WHERE id = 3")
    behind.close()
    with database.reading() as session:
        assert audit_log.verify(session).broken_at == 3
    database.close()


def test_many_writers_make_one_chain(database: Database) -> None:
    crowd = [
        threading.Thread(target=write, args=(database, 10), kwargs={"who": f"user {number}"})
        for number in range(8)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    with database.reading() as session:
        assert audit_log.verify(session) == audit_log.Chain(80, None)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'web.db'}").close()
    assert (tmp_path / "web.db").stat().st_mode & 0o077 == 0


def test_keys_and_passwords_are_kept_as_digests_only(office) -> None:
    with office.client("lead") as lead:
        lead.post("/api/tokens", json={"name": "kept"})
        entries = lead.get("/api/audit").json()["entries"]
    said = " ".join(str(entry) for entry in entries)
    for secret in ("correct horse", *office.tokens.values()):
        assert secret not in said
    assert {"user.first", "user.add", "sign_in", "token.make"} <= set(
        re.findall(r"'action': '([\w.]+)'", said)
    )
