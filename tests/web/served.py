"""A running server, the people who use it, and pictures of what they see."""

import atexit
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

SHOTS = Path("build/screenshots")
PASSWORD = "correct horse battery staple"
DESKTOP = {"width": 1280, "height": 800}
TABLET = {"width": 820, "height": 1180}
PHONE = {"width": 390, "height": 844}
# Batches of other sizes round differently; on a random network at 64 px by up to 1.3e-6. No two
# patients are nearly as alike.
PROBABILITY_TOLERANCE = 5e-6
_AXILLA = "from axilla.cli.main import app; app()"
_PRELOADED = Path(__file__).with_name("preloaded.py")


class ForkedServer:
    """A server that a process with axilla's imports forked, with what tests use of `Popen`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        read, write = os.pipe()
        self.stdout = os.fdopen(read, encoding="utf-8")
        self.pid: int = _ask({"arguments": list(arguments)}, write)
        self.returncode: int | None = None
        os.close(write)

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _ask({"wait": self.pid})
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("axilla serve", timeout)
            time.sleep(0.01)
        return code

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@functools.cache
def _preloaded() -> socket.socket:
    """Start the process that forks; return the socket by which it is asked."""
    ours, theirs = socket.socketpair()
    storage = tempfile.mkdtemp(prefix="axilla-nicegui-")
    with theirs:
        process = subprocess.Popen(
            [sys.executable, _PRELOADED, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | {"COLUMNS": "200", "NICEGUI_STORAGE_PATH": storage},
        )

    def end() -> None:
        ours.close()
        process.wait(timeout=20)
        shutil.rmtree(storage, ignore_errors=True)

    atexit.register(end)
    return ours


def _ask(request: dict[str, Any], *files: int) -> Any:
    process = _preloaded()
    socket.send_fds(process, [json.dumps(request).encode()], files)
    return json.loads(process.recv(1 << 16))


@dataclass
class Served:
    """A running `axilla serve`."""

    process: "subprocess.Popen[str] | ForkedServer"
    url: str
    setup: str | None
    tokens: dict[str, str] = field(default_factory=dict)

    def client(self, name: str | None = None) -> httpx.Client:
        """Return an HTTP client, with the token of one of `people` if named."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def stop(self) -> None:
        """Stop the server as Ctrl+C does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    study: Path,
    *options: str,
    port: int | None = None,
    scheme: str = "http",
    forked: bool = True,
) -> Served:
    """Start a server on a study and wait until it answers.

    Unless `forked`, it is a new process, with passwords that are as dear to hash as a user's.
    """
    port = port or free_port()
    arguments = [str(study), "--port", str(port), *options]
    process = ForkedServer(arguments) if forked else _command(arguments)
    url = f"{scheme}://127.0.0.1:{port}"
    for _ in range(600):
        try:
            httpx.get(f"{url}/login", timeout=5, verify=False)  # noqa: S501 - only whether it is there
            break
        except httpx.TransportError:
            if process.poll() is not None:
                output = process.stdout.read() if process.stdout else ""
                pytest.fail(f"the server ended: {output}")
            time.sleep(0.05)
    return Served(process, url, _setup_link(process))


def _command(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _AXILLA, "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )


def _setup_link(process: subprocess.Popen[str] | ForkedServer) -> str | None:
    """Read what the server announced, up to its last line; return the first account's link."""
    assert process.stdout is not None
    link = None
    for line in process.stdout:
        if "/setup?key=" in line:
            link = line.strip()
        if "Research use only" in line:
            return link
    return link


def populate(served: Served, **roles: str) -> Served:
    """Make the lead by the first link and one account per keyword, `name="role role"`.

    Each gets a token, so that `served.client(name)` speaks for it.
    """
    assert served.setup is not None
    key = served.setup.split("key=")[1]
    with served.client() as browser:
        form = {"key": key, "name": "lead", "password": PASSWORD}
        assert browser.post("/setup", data=form).status_code == 303
    served.tokens["lead"] = token(served, "lead")
    with served.client("lead") as lead:
        for name, names in roles.items():
            content = {"name": name, "password": PASSWORD, "roles": names.split()}
            answer = lead.post("/api/users", json=content)
            assert answer.status_code == 201, answer.text
            served.tokens[name] = token(served, name)
    return served


def token(served: Served, name: str) -> str:
    """Sign in as somebody and make a token, as a person does."""
    with signed_in(served, name) as (browser, csrf):
        made = browser.post("/api/tokens", json={"name": "tests"}, headers={"X-CSRF-Token": csrf})
        assert made.status_code == 201, made.text
        return str(made.json()["key"])


def sign_in(context: BrowserContext, name: str) -> None:
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.close()


def shot(page: Page, name: str) -> None:
    """Keep a picture of a page as an artefact of the tests."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


@contextmanager
def signed_in(served: Served, name: str) -> Iterator[tuple[httpx.Client, str]]:
    """Yield a client with the cookie of a browser session, and the session's token."""
    with served.client() as client:
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303
        page = client.get("/account").text
        yield client, page.split('name="csrf-token" content="')[1].split('"')[0]
