"""Results in a real browser: charts by mouse and keyboard, cases, and a run's progress."""

import json
import re
import time
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

TABLET = {"width": 820, "height": 1180}


@pytest.fixture
def page(serve, populate, visitor, finished: Path):
    served = populate(serve(finished), vi="viewer", reed="reader")
    page = visitor(served, "vi").new_page()
    page.goto("/results")
    page.locator(".rs-gallery li").first.wait_for()
    page.locator(".rs-stage").nth(2).wait_for()
    return page


def test_the_answer_numbers_and_curves(page, finished: Path, accessible, shot) -> None:
    metrics = pd.read_csv(finished / "results" / "metrics.csv").set_index(["model", "metric"])
    expect(page.locator(".rs-lead")).to_contain_text("AUC")
    for model in ("multilayer", "ultrasound/plnet"):
        row = page.locator(f'tr[data-model="{model}"]')
        for metric in ("auc", "recall", "brier"):
            expected = f"{metrics.loc[(model, metric), 'value']:.3f}"
            expect(row.locator(f'[data-metric="{metric}"] span')).to_have_text(expected)
    for name in ("AUC", "Brier"):
        page.get_by_role("button", name=name, exact=True).click()
        order = page.locator(f'.rs-metrics [data-metric="{name.lower()}"] span').all_inner_texts()
        numbers = [float(text) for text in order]
        assert numbers == sorted(numbers, reverse=page.locator("[aria-sort=descending]").count())
    page.locator("#rs-family").select_option("ultrasound")
    assert {*page.locator(".rs-metrics tbody tr td:nth-child(3)").all_inner_texts()} == {
        "Ultrasound"
    }
    page.get_by_label("Draw PLNet, ultrasound").check()
    expect(page.locator(".rs-legend-list li").last).to_contain_text("PLNet, ultrasound")
    page.locator("summary", has_text="As a table").first.click()
    page.locator(".rs-figure .rs-table tbody tr").nth(20).wait_for()
    accessible(page)
    page.emulate_media(color_scheme="light")
    shot(page, "results")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(TABLET)
    shot(page, "results-tablet-dark")


def test_cases_behind_a_point_by_keyboard_and_by_mouse(page, accessible, shot, finished) -> None:
    table = pd.read_csv(finished / "results" / "predictions.csv", dtype={"patient_id": str})
    own = table[table["model"] == "multilayer"]
    roc = page.locator(".rs-stage").first
    roc.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    said = roc.get_attribute("aria-valuetext") or ""
    called = int(re.search(r"(\d+) of 24 called positive", said)[1])
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.locator(".rs-cases tbody tr").first.wait_for()
    counts = [
        int(re.search(r"\d+$", dialog.locator(f'[data-cell="{cell}"]').inner_text())[0])
        for cell in ("tp", "fp")
    ]
    assert sum(counts) == called
    highest = own.sort_values(["probability", "patient_id"], ascending=[False, True])
    listed = dialog.locator(".rs-cases .rs-link").all_inner_texts()
    assert set(listed[:called]) == set(highest["patient_id"].iloc[:called])
    accessible(page)
    page.emulate_media(color_scheme="light")
    shot(page, "results-cases")
    dialog.locator(".rs-cases .rs-link").first.click()
    dialog.locator(".rs-views img").nth(1).wait_for()
    for image in dialog.locator(".rs-views img").all():
        expect(image).to_have_js_property("complete", value=True)
        assert image.evaluate("image => image.naturalWidth") > 0
    accessible(page)
    page.emulate_media(color_scheme="light")
    shot(page, "results-case")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(roc).to_be_focused()
    bins = page.locator(".rs-stage").nth(1)
    dot = bins.locator("circle.rs-dot").first
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(bins.locator(".rs-tip")).to_contain_text("observed")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_role("dialog")).to_contain_text("of the calibration plot")


def test_odd_names_are_text(serve, populate, visitor, finished: Path) -> None:
    odd = '<img src=x onerror="document.title=666">'
    for name in ("predictions.csv", "splits.csv"):
        path = finished / "results" / name
        table = pd.read_csv(path, dtype={"patient_id": str})
        own = table[table["model"] == "multilayer"] if "model" in table else None
        if own is not None:
            first = own.sort_values("probability")["patient_id"].iloc[-1]
        table["patient_id"] = table["patient_id"].replace(first, odd)
        table.to_csv(path, index=False)
    served = populate(serve(finished), vi="viewer")
    page = visitor(served, "vi").new_page()
    page.goto("/results")
    page.locator(".rs-stage").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=odd).first.click()
    page.get_by_role("heading", name=odd).wait_for()
    assert "666" not in page.title()
    assert page.locator('img[src="x"]').count() == 0


def test_a_page_without_results_follows_the_run(  # noqa: PLR0917 - fixtures
    serve, populate, visitor, finished: Path, accessible, shot
) -> None:
    results = finished / "results"
    made = results.rename(finished / "kept")
    served = populate(serve(finished), vi="viewer")
    page = visitor(served, "vi").new_page()
    page.goto("/results")
    page.get_by_text("has not been run yet").wait_for()
    accessible(page)
    results.mkdir()
    tell(results, "running", done=2)
    page.goto("/results")
    expect(page.locator(".rs-run")).to_contain_text("Trials: 2 / 8 · about 30 s left")
    page.get_by_text("appear here when the run has finished").wait_for()
    accessible(page)
    page.emulate_media(color_scheme="light")
    shot(page, "results-running")
    tell(results, "running", done=6)
    expect(page.locator(".rs-run")).to_contain_text("Trials: 6 / 8")
    for path in made.glob("*.*"):
        (results / path.name).write_bytes(path.read_bytes())
    tell(results, "finished", done=8)
    page.locator(".rs-lead").wait_for()
    expect(page.locator(".rs-run")).to_be_hidden()
    tell(results, "failed", done=8, message="cohort.csv: found nothing; expected rows.")
    page.reload()
    expect(page.locator(".rs-run")).to_contain_text("cohort.csv: found nothing")
    tell(results, "running", done=3, ago=100)
    page.reload()
    expect(page.locator(".rs-run")).to_contain_text("ended without a word")
    accessible(page)


def tell(results: Path, state: str, *, done: int, message: str = "", ago: float = 0) -> None:
    now = time.time() - ago
    running = state == "running"
    run = {
        "state": state, "started": now - 60, "seen": now, "pid": 1, "message": message,
        "stage": {"name": "train", "seconds": 10.0} if running else None,
        "task": {"name": "Trials", "done": done, "total": 8, "seconds": done * 5.0}
        if running else None,
        "stages": [{"name": "check", "seconds": 4.0}],
        "planned": ["check", "train", "evaluate"],
    }  # fmt: skip
    (results / "progress.json").write_text(json.dumps(run), encoding="utf-8")


def test_readers_cannot_open_the_page(serve, populate, visitor, finished: Path) -> None:
    served = populate(serve(finished), reed="reader")
    page = visitor(served, "reed").new_page()
    page.goto("/results")
    page.get_by_text("reader; expected one who may").wait_for()
    assert page.locator("#results").count() == 0
