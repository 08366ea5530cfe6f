"""Reviewing in a real browser: the second look, disagreements, agreement."""

from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from axilla.cohort.roi_table import read_rois
from axilla.records.roi_rectangle import Roi

PEOPLE = {"anna": "annotator", "ben": "annotator reviewer", "rea": "reviewer", "sol": "reviewer"}
SHOWN = ".an-viewer .vw-stage[data-shown^=blob]"
SIDES = ("left", "top", "width", "height")


def rect(left: int, top: int = 60, width: int = 80, height: int = 60) -> dict[str, int]:
    return dict(zip(SIDES, (left, top, width, height), strict=True))


@pytest.fixture
def team(unfinished: Path, serve, populate):
    """Anna handed in the first four images; Ben the fifth."""
    served = populate(serve(unfinished), **PEOPLE)
    with served.client("anna") as anna, served.client("ben") as ben:
        items = anna.get("/api/rois").json()["items"]
        for number, item in enumerate(items[:5]):
            client = ben if number == 4 else anna
            path = f"/api/rois/{item['image']}"
            assert client.put(path, json={"version": 0, "roi": rect(100)}).status_code == 200
            assert client.post(f"{path}/submit", json={"version": 1}).status_code == 200
    return served


@pytest.fixture
def look(shot, accessible):
    """Return what keeps a picture of a page and has axe look at it."""

    def both(page: Page, name: str) -> None:
        accessible(page)
        shot(page, name)

    return both


@pytest.fixture
def keys(team) -> list[str]:
    with team.client("anna") as anna:
        return [item["image"] for item in anna.get("/api/rois").json()["items"]]


def opened(visitor, team, name: str, **more) -> Page:
    page = visitor(team, name, **more).new_page()
    page.goto("/review")
    page.locator(SHOWN).wait_for()
    return page


def key_of(page: Page) -> str:
    return str(page.evaluate("location.hash.slice(1)"))  # page.url lags behind


def drag(page: Page, start: tuple[int, int], end: tuple[int, int], *, width_px: int) -> None:
    place = page.locator(".an-viewer .vw-img").bounding_box()
    scale = place["width"] / width_px
    page.mouse.move(place["x"] + start[0] * scale, place["y"] + start[1] * scale)
    page.mouse.down()
    page.mouse.move(place["x"] + end[0] * scale - 3, place["y"] + end[1] * scale - 3)
    page.mouse.move(place["x"] + end[0] * scale, place["y"] + end[1] * scale)
    page.mouse.up()


def drawing(team, key: str) -> dict:
    with team.client("rea") as rea:
        return rea.get(f"/api/rois/{key}").json()["drawing"]


def width_of(team, key: str) -> int:
    with team.client("rea") as rea:
        return int(rea.get(f"/api/rois/{key}").json()["width"])


def test_a_second_person_accepts_and_redraws(team, keys, visitor, look, unfinished: Path) -> None:
    page = opened(visitor, team, "rea")
    assert key_of(page) == keys[0]
    expect(page.locator(".an-legend")).to_contain_text("First reader: anna")
    look(page, "review")
    page.keyboard.press("a")
    page.wait_for_url(f"**#{keys[1]}")
    page.locator(SHOWN).wait_for()
    assert drawing(team, keys[0])["decision"] == "accepted"
    # Redrawn a little to the side: accepted with the second rectangle.
    page.keyboard.press("r")
    drag(page, (110, 60), (190, 120), width_px=width_of(team, keys[1]))
    expect(page.locator(".an-iou")).to_have_text("IoU 0.78")
    look(page, "review-redraw")
    page.keyboard.press("s")
    page.wait_for_url(f"**#{keys[2]}")
    second = drawing(team, keys[1])
    assert (second["state"], second["decision"]) == ("accepted", "redrawn")
    assert second["standing"] == second["review_roi"] != second["roi"]
    # Redrawn elsewhere: a disagreement, listed with its IoU.
    page.locator(SHOWN).wait_for()
    page.get_by_role("button", name="Draw it again").click()
    drag(page, (160, 60), (240, 120), width_px=width_of(team, keys[2]))
    page.get_by_role("button", name="Save my rectangle").click()
    page.get_by_text("listed as a disagreement").wait_for()
    page.get_by_role("heading", name="Disagreements (1)").wait_for()
    expect(page.locator(".an-differ")).to_contain_text("IoU 0.14 · anna / rea")
    page.get_by_role("heading", name="Agreement of readers (3 images)").wait_for()
    expect(page.locator(".an-numbers")).to_contain_text("33 %")
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str)
    rows = read_rois(unfinished / "rois.csv")
    assert set(rows) == set(table["ultrasound"][:2])
    assert rows[table["ultrasound"][0]].roi == Roi(100, 60, 80, 60)
    look(page, "review-disagreement")


