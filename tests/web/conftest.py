"""A real server, real databases and a real browser for the tests of the web."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.explanation.heatmap_file import (
    Heatmap,
    HeatmapFile,
    Legend,
    file_name,
    write_heatmaps,
    write_legend,
)
from axilla.records.roi import Roi

SHOTS = Path("build/screenshots")
PASSWORD = "correct horse battery staple"
DESKTOP = {"width": 1280, "height": 800}
TABLET = {"width": 820, "height": 1180}
PHONE = {"width": 390, "height": 844}
_AXILLA = "from axilla.cli.main import app; app()"
_CRITERIA = 'ultrasound = ["border"]\npathology = ["stroma", "emboli"]\ndecoy_share = 0.5'
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Served:
    """A running `axilla serve`."""

    process: subprocess.Popen[str]
    url: str
    setup: str | None
    seconds: float
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


Serve = Callable[..., Served]
MakeStudy = Callable[..., Path]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(study: Path, *options: str, port: int | None = None, scheme: str = "http") -> Served:
    """Start a server on a study and wait until it answers."""
    port = port or free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _AXILLA, "serve", str(study), "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
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
    seconds = time.perf_counter() - began
    return Served(process, url, _setup_link(process), seconds)


def _setup_link(process: subprocess.Popen[str]) -> str | None:
    """Read what the server announced, up to its last line; return the first account's link."""
    assert process.stdout is not None
    link = None
    for line in process.stdout:
        if "/setup?key=" in line:
            link = line.strip()
        if "Research use only" in line:
            return link
    return link


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts servers, which end with the test."""
    with ExitStack() as stack:

        def begin(study: Path, *options: str, **more) -> Served:
            served = start(study, *options, **more)
            stack.callback(served.stop)
            return served

        yield begin


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
    with served.client() as browser:
        answer = browser.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        page = browser.get("/account").text
        csrf = page.split('name="csrf-token" content="')[1].split('"')[0]
        made = browser.post("/api/tokens", json={"name": "tests"}, headers={"X-CSRF-Token": csrf})
        assert made.status_code == 201, made.text
        return str(made.json()["key"])


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory, make_study: MakeStudy) -> Path:
    """A study of 24 cases that has been run, with heatmaps; to be copied, not changed."""
    folder = make_study(tmp_path_factory.mktemp("web") / "study", ("patients = 0", "patients = 24"))
    result = CliRunner().invoke(app, ["run", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def finished(run_once: Path, tmp_path: Path) -> Path:
    """A copy of a finished study, for one test to change."""
    return Path(shutil.copytree(run_once, tmp_path / "study"))


@pytest.fixture
def unfinished(tmp_path: Path, make_study: MakeStudy) -> Path:
    """A study that was not run yet."""
    return make_study(tmp_path / "study")


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        request.getfixturevalue("missing")("chromium")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that opens a browser of its own for one person."""
    with ExitStack() as stack:

        def open_for(
            served: Served, name: str | None = None, *, viewport: dict[str, int] = DESKTOP, **more
        ) -> BrowserContext:
            context = browser.new_context(base_url=served.url, viewport=viewport, **more)
            context.set_default_timeout(20_000)
            stack.callback(context.close)
            if name is not None:
                sign_in(context, name)
            return context

        yield open_for


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


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, make_study: MakeStudy) -> Iterator[Served]:
    """A server for one file's tests: lead, anna, rea (reviews), reed (reads), vi (views)."""
    served = start(make_study(tmp_path_factory.mktemp("office") / "study"))
    try:
        yield populate(served, anna="annotator", rea="reviewer", reed="reader", vi="viewer")
    finally:
        served.stop()


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, run_once: Path) -> Iterator[Served]:
    """A server on a finished study for one file's tests: lead, anna, reed, vi and vera (view)."""
    study = Path(shutil.copytree(run_once, tmp_path_factory.mktemp("clinic") / "study"))
    served = start(study)
    try:
        yield populate(served, anna="annotator", reed="reader", vi="viewer", vera="viewer")
    finally:
        served.stop()


@pytest.fixture(name="populate")
def populate_fixture() -> Callable[..., Served]:
    """Return `populate`: tests cannot import this file."""
    return populate


@pytest.fixture
def accessible() -> Callable[..., None]:
    """Return a check that axe finds nothing on a page; in light and in dark."""

    def check(page: Page) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            said = [
                f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
                for one in found
            ]
            assert not said, f"{page.url} ({scheme})\n" + "\n".join(said)

    return check


@pytest.fixture(name="shot")
def shot_fixture() -> Callable[..., None]:
    """Return `shot`: tests cannot import this file."""
    return shot


@pytest.fixture
def mapped(tmp_path: Path, make_study: MakeStudy) -> Path:
    """A study of 24 cases that was not run, but has heatmaps with decoys, made up."""
    study = make_study(tmp_path / "study", ("[validation]", f"[review]\n{_CRITERIA}\n[validation]"))
    rng = np.random.default_rng(0)
    table = pd.read_csv(study / "cohort.csv", dtype=str, keep_default_na=False)
    folder = study / "results" / "heatmaps"
    for row in table.to_dict("records"):
        maps = {}
        for modality in ("ultrasound", "pathology"):
            with Image.open(study / row[modality]) as image:
                width, height = image.size
            values, decoy = rng.normal(size=(2, 7, 7)).astype(np.float32)
            maps[modality] = Heatmap(values, Roi(4, 6, width - 20, height - 10), 0, decoy)
        write_heatmaps(folder / file_name(row["patient_id"]), HeatmapFile(maps))
    scale = {"ultrasound": 2.0, "pathology": 2.5}
    write_legend(folder, Legend("multilayer", dict.fromkeys(scale, "gradcam"), scale))
    return study
