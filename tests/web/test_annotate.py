"""Annotating in a real browser, with mouse, pen, fingers or the keyboard alone."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

PEOPLE = {"anna": "annotator", "ben": "annotator", "rea": "reviewer"}
SHOWN = ".vw-stage[data-shown^=blob]"
SAVED = "All changes are saved"
PASSWORD = "correct horse battery staple"
SIDES = ("left", "top", "width", "height")


class Desk:
    """A page of annotation, and what its server has of the image that it shows."""

    def __init__(self, page: Page, client) -> None:
        self.page, self.client = page, client

    @property
    def key(self) -> str:
        return self.page.url.split("#")[1]

    @property
    def stage(self):
        return self.page.locator(".an-viewer .vw-stage")

    def ready(self) -> None:
        self.page.locator(f".an-viewer {SHOWN}").wait_for()

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the image is on the screen."""
        place = self.page.locator(".an-viewer .vw-img").bounding_box()
        width = self.detail()["width"]
        return place["x"] + x * place["width"] / width, place["y"] + y * place["width"] / width

    def drag(self, start, end, *, button: str = "left") -> None:
        middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
        first, *others = [self.point(*place) for place in (start, middle, end)]
        mouse = self.page.mouse
        mouse.move(*first)
        mouse.down(button=button)
        for place in others:
            mouse.move(*place)
        mouse.up(button=button)

    def saved(self) -> None:
        expect(self.page.locator(".an-saved")).to_have_text(SAVED)

    def detail(self) -> dict:
        return self.client.get(f"/api/rois/{self.key}").json()

    def roi(self) -> list[int] | None:
        self.saved()
        drawing = self.detail()["drawing"]
        return drawing and drawing["roi"] and [drawing["roi"][side] for side in SIDES]


@pytest.fixture
def team(unfinished: Path, serve, populate):
    return populate(serve(unfinished), **PEOPLE)


@pytest.fixture
def desk(team, visitor) -> Iterator[Desk]:
    page = visitor(team, "anna").new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/annotate")
    with team.client("anna") as client:
        found = Desk(page, client)
        found.ready()
        yield found
    assert faults == []


def test_a_rectangle_is_drawn_moved_and_sized_with_the_mouse(desk: Desk, shot) -> None:
    desk.drag((100, 60), (180, 120))
    left, top, width, height = drawn = desk.roi()
    assert drawn == pytest.approx([100, 60, 80, 60], abs=1)
    desk.drag((left + width / 2, top + height / 2), (left + width / 2 + 20, top + height / 2 + 10))
    assert desk.roi() == pytest.approx([left + 20, top + 10, width, height], abs=1)
    left, top, width, height = desk.roi()
    for handle, by, wanted in (
        ((left + width, top + height), (15, 9), [left, top, width + 15, height + 9]),
        ((left, top), (-5, -6), [left - 5, top - 6, width + 20, height + 15]),
        ((left + width / 2, top - 6), (0, 12), [left - 5, top + 6, width + 20, height + 3]),
    ):
        desk.drag(handle, (handle[0] + by[0], handle[1] + by[1]))
        assert desk.roi() == pytest.approx(wanted, abs=2)
    shot(desk.page, "annotate")
    desk.page.get_by_role("button", name="Undo").click()
    assert desk.roi()[1] == pytest.approx(top - 6, abs=2)
    # A click that is no drag changes nothing; one outside the image ends at its edge.
    before = desk.roi()
    desk.page.mouse.click(*desk.point(5, 5))
    assert desk.roi() == before
    desk.drag((40, 30), (-30, -25))
    assert desk.roi()[:2] == [0, 0]


def test_the_size_is_told_in_px_and_mm(unfinished: Path, serve, populate, visitor) -> None:
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str, keep_default_na=False)
    table.loc[0, "ultrasound_pixel_mm"] = "0.1"
    table.to_csv(unfinished / "cohort.csv", index=False)
    served = populate(serve(unfinished), **PEOPLE)
    page = visitor(served, "anna").new_page()
    page.goto("/annotate")
    with served.client("anna") as client:
        desk = Desk(page, client)
        desk.ready()
        desk.drag((100, 60), (180, 120))
        left, top, width, height = desk.roi()
    told = f"{width} × {height} px, {width / 10:.1f} × {height / 10:.1f} mm (at {left}, {top})"  # noqa: RUF001
    assert page.locator(".an-viewer .vw-size").inner_text() == told
    expect(page.locator(".an-viewer [role=status]")).to_have_text(told)


