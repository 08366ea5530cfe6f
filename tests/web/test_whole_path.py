"""The whole way as a new hospital goes it, in a browser: from the first link to the results."""

import csv
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page

PASSWORD = "correct horse battery staple"
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
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Make the account").click()
        page.locator(".ax-name", has_text=name).wait_for()


def draw(page: Page, patients: int) -> list[str]:
    """Draw a rectangle with the mouse on the first, take the table's on others; hand all in."""
    page.goto("/annotate")
    drawn = []
    for number in range(patients):
        patient = page.get_by_role("heading", level=2).first.inner_text()
        stage = page.locator(".vw-stage")
        stage.wait_for()
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


def test_from_the_first_link_to_the_results(unfinished: Path, serve, visitor, shot) -> None:
    served = serve(unfinished)
    lead = visitor(served).new_page()
    make_first_account(lead, served.setup)
    make_accounts(lead)
    anna = visitor(served, "anna").new_page()
    drawn = draw(anna, 3)
    shot(anna, "annotate")
    rea = visitor(served, "rea").new_page()
    review(rea, drawn)
    shot(rea, "review")
    assert len(accepted(unfinished)) == len(drawn)
    run(unfinished)
