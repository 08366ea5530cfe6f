"""A real server, real databases and a real browser for the tests of the web."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from drawing import PEOPLE, Desk
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from served import DESKTOP, Served, populate, shot, sign_in, start

_CRITERIA = 'ultrasound = ["border"]\npathology = ["stroma", "emboli"]\ndecoy_share = 0.5'
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


expect.set_options(timeout=20_000)  # as long as clicks wait: other tests run beside
_FAILED = pytest.StashKey[bool]()
Serve = Callable[..., Served]
MakeStudy = Callable[..., Path]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember for the fixtures whether their test failed."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts servers, which end with the test."""
    with ExitStack() as stack:

        def begin(study: Path, *options: str, **more) -> Served:
            served = start(study, *options, **more)
            stack.callback(served.stop)
            return served

        yield begin


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
def visitor(
    browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that opens a browser of its own for one person.

    No script of any page may fail while the test lasts; a test that fails leaves its pages as
    pictures and words.
    """
    faults: list[str] = []
    opened: list[BrowserContext] = []
    with ExitStack() as stack:

        def open_for(
            served: Served, name: str | None = None, *, viewport: dict[str, int] = DESKTOP, **more
        ) -> BrowserContext:
            context = browser.new_context(base_url=served.url, viewport=viewport, **more)
            context.set_default_timeout(20_000)
            context.on("weberror", lambda fault: faults.append(str(fault.error)))
            stack.callback(context.close)
            opened.append(context)
            if name is not None:
                sign_in(context, name)
            return context

        yield open_for
        if request.node.stash.get(_FAILED, False):
            for number, page in enumerate(page for context in opened for page in context.pages):
                shot(page, f"failed-{request.node.originalname}-{number}")
                print(page.url, page.inner_text("body")[:2000], sep="\n")  # noqa: T201 - pytest's
    assert not faults


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
    """Return `served.populate`."""
    return populate


@pytest.fixture(name="shot")
def shot_fixture() -> Callable[..., None]:
    """Return `served.shot`."""
    return shot


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


@pytest.fixture
def mapped(tmp_path: Path, make_study: MakeStudy, add_heatmaps: Callable[..., object]) -> Path:
    """A study of 24 cases that was not run, but has heatmaps with decoys, made up."""
    study = make_study(tmp_path / "study", ("[validation]", f"[review]\n{_CRITERIA}\n[validation]"))
    add_heatmaps(study, decoy_strength=1.0)
    return study


@pytest.fixture
def team(unfinished: Path, serve: Serve) -> Served:
    """A server with two who annotate, two who review, and one who may neither."""
    return populate(serve(unfinished), **PEOPLE)


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request: pytest.FixtureRequest, unfinished: Path, serve: Serve) -> Served:
    """The same on each kind of database."""
    database = request.getfixturevalue("department") if request.param == "postgresql" else ""
    return populate(serve(unfinished, *(["--database", database] if database else [])), **PEOPLE)


@pytest.fixture
def desk(team: Served, visitor: Callable[..., BrowserContext]) -> Iterator[Desk]:
    """Anna's page of annotation."""
    page = visitor(team, "anna").new_page()
    page.goto("/annotate")
    with team.client("anna") as client:
        found = Desk(page, client)
        found.ready()
        yield found
