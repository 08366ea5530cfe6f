"""What somebody who means harm would try to be taken for another."""

import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from fastapi.testclient import TestClient
from served import PASSWORD, signed_in

from axilla.records.run_folder import RunFolder
from axilla.web.app import create_app
from axilla.web.core.settings import ServeSettings

COOKIE = "axilla_session"


def test_a_session_that_was_planted_is_not_taken_over(office) -> None:
    with office.client() as client:
        client.cookies.set(COOKIE, "planted-by-mallory")
        client.post("/login", data={"name": "anna", "password": PASSWORD})
        key = client.cookies.get(COOKIE, domain="127.0.0.1")
        assert key != "planted-by-mallory"
    with office.client() as mallory:
        mallory.cookies.set(COOKIE, "planted-by-mallory")
        assert mallory.get("/api/me").status_code == 401


def test_a_new_session_for_every_sign_in_and_none_after_signing_out(office) -> None:
    with signed_in(office, "anna") as (client, _):
        first = client.cookies.get(COOKIE)
        client.post("/login", data={"name": "anna", "password": PASSWORD})
        second = client.cookies.get(COOKIE)
        assert first != second
        for key, status in ((first, 401), (second, 200)):
            with office.client() as other:
                other.cookies.set(COOKIE, key)
                assert other.get("/api/me").status_code == status
        client.post("/logout")
        with office.client() as other:
            other.cookies.set(COOKIE, second)
            assert other.get("/api/me").status_code == 401


def test_the_cookie_is_kept_from_scripts_and_other_sites(office) -> None:
    with office.client() as client:
        answer = client.post("/login", data={"name": "anna", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie


def test_over_https_by_a_proxy_the_cookie_is_secure(unfinished: Path, serve, populate) -> None:
    served = populate(serve(unfinished, "--proxy", "127.0.0.1"), anna="annotator")
    with served.client() as client:
        answer = client.post(
            "/login",
            data={"name": "anna", "password": PASSWORD},
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.2.3"},
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-axilla=")
        assert "secure" in cookie.lower()
        assert "max-age" in answer.headers["strict-transport-security"]
    with served.client("lead") as lead:
        entries = lead.get("/api/audit").json()["entries"]
        assert entries[0]["address"] == "10.1.2.3"


def test_forwarded_headers_of_strangers_do_not_count(office) -> None:
    with office.client() as client:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.2.3"}
        answer = client.post("/login", data={"name": "anna", "password": PASSWORD}, headers=headers)
        assert answer.headers["set-cookie"].startswith(COOKIE)
    with office.client("lead") as lead:
        assert {e["address"] for e in lead.get("/api/audit").json()["entries"]} == {"127.0.0.1"}


def test_a_closed_account_and_a_changed_role_end_what_is_open(office) -> None:
    with office.client("lead") as lead:
        new = {"name": "temp", "password": PASSWORD, "roles": ["viewer"]}
        user = lead.post("/api/users", json=new).json()
        with signed_in(office, "temp") as (browser, _):
            assert browser.get("/api/me").status_code == 200
            lead.patch(f"/api/users/{user['id']}", json={"roles": ["annotator"]})
            assert browser.get("/api/me").status_code == 401
            browser.post("/login", data={"name": "temp", "password": PASSWORD})
            assert browser.get("/api/me").json()["roles"] == ["annotator"]
            lead.patch(f"/api/users/{user['id']}", json={"active": False})
            assert browser.get("/api/me").status_code == 401
            again = browser.post("/login", data={"name": "temp", "password": PASSWORD})
            assert again.status_code == 401


def test_readers_stay_blind_and_somebody_always_leads(office) -> None:
    with office.client("lead") as lead:
        for other in ("lead", "viewer"):
            new = {"name": "seer", "password": PASSWORD, "roles": ["reader", other]}
            assert lead.post("/api/users", json=new).status_code == 422
        assert lead.patch("/api/users/1", json={"active": False}).status_code == 422
        assert lead.patch("/api/users/1", json={"roles": ["viewer"]}).status_code == 422
        assert lead.get("/api/me").json()["roles"] == ["lead"]


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaaaaaa", "xx-newcomer-xx"])
def test_weak_passwords_are_refused(office, password: str) -> None:
    with office.client("lead") as lead:
        new = {"name": "newcomer", "password": password, "roles": ["viewer"]}
        answer = lead.post("/api/users", json=new)
        assert answer.status_code == 422
        assert answer.json()["detail"]["place"] == "password"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_passwords_cannot_be_tried_for_long(
    unfinished: Path, serve, populate, request: pytest.FixtureRequest, kind: str
) -> None:
    where = ["--database", request.getfixturevalue("department")] if kind == "postgresql" else []
    served = populate(serve(unfinished, *where), anna="annotator")
    answers: list[int] = []

    def attempt(number: int) -> None:
        with served.client() as client:
            form = {"name": "Anna", "password": f"wrong password {number}"}
            answers.append(client.post("/login", data=form).status_code)

    crowd = [threading.Thread(target=attempt, args=(number,)) for number in range(20)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    # At once, too, no more than the bound are looked at.
    assert answers.count(401) <= 6
    assert answers.count(401) + answers.count(429) == 20
    with served.client() as client:
        right = client.post("/login", data={"name": "anna", "password": PASSWORD})
        assert right.status_code == 429
        assert 0 < int(right.headers["retry-after"]) <= 15 * 60
        assert client.post("/login", data={"name": "lead", "password": PASSWORD}).status_code == 303
    with served.client("anna") as program:
        assert program.get("/api/me").status_code == 200


def test_unknown_names_cost_the_work_of_known_ones(
    unfinished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever measures how long a refusal takes does not learn who has an account."""
    settings = ServeSettings(RunFolder(unfinished))
    app = create_app(settings, pages=False)
    verify, work = PasswordHasher.verify, []

    def watched(hasher: PasswordHasher, kept: str, password: str) -> bool:
        work.append(extract_parameters(kept))
        return verify(hasher, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    with TestClient(app, base_url=settings.address, follow_redirects=False) as client:
        first = {"key": app.state.first_run, "name": "lead", "password": PASSWORD}
        assert client.post("/setup", data=first).status_code == 303
        for name in ("lead", "nobody.at.all"):
            form = {"name": name, "password": "wrong password here"}
            assert client.post("/login", data=form).status_code == 401
    known, unknown = work
    assert known == unknown
    assert known.memory_cost >= 19 << 10  # KiB, the least that OWASP recommends