def test_wheel_and_drags_change_the_view_and_not_the_drawing(desk: Desk) -> None:
    desk.drag((100, 60), (180, 120))
    before = desk.roi()
    mouse, page = desk.page.mouse, desk.page
    mouse.move(*desk.point(150, 80))
    place = desk.point(150, 80)
    mouse.wheel(0, -400)
    # What was under the pointer stays there.
    assert desk.point(150, 80) == pytest.approx(place, abs=1)
    box = page.locator(".an-viewer .vw-img").bounding_box()
    desk.drag((150, 80), (170, 90), button="middle")
    moved = page.locator(".an-viewer .vw-img").bounding_box()
    assert moved["x"] - box["x"] == pytest.approx(20 * box["width"] / desk.detail()["width"], abs=2)
    page.keyboard.down("Space")
    desk.drag((150, 80), (130, 70))
    page.keyboard.up("Space")
    back = page.locator(".an-viewer .vw-img").bounding_box()
    assert back["x"] == pytest.approx(box["x"], abs=2)
    page.get_by_role("button", name="Move image").click()
    desk.drag((150, 80), (140, 70))
    page.get_by_role("button", name="Move image").click()
    page.get_by_label("Brightness").fill("150")
    page.get_by_label("Contrast").fill("200")
    style = page.locator(".an-viewer .vw-img").evaluate("one => getComputedStyle(one).filter")
    assert style == "brightness(1.5) contrast(2)"
    page.get_by_role("button", name="Reset").click()
    style = page.locator(".an-viewer .vw-img").evaluate("one => getComputedStyle(one).filter")
    assert style == "brightness(1) contrast(1)"
    page.get_by_role("button", name="Fit").click()
    assert desk.roi() == before


def test_a_whole_worklist_with_the_keyboard_alone(desk: Desk, shot, accessible) -> None:
    press, page = desk.page.keyboard.press, desk.page
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    accessible(page)
    shot(page, "annotate-shortcuts")
    press("Escape")
    first = desk.key
    press("g")
    suggestion = desk.detail()["suggestion"]["roi"]
    left, top, width, height = (suggestion[side] for side in SIDES)
    assert desk.roi() == [left, top, width, height]
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown", "Alt+ArrowRight", "Alt+ArrowUp"):
        press(key)
    assert desk.roi() == [left + 2, top + 10, width + 1, height - 1]
    press("e")
    press("Shift+ArrowLeft")
    press("e")
    press("ArrowUp")
    assert desk.roi() == [left + 2, top + 9, width - 9, height - 1]
    press("Control+z")
    assert desk.roi() == [left + 2, top + 10, width - 9, height - 1]
    press("s")
    desk.ready()
    assert desk.key != first
    desk.saved()
    assert desk.client.get(f"/api/rois/{first}").json()["drawing"]["state"] == "submitted"
    second = desk.key
    press("Enter")
    desk.saved()
    assert desk.roi() is not None
    press("n")
    third = desk.key
    press("p")
    assert desk.key == second
    press("p")
    assert desk.key == first
    desk.ready()
    expect(page.get_by_role("button", name="Open again")).to_be_visible()
    press("ArrowRight")  # handed in: it is looked at, not changed
    assert desk.roi() == [left + 2, top + 10, width - 9, height - 1]
    press("u")
    assert desk.key == second
    desk.ready()
    press("s")
    assert desk.key == third
    desk.ready()
    box = page.locator(".an-viewer .vw-img").bounding_box()
    press("+")
    assert page.locator(".an-viewer .vw-img").bounding_box()["width"] > box["width"]
    press("0")
    assert page.locator(".an-viewer .vw-img").bounding_box() == pytest.approx(box, abs=1)


def test_focus_is_never_trapped_and_text_fires_no_shortcut(desk: Desk) -> None:
    page = desk.page
    desk.drag((100, 60), (180, 120))
    key = desk.key
    page.get_by_label("Comment").click()
    page.keyboard.type("snpu ?+- begins 0")
    desk.saved()
    assert desk.key == key
    assert desk.detail()["drawing"]["comment"] == "snpu ?+- begins 0"
    assert desk.detail()["drawing"]["state"] == "draft"
    desk.stage.focus()
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent || document.activeElement.id"))
    assert "an-comment" in seen
    assert "Hand in, and next" in seen


def test_no_lesion_is_said_with_a_reason(desk: Desk) -> None:
    page = desk.page
    hand_in = page.get_by_role("button", name="Hand in, and next")
    page.get_by_label("No lesion to draw").check()
    expect(hand_in).to_be_disabled()
    page.get_by_label("Comment").fill("a shadow over all")
    desk.saved()
    drawing = desk.detail()["drawing"]
    assert (drawing["absent"], drawing["comment"]) == (True, "a shadow over all")
    key = desk.key
    hand_in.click()
    desk.ready()
    desk.saved()
    assert desk.client.get(f"/api/rois/{key}").json()["drawing"]["state"] == "submitted"


