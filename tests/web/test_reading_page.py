"""Reading in a real browser: by keyboard alone, resumed, and with all its traffic searched."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from served import PASSWORD

TABLET = {"width": 820, "height": 1180}


@pytest.fixture
def reading(serve, populate, mapped: Path):
    """A server with seven cases exported, reed reading R1."""
    served = populate(serve(mapped), reed="reader", rex="reader", vi="viewer")
    with served.client("lead") as lead:
        lead.post("/api/readings/exports", json={"cases": 7, "readers": 2})
        for _ in range(300):
            study = lead.get("/api/readings").json()
            if study["job"]["state"] == "done":
                break
            time.sleep(0.1)
        ids = {one["name"]: one["id"] for one in study["candidates"]}
        given = lead.put("/api/readings/readers/R1", json={"user_id": ids["reed"]})
        assert given.status_code == 204
    return served, mapped


def here(page: Page) -> str:
    return page.locator("#rd-where").inner_text()


def answer_the_case(page: Page) -> None:
    """Answer the three questions of a case with single keys: yes and a match, no, no."""
    for key in "yynn":
        page.keyboard.press(key)
    expect(page.locator(".rd-question.rd-whole")).to_have_count(3)
    expect(page.locator(".rd-status")).to_have_text("Saved")


def test_five_cases_by_keyboard_then_stop_and_resume(reading, visitor, accessible, shot) -> None:
    served, _ = reading
    context = visitor(served, "reed")
    page = context.new_page()
    page.goto("/reading")
    page.locator(".rd-question").first.wait_for()
    expect(page.locator("details.rd-guide")).to_have_attribute("open", "")
    accessible(page)
    page.emulate_media(color_scheme="light")
    shot(page, "reading")
    for number in range(1, 6):
        expect(page.locator("#rd-where")).to_have_text(re.compile(rf"Case {number} of \d+"))
        answer_the_case(page)
        page.keyboard.press("]")
    page.locator(".rd-map img").first.wait_for()
    page.keyboard.press("m")
    assert page.locator(".rd-map img").first.evaluate("image => image.style.opacity") == "0"
    page.keyboard.press("m")
    page.keyboard.press("-")
    expect(page.locator("output").first).to_have_text("60 %")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(TABLET)
    shot(page, "reading-tablet-dark")
    expect(page.locator("#rd-where")).to_have_text(re.compile("Case 6"))
    page.close()
    # Another day, another browser.
    page = visitor(served, "reed").new_page()
    page.goto("/reading")
    expect(page.locator("#rd-where")).to_have_text(re.compile("Case 6"))
    expect(page.locator("#rd-count")).to_contain_text("5 of ")
    page.keyboard.press("[")
    expect(page.locator("#rd-where")).to_have_text(re.compile("Case 5"))
    expect(page.locator('.rd-answer[aria-pressed="true"]')).to_have_count(4)


def test_single_keys_can_be_switched_off(reading, visitor) -> None:
    served, _ = reading
    page = visitor(served, "reed").new_page()
    page.goto("/reading")
    page.locator(".rd-question").first.wait_for()
    page.get_by_label("Single keys").uncheck()
    page.locator(".rd-answer").first.focus()
    page.keyboard.press("y")
    expect(page.locator('.rd-answer[aria-pressed="true"]')).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator('.rd-answer[aria-pressed="true"]')).to_have_count(1)


def test_two_windows_do_not_overwrite_each_other(reading, visitor) -> None:
    served, _ = reading
    context = visitor(served, "reed")
    one, other = context.new_page(), context.new_page()
    for page in (one, other):
        page.goto("/reading")
        page.locator(".rd-question").first.wait_for()
    assert here(one) == here(other)
    one.keyboard.press("n")
    expect(one.locator(".rd-status")).to_have_text("Saved")
    other.keyboard.press("y")
    other.get_by_role("alert").get_by_text("Another window").wait_for()
    pressed = other.locator('.rd-answer[aria-pressed="true"]')
    expect(pressed).to_have_count(1)
    expect(pressed).to_have_text("no")
    other.locator(".rd-answer").first.click()
    expect(other.locator(".rd-status")).to_have_text("Saved")


def test_answers_wait_for_a_server_that_is_away(reading, visitor) -> None:
    served, _ = reading
    context = visitor(served, "reed")
    page = context.new_page()
    page.goto("/reading")
    page.locator(".rd-question").first.wait_for()
    context.set_offline(True)
    page.keyboard.press("n")
    expect(page.locator(".rd-status")).to_contain_text("Not saved yet")
    context.set_offline(False)
    expect(page.locator(".rd-status")).to_have_text("Saved", timeout=15_000)
    with served.client("reed") as client:
        cases = client.get("/api/readings/mine").json()["cases"]
        assert sum(one["answered"] for one in cases) == 1


def test_a_whole_session_leaks_nothing(reading, visitor, shot) -> None:
    """Everything that reaches the browser, sockets included, from signing in to the end."""
    served, study = reading
    context = visitor(served)
    traffic: list[tuple[str, bytes]] = []
    page = context.new_page()
    page.on("response", lambda response: traffic.append(heard(response)))
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived",
            lambda frame: traffic.append(
                (socket.url, frame if isinstance(frame, bytes) else frame.encode())
            ),
        ),
    )
    page.goto("/login")
    page.get_by_label("Name").fill("reed")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".rd-question").first.wait_for()
    for _ in range(20):
        if page.locator("#rd-finish").count():
            break
        answer_the_case(page)
        if page.locator("#rd-next").is_enabled():
            page.keyboard.press("]")
            page.locator("#rd-where").wait_for()
            expect(page.locator(".rd-question.rd-whole")).to_have_count(0)
    page.locator("#rd-finish").click()
    page.locator("#rd-finish-yes").click()
    page.get_by_text("You have finished").wait_for()
    shot(page, "reading-finished")
    for path in ("/results", "/scoring", "/account"):
        page.goto(path)
        page.locator("main").wait_for()
    assert any(url.endswith("/map") for url, _ in traffic)
    assert any(url.startswith("ws") for url, _ in traffic)
    hidden = secrets(study)
    for url, body in traffic:
        if "/_nicegui/" in url and not url.startswith("ws"):
            continue  # the framework's own files, the same for everybody
        text = body.decode("utf-8", "replace") + url
        assert not hidden.findall(text), (url, hidden.findall(text))


def heard(response) -> tuple[str, bytes]:
    headers = json.dumps(response.headers).encode()
    if response.status in range(300, 400):
        return response.url, headers
    body = response.body()
    if body.startswith(b"\x89PNG"):
        # Pixels may spell anything by chance; whatever else a PNG can hold must not be there.
        assert not {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"} & set(chunks(body))
        return response.url, headers
    return response.url, headers + body


def chunks(png: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(png):
        yield png[at + 4 : at + 8]
        at += 12 + int.from_bytes(png[at : at + 4], "big")


def secrets(study: Path) -> re.Pattern[str]:
    cohort = pd.read_csv(study / "cohort.csv", dtype=str)
    key = json.loads((study / "results/review/key.json").read_text(encoding="utf-8"))
    columns = ("patient_id", "pathology_donor", "ultrasound", "ultrasound_mask", "pathology")
    words = [str(value) for column in columns for value in cohort[column].dropna().unique()]
    words += [Path(name).name for name in words if "/" in name]
    words += ["decoy", "multilayer", "malignant", "benign", "gradcam", key["packet"], str(study)]
    words += ["probability", '"R2"', "Small study"]
    return re.compile("|".join(re.escape(word) for word in words))


def test_the_lead_exports_gives_out_and_scores(  # noqa: PLR0917 - fixtures
    serve, populate, mapped, visitor, accessible, shot
) -> None:
    served = populate(serve(mapped), reed="reader", rex="reader")
    page = visitor(served, "lead").new_page()
    page.goto("/scoring")
    page.get_by_text("No packets yet").wait_for()
    accessible(page)
    page.get_by_label("Cases").fill("6")
    page.get_by_role("button", name="Export packets").click()
    page.get_by_text("6 cases, 3 of them once more").wait_for()
    for reader, name in (("R1", "reed"), ("R2", "rex")):
        page.get_by_label(f"{reader}: Account").select_option(label=name)
        page.get_by_text("Saved").wait_for()
    for name in ("reed", "rex"):
        with served.client(name) as client:
            cases = client.get("/api/readings/mine").json()["cases"]
            for number, one in enumerate(sorted(cases, key=lambda one: one["code"])):
                case = client.get(f"/api/readings/mine/cases/{one['code']}").json()
                given = [
                    answer | {"present": bool(here % 2), "matches": True if here % 2 else None}
                    for here, answer in enumerate(case["answers"], start=number)
                ]
                body = {"version": case["version"], "answers": given}
                client.put(f"/api/readings/mine/cases/{one['code']}", json=body)
            client.post("/api/readings/mine/finish")
    page.reload()
    expect(page.get_by_role("button", name="Open again: R1")).to_be_visible()
    page.locator("#sc-score").click()
    page.get_by_role("heading", name="Do readers agree?").wait_for()
    accessible(page)
    page.emulate_media(color_scheme="light")
    shot(page, "scoring")
    kappa = pd.read_csv(mapped / "results/review/agreement.csv").query("measure == 'kappa'")
    expect(page.locator(".sc-table").nth(1)).to_contain_text(f"{kappa['value'].iloc[0]:.2f}")
    page.get_by_role("button", name="Open again: R1").click()
    expect(page.get_by_role("button", name="Open again: R1")).to_have_count(0)
