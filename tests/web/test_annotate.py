"""Annotating in a real browser, with mouse, pen, fingers or the keyboard alone."""

import re
from pathlib import Path

import pandas as pd
import pytest
from drawing import PEOPLE, SHOWN, SIDES, Desk
from playwright.sync_api import expect


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
    expect(page.locator(".an-viewer .vw-size")).to_have_text(told)
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
    fourth = page.evaluate("location.href")
    page.get_by_role("button", name="Next image").click()
    assert page.evaluate("location.href") != fourth
    page.get_by_role("button", name="Previous image").click()
    assert page.evaluate("location.href") == fourth


def test_the_page_is_accessible(desk: Desk, accessible, shot) -> None:
    accessible(desk.page)
    desk.page.emulate_media(color_scheme="dark")
    shot(desk.page, "annotate-dark")
    desk.drag((100, 60), (180, 120))
    desk.saved()
    accessible(desk.page)