def test_fingers_pinch_and_draw(team, visitor) -> None:
    context = visitor(team, "anna", viewport={"width": 820, "height": 1180}, has_touch=True)
    page = context.new_page()
    page.goto("/annotate")
    touch = context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    with team.client("anna") as client:
        desk = Desk(page, client)
        desk.ready()
        a, b = desk.point(100, 60), desk.point(160, 110)
        send("touchStart", a)
        send("touchMove", ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2))
        send("touchMove", b)
        send("touchEnd")
        before = desk.roi()
        assert before == pytest.approx([100, 60, 60, 50], abs=1)
        box = page.locator(".an-viewer .vw-img").bounding_box()
        c, d = desk.point(300, 200), desk.point(320, 200)
        send("touchStart", c)
        send("touchStart", c, d)
        for n in range(1, 6):
            send("touchMove", (c[0] - 10 * n, c[1]), (d[0] + 10 * n, d[1]))
        send("touchEnd")
        assert page.locator(".an-viewer .vw-img").bounding_box()["width"] > 1.5 * box["width"]
        assert desk.roi() == before
        assert page.locator(".vw-touch").first.bounding_box()["width"] >= 24


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request, unfinished: Path, serve, populate):
    """A server on each kind of database."""
    database = request.getfixturevalue("department") if request.param == "postgresql" else ""
    options = ["--database", database] if database else []
    return populate(serve(unfinished, *options), **PEOPLE)


def test_two_browsers_lose_nothing(ward, visitor, shot, accessible) -> None:
    served = ward
    with served.client("anna") as ours, served.client("ben") as others:
        anna, ben = (
            Desk(visitor(served, name).new_page(), client)
            for name, client in (("anna", ours), ("ben", others))
        )
        for desk in (anna, ben):
            desk.page.goto("/annotate")
            desk.ready()
        assert anna.key == ben.key
        anna.drag((100, 60), (180, 120))
        first = anna.roi()
        ben.drag((200, 30), (260, 90))
        dialog = ben.page.get_by_role("dialog")
        dialog.get_by_role("heading", name="Theirs (anna)").wait_for()
        assert anna.roi() == first
        sizes = dialog.locator(".vw-size")
        expect(sizes).to_have_count(2)
        expect(sizes.nth(1)).to_contain_text(f"{first[2]} × {first[3]} px")  # noqa: RUF001
        expect(sizes.nth(0)).to_contain_text("60 × 60 px")  # noqa: RUF001
        expect(dialog.locator(SHOWN)).to_have_count(2)
        accessible(ben.page)
        shot(ben.page, "annotate-conflict")
        dialog.get_by_role("button", name="Take theirs").click()
        ben.ready()
        assert ben.page.locator(".an-viewer .vw-size").inner_text().startswith(f"{first[2]} × ")  # noqa: RUF001
        # Ben goes on from hers; now she is late, and keeps her own all the same.
        ben.stage.focus()
        ben.page.keyboard.press("Shift+ArrowRight")
        assert ben.roi()[0] == first[0] + 10
        anna.stage.focus()
        anna.page.keyboard.press("ArrowLeft")
        dialog = anna.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Keep mine").wait_for()
        for _ in range(3):
            anna.page.keyboard.press("Escape")  # no way around the choice
        dialog.get_by_role("button", name="Keep mine").click()
        assert anna.roi() == [first[0] - 1, *first[1:]]
        history = ours.get(f"/api/rois/{anna.key}/history").json()
        lefts = [int(json.loads(one["after"])["roi"].split(",")[0]) for one in history]
        assert lefts == [first[0], first[0] + 10, first[0] - 1]
        assert [one["who"] for one in history] == ["anna", "ben", "anna"]


def test_a_change_waits_for_a_server_that_is_away(
    unfinished: Path, serve, populate, visitor
) -> None:
    served = populate(serve(unfinished), **PEOPLE)
    port = int(served.url.rsplit(":", 1)[1])
    page = visitor(served, "anna").new_page()
    page.goto("/annotate")
    with served.client("anna") as client:
        desk = Desk(page, client)
        desk.ready()
        where = [desk.point(x, y) for x, y in ((100, 60), (180, 120))]
        key = desk.key
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        page.mouse.move(*where[0])
        page.mouse.down()
        page.mouse.move(*where[1])
        page.mouse.up()
        expect(page.locator(".an-saved")).to_contain_text("Not saved")
        again = serve(unfinished, port=port)
        again.tokens.update(served.tokens)
        expect(page.locator(".an-saved")).to_have_text(SAVED, timeout=30_000)
        drawing = client.get(f"/api/rois/{key}").json()["drawing"]
        assert [drawing["roi"][side] for side in SIDES] == pytest.approx([100, 60, 80, 60], abs=1)


