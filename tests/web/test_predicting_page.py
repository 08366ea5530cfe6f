"""The page of predictions in a real browser: by mouse, by keyboard, on paper."""

import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from axilla.inference.bundle import read_bundle

METRICS = {
    *("auc", "recall", "specificity", "precision", "npv", "accuracy", "brier"),
    *("calibration_slope", "calibration_intercept"),
}
SPY = """
const sending = window.fetch;
window.fetch = (path, options) => {
  if (path === "/api/predict") {
    window.sent = [...options.body.entries()].map(([name, value]) => [name, value.name ?? value]);
  }
  return sending(path, options);
};
"""
TABLET = {"width": 820, "height": 1180}


@pytest.fixture
def row(run_once: Path) -> dict[str, str]:
    table = pd.read_csv(run_once / "cohort.csv", dtype=str, keep_default_na=False)
    return {name: str(run_once / value) for name, value in table.iloc[0].items() if "/" in value}


def opened(visitor, clinic, name: str = "vi", **more) -> Page:
    context = visitor(clinic, name, **more)
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page = context.new_page()
    page.goto("/predict")
    return page


def choose(page: Page, row: dict[str, str]) -> None:
    page.get_by_label("Choose ultrasound images").set_input_files(row["ultrasound"])
    page.get_by_label("Choose pathology images").set_input_files(row["pathology"])
    page.locator(".pr-preview img").wait_for()
    page.locator(".pr-stage:not([hidden])").wait_for()


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator(".pr-number").wait_for()


@pytest.mark.timeout(600)
def test_a_case_from_images_to_paper(clinic, visitor, row, accessible, shot) -> None:
    page = opened(visitor, clinic)
    accessible(page)
    choose(page, row)
    stage = page.locator(".vw-stage")
    stage.focus()
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Alt+ArrowDown")
    drawn = page.locator(".vw-size").inner_text()
    assert re.match(r"\d+ \S \d+ px", drawn)
    page.evaluate(SPY)
    predict(page)
    sent = dict(page.evaluate("window.sent"))
    left, top, width, height = sent["roi"].split(",")
    assert re.findall(r"\d+", drawn) == [width, height, left, top]
    for kind in ("ultrasound", "pathology"):
        assert sent[kind] == f"image{Path(row[kind]).suffix}"
    expect(page.locator(".pr-result")).to_contain_text("Of 100 training patients 50 had")
    expect(page.locator(".pr-result")).to_contain_text("no lesion mask")
    bundle = Path(row["ultrasound"]).parents[1] / "results" / "bundle.axilla"
    known = {one.metric for one in read_bundle(bundle).manifest.performance}
    rows = page.locator(".pr-performance tbody tr")
    expect(rows).to_have_count(len(METRICS & known))  # what is undefined in so few has no row
    slider = page.get_by_label("Opacity of the heatmaps")
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    maps = page.locator(".pr-map")
    expect(maps).to_have_count(2)
    for place in range(2):
        assert maps.nth(place).evaluate("e => getComputedStyle(e).opacity") == "0"
    page.keyboard.press("End")
    assert maps.first.evaluate("e => getComputedStyle(e).opacity") == "1"
    accessible(page)
    shot(page, "predict-desktop")
    page.set_viewport_size(TABLET)
    shot(page, "predict-tablet")
    sheet = page.pdf(prefer_css_page_size=True)
    assert re.findall(rb"/Count (\d+)", sheet) == [b"1"]
    page.emulate_media(media="print")
    for hidden in (".pr-case", ".pr-saved", ".pr-actions", ".ax-head", ".pr-slider"):
        assert not page.locator(hidden).first.is_visible()
    said = page.locator(".pr-result").inner_text()
    number = page.locator(".pr-number").inner_text()
    assert number in said
    for wanted in ("Research use only", "bundle.axilla, digest", "axilla 0.", "Small study"):
        assert wanted in said
    assert Path(row["ultrasound"]).stem not in said


@pytest.mark.timeout(600)
def test_a_saved_prediction_is_listed_shown_and_deleted(clinic, visitor, row) -> None:
    page = opened(visitor, clinic, "vera")
    choose(page, row)
    predict(page)
    number = page.locator(".pr-number").inner_text()
    page.get_by_label("Name for it").fill("case seven")
    page.get_by_role("button", name="Save this prediction").click()
    page.get_by_role("button", name="Show case seven").wait_for()
    page.reload()
    page.get_by_role("button", name="Show case seven").click()
    expect(page.locator(".pr-number")).to_have_text(number)
    expect(page.locator(".pr-map")).to_have_count(2)
    assert page.get_by_role("button", name="Save this prediction").count() == 0
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete case seven").click()
    expect(page.locator(".pr-saved")).to_contain_text("None.")


@pytest.mark.timeout(600)
def test_what_is_wrong_is_said_where_it_is_wrong(clinic, visitor, row, tmp_path: Path) -> None:
    page = opened(visitor, clinic)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(".pr-case > .fault")).to_contain_text("Choose an image")
    broken = tmp_path / "patient-name.png"
    broken.write_bytes(b"no image")
    page.get_by_label("Choose ultrasound images").set_input_files(broken)
    fault = page.locator(".pr-card").first.locator(".fault[role=alert]:visible")
    expect(fault).to_contain_text("another kind")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(fault).to_contain_text("another kind")
    page.get_by_role("button", name="Remove image 1").click()
    expect(fault).to_have_count(0)
    choose(page, row)
    predict(page)
    page.goto(f"{clinic.url}/language/zh?next=/predict")
    page.locator("input[type=file]").first.set_input_files(broken)
    expect(fault).to_contain_text("其他类型或已损坏的文件")


def test_without_a_bundle_the_page_says_so(office, visitor) -> None:
    context = visitor(office, "vi")
    page = context.new_page()
    page.goto("/predict")
    expect(page.locator("#content")).to_contain_text("no bundle that can be read")


@pytest.mark.timeout(300)
def test_warnings_are_said_in_chinese(clinic, visitor, row) -> None:
    page = opened(visitor, clinic)
    page.context.add_cookies([{"name": "axilla_language", "value": "zh", "url": clinic.url}])
    page.reload()
    page.get_by_label("选择超声图像").set_input_files(row["ultrasound"])
    page.locator(".pr-stage:not([hidden])").wait_for()
    page.locator(".pr-go button").click()
    expect(page.locator(".pr-warnings")).to_contain_text("缺少病理")
    expect(page.locator(".pr-warnings")).not_to_contain_text("predicted from the rest")
