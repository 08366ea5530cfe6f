"""The whole way as a new hospital goes it, in a browser: from the first link to the results."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import SHOWN
from playwright.sync_api import Page, expect
from served import PASSWORD

PEOPLE = {"anna": "annotator", "rea": "reviewer", "reed": "reader", "vi": "viewer"}


def make_first_account(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Name").fill("lead")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.locator(".ax-who").wait_for()


def make_accounts(page: Page) -> None:
    page.goto("/accounts")
    for name, role in PEOPLE.items():
        page.get_by_label("Name").fill(name)
        page.get_by_label("First password").fill(PASSWORD)
        page.get_by_label("Roles").last.click()
        page.get_by_role("option", name=role, exact=True).click()
        expect(page.locator(".q-select").last).to_contain_text(role)
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_have_count(0)  # no click while it closes
        page.get_by_role("button", name="Make the account").click()
        page.locator(".ax-name", has_text=name).wait_for()
        expect(page.get_by_label("Name")).to_have_value("")  # it is emptied for the next


def draw(page: Page, patients: int) -> list[str]:
    """Draw a rectangle with the mouse on the first, take the table's on others; hand all in."""
    page.goto("/annotate")
    drawn = []
    for number in range(patients):
        patient = page.get_by_role("heading", level=2).first.inner_text()
        stage = page.locator(".vw-stage")
        page.locator(SHOWN).wait_for()
        if number:
            page.get_by_role("button", name="Use the rectangle of").click()
        else:
            box = stage.bounding_box()
            middle, centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.mouse.move(middle - 80, centre - 60)
            page.mouse.down()
            page.mouse.move(middle + 80, centre + 60, steps=5)
            page.mouse.up()
        page.get_by_text("All changes are saved").wait_for()
        page.get_by_role("button", name="Hand in, and next").click()
        drawn.append(patient)
    return drawn


def review(page: Page, patients: list[str]) -> None:
    """Accept what somebody else drew, with the keyboard alone."""
    page.goto("/review")
    for patient in patients:
        page.get_by_role("heading", name=patient).wait_for()
        page.get_by_role("button", name="Accept").wait_for()
        page.keyboard.press("a")
    page.get_by_text(f"Agreement of readers ({len(patients)} images)").wait_for()


def accepted(study: Path) -> dict[str, list[int]]:
    with (study / "rois.csv").open(encoding="utf-8") as stream:
        return {
            row["image"]: [int(row[f"roi_{side}"]) for side in ("left", "top", "width", "height")]
            for row in csv.DictReader(stream)
        }


def run(study: Path) -> None:
    command = [sys.executable, "-c", "from axilla.cli.main import app; app()", "run", str(study)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def predict(page: Page, study: Path) -> float:
    """Predict a case of the study as if it were a new one; return the probability."""
    with (study / "cohort.csv").open(encoding="utf-8") as stream:
        row = next(csv.DictReader(stream))
    page.goto("/predict")
    page.get_by_label("Choose ultrasound images").set_input_files(study / row["ultrasound"])
    page.get_by_label("Choose pathology images").set_input_files(study / row["pathology"])
    page.locator(".pr-stage:not([hidden]) .vw-stage[data-shown]").wait_for()
    stage = page.locator(".vw-stage").bounding_box()
    middle, centre = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(middle - 60, centre - 50)
    page.mouse.down()
    page.mouse.move(middle + 60, centre + 50, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator(".pr-number").wait_for(timeout=90_000)  # the bundle is new: it is loaded first
    page.locator(".pr-map").nth(1).wait_for()
    said = page.locator(".pr-number").inner_text()
    return float(re.findall(r"\d+(?:\.\d+)?", said)[0])


def export_packets(page: Page, *, cases: int, reader: str) -> None:
    page.goto("/scoring")
    page.get_by_label("Cases").fill(str(cases))
    page.get_by_label("Readers").fill("1")
    page.get_by_role("button", name="Export packets").click()
    page.get_by_text(f"{cases} cases").first.wait_for()
    page.get_by_label("R1: Account").select_option(label=reader)
    page.get_by_text("Saved").wait_for()


def read(page: Page, shot) -> int:
    """Answer yes to every question of every case, and finish; return the number of cases."""
    page.goto("/reading")
    cases = 0
    while True:
        cases += 1
        page.locator(".rd-question").first.wait_for()
        for number in range(page.locator(".rd-question").count()):
            for button in page.locator(".rd-question").nth(number).locator(".rd-answer").all():
                if button.inner_text().strip() == "yes":
                    button.click()
        expect(page.locator(".rd-status")).to_have_text("Saved")
        if cases == 1:
            shot(page, "reading")
        if not page.locator("#rd-next").is_enabled():
            break
        place = page.locator("#rd-where").inner_text()
        page.keyboard.press("]")
        expect(page.locator("#rd-where")).not_to_have_text(place)
    page.locator("#rd-finish").click()
    page.locator("#rd-finish-yes").click()
    page.get_by_text("You have finished").wait_for()
    return cases


@pytest.mark.timeout(900)  # a whole study is run on the way
def test_from_the_first_link_to_the_results(
    tmp_path: Path, make_study, serve, visitor, shot
) -> None:
    study = make_study(tmp_path / "study", ("patients = 0", "patients = 24"))
    served = serve(study)
    lead = visitor(served).new_page()
    make_first_account(lead, served.setup)
    make_accounts(lead)
    anna = visitor(served, "anna").new_page()
    drawn = draw(anna, 3)
    shot(anna, "annotate")
    rea = visitor(served, "rea").new_page()
    review(rea, drawn)
    shot(rea, "review")
    assert len(accepted(study)) == len(drawn)
    run(study)
    vi = visitor(served, "vi").new_page()
    percent = predict(vi, study)
    assert 0 <= percent <= 100
    shot(vi, "predict")
    export_packets(lead, cases=5, reader="reed")
    reed = visitor(served, "reed").new_page()
    shown = read(reed, shot)
    assert shown >= 5
    lead.goto("/scoring")
    lead.get_by_role("button", name="Score the answers").click()
    lead.get_by_text("Do readers agree?").wait_for()
    shot(lead, "scoring")
    vi.goto("/results")
    vi.get_by_role("heading", name="Metrics").wait_for()
    vi.locator("svg").nth(2).wait_for()
    vi.mouse.wheel(0, 4000)
    vi.wait_for_load_state("networkidle")
    shot(vi, "results")
    lead.goto("/audit")
    lead.get_by_text("the log is as it was written").wait_for()
    shot(lead, "audit")