def test_the_list_tells_what_others_did(desk: Desk, team) -> None:
    page = desk.page
    with team.client("ben") as ben:
        items = ben.get("/api/rois").json()["items"]
        path = f"/api/rois/{items[1]['image']}"
        content = {"version": 0, "roi": dict(zip(SIDES, (9, 9, 30, 30), strict=True))}
        assert ben.put(path, json=content).status_code == 200
    button = page.locator(f"[data-image='{items[1]['image']}']")
    expect(button).to_contain_text("new")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(button).to_contain_text("draft")
    # A click leaves the arrow keys to the image; what Ben drew is gone on with, not overwritten.
    button.click()
    desk.ready()
    page.keyboard.press("ArrowRight")
    assert desk.roi() == [10, 9, 30, 30]


def test_a_change_outlives_the_end_of_a_session(desk: Desk, team) -> None:
    desk.drag((100, 60), (180, 120))
    left = desk.roi()[0]
    with team.client("lead") as lead:
        users = {user["name"]: user["id"] for user in lead.get("/api/users").json()}
        lead.patch(f"/api/users/{users['anna']}", json={"roles": ["annotator"]})
    page, key = desk.page, desk.key
    desk.stage.focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".an-saved")).to_contain_text("you are signed out")
    page.locator(".an-saved").get_by_role("link", name="Sign in").click()
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    desk.ready()
    expect(page.locator(".an-saved")).to_have_text(SAVED)
    assert desk.client.get(f"/api/rois/{key}").json()["drawing"]["roi"]["left"] == left + 10


EVIL = ("<img src=x onerror=alert(1)>", "'; DROP TABLE roi_drawing; --")


def test_patients_names_are_text_everywhere(
    unfinished: Path, serve, populate, visitor, shot
) -> None:
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str, keep_default_na=False)
    table.loc[:1, "patient_id"] = EVIL
    table.to_csv(unfinished / "cohort.csv", index=False)
    served = populate(serve(unfinished), **PEOPLE)
    alerts = []
    for name, path in (("anna", "/annotate"), ("rea", "/review")):
        page = visitor(served, name).new_page()
        page.on("dialog", lambda dialog: alerts.append(dialog.message) or dialog.dismiss())
        page.goto(path)
        if path == "/review":
            page.get_by_label("State").select_option("")
        for evil in EVIL:
            page.locator(".an-items button", has_text=evil).click()
            expect(page.get_by_role("heading", name=evil, exact=True)).to_be_visible()
            page.locator(f".an-viewer {SHOWN}").wait_for()
            if path == "/annotate":
                page.keyboard.press("g")
                expect(page.locator(".an-saved")).to_have_text(SAVED)
                page.keyboard.press("s")
                expect(page.locator(".an-saved")).to_have_text(SAVED)
            else:
                page.get_by_role("button", name="Accept", exact=True).click()
                page.locator(".an-accepted").first.wait_for()
        assert page.locator("img[src=x]").count() == 0
        shot(page, f"names-{name}")
    assert alerts == []
    text = (unfinished / "roi_reviews.csv").read_text()
    assert all(evil in text for evil in EVIL)
    with served.client("anna") as anna:
        states = [item["state"] for item in anna.get("/api/rois").json()["items"]]
        assert states[:2] == ["accepted", "accepted"]


def test_the_list_filters_and_folds_on_a_tablet(team, visitor, shot, accessible) -> None:
    page = visitor(team, "anna", viewport={"width": 820, "height": 1180}).new_page()
    page.goto("/annotate")
    page.locator(f".an-viewer {SHOWN}").wait_for()
    expect(page.get_by_label("Patient")).to_be_hidden()
    accessible(page)
    shot(page, "annotate-tablet")
    page.locator(".an-fold summary").click()
    page.get_by_label("Patient").fill("P00")
    names = page.locator(".an-items li:visible .an-name").all_inner_texts()
    assert names
    assert all("P00" in name for name in names)
    page.get_by_label("Patient").fill("nobody")
    page.get_by_text("No image fits.").wait_for()
    page.get_by_label("Patient").fill("")
    page.get_by_label("State").select_option("submitted")
    expect(page.locator(".an-items li:visible")).to_have_count(1)  # the one that is open
    expect(page.get_by_text(re.compile("0 of 24 finished"))).to_be_visible()
    page.get_by_label("State").select_option("")
    page.locator(".an-items button").nth(3).click()
    expect(page.get_by_label("Patient")).to_be_hidden()  # the image has the room again
    fourth = page.url
    page.get_by_role("button", name="Next image").click()
    assert page.url != fourth
    page.get_by_role("button", name="Previous image").click()
    assert page.url == fourth


def test_the_page_is_accessible(desk: Desk, accessible, shot) -> None:
    accessible(desk.page)
    desk.page.emulate_media(color_scheme="dark")
    shot(desk.page, "annotate-dark")
    desk.drag((100, 60), (180, 120))
    desk.saved()
    accessible(desk.page)