def test_nobody_is_offered_their_own(team, keys, visitor) -> None:
    page = opened(visitor, team, "ben")
    assert key_of(page) == keys[0]
    page.get_by_label("State").select_option("")
    page.locator(f"[data-image='{keys[4]}']").click()
    page.get_by_text("You drew this yourself").wait_for()
    expect(page.get_by_role("button", name="Accept", exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Draw it again")).to_be_hidden()
    page.keyboard.press("a")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert drawing(team, keys[4])["state"] == "submitted"
    page.keyboard.press("u")  # what waits for Ben does not include it
    for _ in range(5):
        page.keyboard.press("u")
        assert key_of(page) != keys[4]


@pytest.fixture(params=["first", "second", "drawn"])
def how(request) -> str:
    return str(request.param)


def test_a_disagreement_is_settled_by_a_third(
    team, keys, visitor, unfinished: Path, how: str
) -> None:
    with team.client("rea") as rea:
        said = {"version": 2, "verdict": "redraw", "roi": rect(200)}
        assert rea.post(f"/api/rois/{keys[0]}/review", json=said).status_code == 200
    mine = opened(visitor, team, "rea")
    mine.locator(".an-differ button").click()
    mine.locator(SHOWN).wait_for()
    expect(mine.get_by_role("button", name="The first is right")).to_be_hidden()
    page = opened(visitor, team, "lead" if how != "second" else "sol")
    page.locator(".an-differ button").click()
    page.get_by_text("Two readers disagree.").wait_for()
    if how == "drawn":
        page.get_by_role("button", name="Draw a third").click()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Save my rectangle").click()
    else:
        page.keyboard.press("1" if how == "first" else "2")
    page.get_by_role("heading", name="Disagreements (0)").wait_for()
    settled = drawing(team, keys[0])
    assert (settled["state"], settled["decision"]) == ("accepted", "settled")
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str)
    roi = read_rois(unfinished / "rois.csv")[table["ultrasound"][0]].roi
    assert [roi.left_px, roi.top_px, roi.width_px, roi.height_px] == [
        settled["standing"][side] for side in SIDES
    ]
    if how != "drawn":
        assert settled["standing"] == rect(100 if how == "first" else 200)


def test_what_changed_meanwhile_is_not_accepted(team, keys, visitor) -> None:
    page = opened(visitor, team, "rea")
    with team.client("anna") as anna:
        path = f"/api/rois/{keys[0]}"
        anna.post(f"{path}/reopen", json={"version": 2})
        anna.put(path, json={"version": 3, "roi": rect(10)})
        anna.post(f"{path}/submit", json={"version": 4})
    page.keyboard.press("a")
    page.get_by_text("Somebody else changed this meanwhile").wait_for()
    assert drawing(team, keys[0])["state"] == "submitted"
    expect(page.locator(".an-viewer .vw-size")).to_contain_text("(at 10, 60)")
    page.keyboard.press("a")
    page.wait_for_url(f"**#{keys[1]}")
    assert drawing(team, keys[0])["standing"] == rect(10)


def test_a_rectangle_is_not_left_unsaved_unasked(team, keys, visitor) -> None:
    page = opened(visitor, team, "rea")
    answers = [False, True]
    asked = []

    def answer(dialog) -> None:
        asked.append(dialog.message)
        if answers.pop(0):
            dialog.accept()
        else:
            dialog.dismiss()

    page.on("dialog", answer)
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    size = page.locator(".an-viewer .vw-size").inner_text()
    page.keyboard.press("n")
    assert key_of(page) == keys[0]
    assert page.locator(".an-viewer .vw-size").inner_text() == size
    page.locator(f"[data-image='{keys[2]}']").click()
    assert key_of(page) == keys[2]
    assert asked == ["Leave without saving your rectangle?"] * 2
    assert drawing(team, keys[0])["state"] == "submitted"


def test_a_lost_mask_is_told(team, visitor) -> None:
    page = opened(visitor, team, "rea")
    page.get_by_role("button", name="Accept", exact=True).click()
    page.get_by_text("The outline of this lesion does not fit").wait_for()


def test_an_accepted_one_is_opened_again_and_logged(team, keys, visitor) -> None:
    page = opened(visitor, team, "rea")
    page.keyboard.press("a")
    page.wait_for_url(f"**#{keys[1]}")
    page.get_by_label("State").select_option("accepted")
    page.locator(f"[data-image='{keys[0]}']").click()
    page.get_by_role("button", name="Open again").click()
    page.get_by_text("Not handed in yet.").wait_for()
    with team.client("lead") as lead:
        actions = [one["action"] for one in lead.get(f"/api/rois/{keys[0]}/history").json()]
        assert actions == ["save", "submit", "accept", "reopen"]
        log = [one["action"] for one in lead.get("/api/audit").json()["entries"]]
        assert {"roi.reopen", "roi.review", "roi.view", "roi.agreement"} <= set(log)


def test_review_on_a_tablet_in_the_dark(team, visitor, look) -> None:
    page = opened(
        visitor, team, "rea", viewport={"width": 820, "height": 1180}, color_scheme="dark"
    )
    look(page, "review-tablet-dark")
