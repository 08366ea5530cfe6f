"""Starting a server: what it refuses, that it serves, when sessions end."""

import signal
import socket
import sqlite3
import time
from pathlib import Path

import pg8000.native
import pytest
from served import PASSWORD
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.records.errors import ConfigError
from axilla.records.run_folder import RunFolder
from axilla.web.accounts import account_store, sessions
from axilla.web.core.settings import Limits, ServeSettings
from axilla.web.state import open_database

NETWORK = "192.0.2.7"


def administrator(port: int | None) -> pg8000.native.Connection:
    return pg8000.native.Connection("axilla", host="127.0.0.1", port=port, database="postgres")


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["serve", *arguments], env={"COLUMNS": "400"})
    assert result.exit_code in {1, 2}, result.output
    return result.output


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_stop(unfinished: Path, serve) -> None:
    served = serve(unfinished, forked=False)
    with served.client() as client:
        assert client.get(served.setup).status_code == 200
    served.process.terminate()
    assert served.process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_no_accounts_only_on_this_machine(unfinished: Path) -> None:
    said = refused(str(unfinished), "--no-auth", "--host", NETWORK)
    assert "loopback" in said
    ServeSettings(RunFolder(unfinished), no_auth=True, host="127.0.0.1")
    ServeSettings(RunFolder(unfinished), no_auth=True, host="::1")


@pytest.mark.parametrize("host", [NETWORK, "0.0.0.0", "::", "hospital.example"])  # noqa: S104
def test_a_network_is_served_encrypted_or_knowingly_not(unfinished: Path, host: str) -> None:
    folder = RunFolder(unfinished)
    with pytest.raises(ConfigError, match="without HTTPS"):
        ServeSettings(folder, host=host)
    ServeSettings(folder, host=host, plain_http=True)
    ServeSettings(folder, host=host, proxy=("192.0.2.1",))


def test_certificate_and_key_go_together(unfinished: Path, tmp_path: Path) -> None:
    pem = tmp_path / "some.pem"
    pem.write_text("x")
    assert "both" in refused(str(unfinished), "--certificate", str(pem))
    said = refused(str(unfinished), "--certificate", str(pem), "--key", str(tmp_path / "no.pem"))
    assert "no such file" in said


@pytest.mark.parametrize(
    "database",
    ["nonsense", "mysql://somebody@localhost/x", "postgresql://nobody:secret-word@127.0.0.1:1/x"],
)
def test_a_database_that_is_none_is_named_without_its_password(
    unfinished: Path, database: str
) -> None:
    said = refused(str(unfinished), "--database", database, "--port", str(_free()))
    assert "--database" in said
    assert "secret-word" not in said


def test_a_file_that_is_no_database_is_left_alone(unfinished: Path) -> None:
    (unfinished / "web.db").write_bytes(b"patients' notes " * 400)
    assert "--database" in refused(str(unfinished), "--port", str(_free()))
    assert (unfinished / "web.db").read_bytes() == b"patients' notes " * 400


def test_a_database_of_another_version_is_refused(unfinished: Path) -> None:
    open_database(f"sqlite:///{unfinished / 'web.db'}").close()
    with sqlite3.connect(unfinished / "web.db") as later:
        later.execute("UPDATE fact SET value = '999'")
    later.close()
    assert "schema 999" in refused(str(unfinished), "--port", str(_free()))


def test_a_port_that_is_taken_is_named(unfinished: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(str(unfinished), "--port", port)
    assert port in said
    assert not (unfinished / "web.db").exists()


def test_without_accounts_everything_is_open_here_and_only_here(unfinished: Path, serve) -> None:
    served = serve(unfinished, "--no-auth")
    assert served.setup is None
    with served.client() as client:
        assert client.get("/api/me").json()["name"] == "local"
        evil = {"Origin": "https://evil.example"}
        assert client.post("/api/tokens", json={"name": "x"}, headers=evil).status_code == 403
        assert client.get("/api/me", headers={"Host": "rebound.example"}).status_code == 400
        form = {"name": "local", "password": ""}
        assert client.post("/login", data=form).status_code in {401, 422}


def test_the_first_link_works_once(unfinished: Path, serve, populate) -> None:
    served = populate(serve(unfinished))
    key = served.setup.split("key=")[1]
    with served.client() as client:
        form = {"key": key, "name": "second", "password": PASSWORD}
        assert client.post("/setup", data=form).status_code == 403
        assert client.get("/setup", params={"key": key}).status_code == 403
        assert client.post("/setup", data={**form, "key": "guessed"}).status_code == 403
    assert serve(unfinished).setup is None


@pytest.mark.parametrize(
    ("idle_s", "age_s", "left"), [(10, 20, 1), (3700, 3700, 0), (10, 43300, 0)]
)
def test_sessions_end(tmp_path: Path, idle_s: int, age_s: int, left: int) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'web.db'}")
    with database.writing() as session:
        user = account_store.add_user(
            session, "anna", password="long enough words", roles=["annotator"]
        )
        key = sessions.start_session(session, user)
    with database.writing() as session:
        (found,) = session.query(sessions.BrowserSession).all()
        found.created_at, found.seen_at = time.time() - age_s, time.time() - idle_s
    with database.writing() as session:
        assert (sessions.session_of(session, key, Limits()) is not None) == bool(left)
        sessions.forget_ended(session, Limits())
        assert session.query(sessions.BrowserSession).count() == left
    database.close()


def test_tokens_end(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'web.db'}")
    with database.writing() as session:
        user = account_store.add_user(
            session, "anna", password="long enough words", roles=["annotator"]
        )
        token, key = sessions.make_token(session, user.id, name="night job", days=1)
        assert sessions.token_of(session, key) is not None
        token.ends_at = time.time() - 1
        session.flush()
        assert sessions.token_of(session, key) is None
    database.close()


def test_a_database_that_was_away_is_found_again(
    unfinished: Path, serve, populate, department: str
) -> None:
    served = populate(serve(unfinished, "--database", department))
    url = make_url(department)
    with served.client("lead") as lead:
        assert lead.get("/api/me").status_code == 200
        for _ in range(2):
            admin = administrator(url.port)
            admin.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name",
                name=url.database,
            )
            admin.close()
            assert lead.get("/api/me").status_code == 200
        # Let nobody in for a while, as when the server is stopped.
        admin = administrator(url.port)
        admin.run(f'ALTER DATABASE "{url.database}" WITH ALLOW_CONNECTIONS false')
        admin.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name",
            name=url.database,
        )
        answer = lead.get("/api/me")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "SELECT" not in answer.text
        admin.run(f'ALTER DATABASE "{url.database}" WITH ALLOW_CONNECTIONS true')
        admin.close()
        assert lead.get("/api/me").status_code == 200


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
