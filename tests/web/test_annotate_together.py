"""Annotating together: two at one image, servers that go away, sessions that end."""

import json
import os
import signal
from pathlib import Path

import pandas as pd
import pytest
from drawing import PEOPLE, SAVED, SHOWN, SIDES, Desk
from playwright.sync_api import expect
from served import PASSWORD


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
        expect(ben.page.locator(".an-viewer .vw-size")).to_contain_text(f"{first[2]} × ")  # noqa: RUF001
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
