"""What somebody who means harm would try; each attempt is made against a real server."""

import contextlib
import socket

import httpx
import pytest
from served import PASSWORD, signed_in

INJECTIONS = (
    "' OR '1'='1",
    "lead'; DROP TABLE user_account; --",
    '" OR ""="',
    "<script>alert(1)</script>",
    "\x00lead",
    "lead" * 2000,
)


@pytest.mark.parametrize(
    "path", ["/api/me", "/api/users", "/api/audit", "/api/tokens", "/api/openapi.json2"]
)
def test_nothing_is_told_to_strangers(office, path: str) -> None:
    with office.client() as stranger:
        assert stranger.get(path).status_code in {401, 404}


@pytest.mark.parametrize("name", ["anna", "rea", "reed", "vi"])
def test_only_the_lead_manages(office, name: str) -> None:
    with office.client(name) as client:
        new = {"name": "mallory", "password": PASSWORD, "roles": ["lead"]}
        assert client.get("/api/users").status_code == 403
        assert client.post("/api/users", json=new).status_code == 403
        assert client.patch("/api/users/1", json={"roles": ["lead"]}).status_code == 403
        assert client.get("/api/audit").status_code == 403


def test_a_request_of_another_site_is_refused(office) -> None:
    with signed_in(office, "anna") as (client, csrf):
        new = {"name": "stolen"}
        for headers in (
            {"Origin": "https://evil.example", "X-CSRF-Token": csrf},
            {"Origin": "null", "X-CSRF-Token": csrf},
            {"Origin": office.url.replace("http://", "http://evil."), "X-CSRF-Token": csrf},
            {"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": csrf},
            {"Sec-Fetch-Site": "same-site", "X-CSRF-Token": csrf},
            {"Origin": office.url},
            {"Origin": office.url, "X-CSRF-Token": "guessed"},
            {},
        ):
            assert client.post("/api/tokens", json=new, headers=headers).status_code == 403
        assert client.get("/api/tokens").json() == [
            one for one in client.get("/api/tokens").json() if one["name"] != "stolen"
        ]
        right = {"Origin": office.url, "X-CSRF-Token": csrf}
        assert client.post("/api/tokens", json=new, headers=right).status_code == 201


def test_another_site_cannot_sign_somebody_in(office) -> None:
    with office.client() as client:
        form = {"name": "anna", "password": PASSWORD}
        answer = client.post("/login", data=form, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert not answer.cookies


def test_another_site_cannot_open_the_socket(office) -> None:
    port = int(office.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(
            b"GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            + f"Host: 127.0.0.1:{port}\r\n".encode()
            + b"Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://evil.example\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b" 403 " in raw.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_host_name_that_is_not_ours_is_refused(office, host: str) -> None:
    with office.client() as client:
        assert client.get("/login", headers={"Host": host}).status_code == 400


def test_somebody_elses_token_cannot_be_ended_by_number(office) -> None:
    with office.client("anna") as anna, office.client("vi") as vi:
        (mine, *_) = anna.get("/api/tokens").json()
        assert vi.delete(f"/api/tokens/{mine['id']}").status_code == 404
        assert mine in anna.get("/api/tokens").json()
        assert mine not in vi.get("/api/tokens").json()


@pytest.mark.parametrize("text", INJECTIONS)
def test_injections_sign_nobody_in_and_break_nothing(office, text: str) -> None:
    with office.client() as client:
        answer = client.post("/login", data={"name": text, "password": text})
        assert answer.status_code in {401, 422, 429}
        assert "<script>alert" not in answer.text
    with office.client("lead") as lead:
        new = {"name": text, "password": PASSWORD, "roles": ["viewer"]}
        assert lead.post("/api/users", json=new).status_code == 422
        assert "anna" in {user["name"] for user in lead.get("/api/users").json()}


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2f..%2fweb.db",
        "/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "/_nicegui/../web.db",
        "/_nicegui/auto/static/..%2f..%2f..%2fetc%2fpasswd",
        "/web.db",
        "/study.toml",
        "/cohort.csv",
    ],
)
def test_no_path_leads_out(office, path: str) -> None:
    port = int(office.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        # By hand: clients tidy such paths before they send them.
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := raw.recv(65536):
            answer += chunk
    assert answer.split(b" ")[1] in {b"404", b"400", b"303", b"307"}
    assert b"SQLite format" not in answer
    assert b"root:" not in answer
    assert b"patient_id" not in answer


@pytest.mark.parametrize(
    "body", [b'{"\\ud800": 1}', b'{"name": "\\ud800"}', b"\xff\xfe", b"[" * 9000]
)
def test_json_that_is_hardly_json_is_refused(office, body: bytes) -> None:
    with office.client("lead") as lead:
        headers = {"Content-Type": "application/json"}
        answer = lead.post("/api/users", content=body, headers=headers)
        assert answer.status_code in {400, 422}


def test_a_page_that_is_not_there_says_so_in_our_words(office) -> None:
    with office.client() as stranger:
        answer = stranger.get("/<script>alert(1)</script>", headers={"Accept-Language": "zh"})
        assert answer.status_code == 404
        assert "没有这个页面" in answer.text
        assert "<script>alert" not in answer.text


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_to_no_other_site(office, target: str) -> None:
    with office.client() as client:
        form = {"name": "anna", "password": PASSWORD, "next": target}
        assert client.post("/login", data=form).headers["location"] == "/"
        assert client.get("/language/zh", params={"next": target}).headers["location"] == "/"


def test_bodies_above_the_limit_are_refused_unread(office) -> None:
    def endless():
        for _ in range(64):
            yield b"x" * (1 << 16)

    with office.client("lead") as lead:
        answer = lead.post("/api/users", content=b"x" * (2 << 20))
        assert answer.status_code == 413
        # Without a length beforehand; the server may close the connection while we still send.
        with contextlib.suppress(httpx.WriteError, httpx.RemoteProtocolError):
            assert lead.post("/api/users", content=endless()).status_code == 413
        assert lead.get("/api/me").status_code == 200


def test_slow_and_broken_requests_do_not_stop_the_others(office) -> None:
    port = int(office.url.rsplit(":", 1)[1])
    hanging = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(50)]
    try:
        for raw in hanging:
            raw.sendall(b"POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n")
        with office.client("lead") as lead:
            for _ in range(3):  # the client would give up on one that waits for them
                assert lead.get("/api/me").status_code == 200
    finally:
        for raw in hanging:
            raw.close()
