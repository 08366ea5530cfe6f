import base64
import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from lxml import html
from PIL import Image

from axilla.config.load import read_study
from axilla.records.errors import Problem
from axilla.records.findings import by_severity, error, warning
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import RunFolder
from axilla.report.images import contact_sheet
from axilla.report.images.contact_sheet import write_contact_sheet
from axilla.report.images.thumbnails import OVERVIEW_SIDE_PX, overview


@pytest.fixture(scope="module")
def made(tmp_path_factory, make_study):
    return make_study(tmp_path_factory.mktemp("sheet") / "study")


@pytest.fixture
def study(made, tmp_path):
    """A study folder of 24 sample cases that a test may spoil; its images are shared."""
    for name in ("study.toml", "cohort.csv"):
        shutil.copy(made / name, tmp_path / name)
    shutil.copytree(made / "images", tmp_path / "images")
    return tmp_path


def table_of(root):
    return pd.read_csv(root / "cohort.csv", dtype=str, keep_default_na=False)


def about(row, code="image_blurred", *, kind=warning, column="ultrasound", more=()):
    """A finding on the image that the table lists in `row`, counted from 0."""
    found = f"{row[column]!r}, too little to see"
    place = f"cohort.csv, row {row.name + 2}, column {column}"
    problem = Problem(place, found, "a sharp image", "Export it again.")
    return kind(code, problem, patients=[row["patient_id"], *more])


def sheet_of(root, findings, **summary):
    lists = by_severity(findings)
    counts = {"in_table": 24, "positive": 12, "negative": 12, "images": 48, **summary}
    folder = RunFolder(root)
    folder.write_json("check.json", {**lists, "summary": counts})
    path = write_contact_sheet(read_study(root / "study.toml"), folder)
    assert path == root / "results" / "check.html"
    return html.fromstring(path.read_text(encoding="utf-8"))


def text_of(node):
    return " ".join(node.text_content().split())


def pictured(node):
    """The alternative texts of the images inside a node."""
    return [image.get("alt") for image in node.iter("img")]


def decoded(image):
    kind, _, content = image.get("src").partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_findings_stand_grouped_with_title_explanation_remedy_and_images(study):
    rows = table_of(study)
    findings = [
        about(rows.loc[0]),
        about(rows.loc[1]),
        about(rows.loc[2], "image_blank", kind=error, column="pathology"),
        warning("sparse", Problem("cohort.csv, column age", "13 of 24 empty", "most", "Leave out")),
    ]
    page = sheet_of(study, findings)
    assert [text_of(h) for h in page.iter("h2", "h3")] == [
        "✗Errors: the study does not run",
        "Image without content",
        "!Warnings: they limit what it can show",
        "Blurred image",
        "Clinical column mostly empty",
        "Without a finding",
    ]
    blank, blurred, sparse = page.iter("article")
    assert pictured(blank) == [f"Pathology of patient {rows.patient_id[2]}"]
    assert pictured(blurred) == [f"Ultrasound of patient {p}" for p in rows.patient_id[:2]]
    assert pictured(sparse) == []
    assert text_of(blurred).count("Export it again.") == 1
    assert "2 findings, 2 patients" in text_of(blurred)
    assert "too little to see cohort.csv, row 3, column ultrasound" in text_of(blurred)
    assert "Fine structure" in text_of(blurred)
    assert "13 of 24 empty" in text_of(sparse)
    assert "24 patients 12 positive, 12 negative 48 images 1 error 3 warnings" in " ".join(
        text_of(span) for span in page.xpath("//header//span[not(@class)]")
    )


def test_the_images_of_one_finding_stand_side_by_side(study):
    rows = table_of(study)
    found = f"{rows.ultrasound[3]!r}, the same picture as {rows.ultrasound[7]!r} of "
    problem = Problem("cohort.csv, row 5, column ultrasound", f"{found}{rows.patient_id[7]}", "-")
    finding = error("image_duplicate", problem, patients=list(rows.patient_id[[3, 7]]))
    (card,) = sheet_of(study, [finding]).xpath("//article//li[@class='card']")
    assert pictured(card) == [f"Ultrasound of patient {p}" for p in rows.patient_id[[3, 7]]]
    assert [text_of(name) for name in card.iter("strong")] == list(rows.patient_id[[3, 7]])


def test_only_the_image_that_a_finding_names_is_shown(study):
    rows = table_of(study)
    names = f"{rows.ultrasound[0]};{rows.ultrasound[1]}"
    rows.loc[0, ["ultrasound", "ultrasound_mask"]] = names, ""
    rows.to_csv(study / "cohort.csv", index=False)
    row = rows.loc[0].copy()
    row["ultrasound"] = table_of(study).ultrasound[1]
    page = sheet_of(study, [about(row)])
    (image,) = page.xpath("//article//img")
    with Image.open(study / row["ultrasound"]) as original:
        wide = original.width / original.height
    assert int(image.get("width")) / int(image.get("height")) == pytest.approx(wide, rel=0.02)


def test_a_large_group_is_cut_and_counted(study):
    rows = table_of(study)
    page = sheet_of(study, [about(rows.loc[i % 24]) for i in range(60)])
    (article,) = page.iter("article")
    assert len(pictured(article)) == contact_sheet.MOST_PICTURES == 24
    assert len(article.xpath(".//ul[@class='lines']/li")) == 12
    assert "And 24 more, all in results/check.json." in text_of(article)
    assert page.xpath("//section[@id='clean']") == []


def test_a_full_page_takes_no_more_images(study, monkeypatch):
    rows = table_of(study)
    monkeypatch.setattr(contact_sheet, "MOST_BYTES", 60_000)
    page = sheet_of(study, [about(rows.loc[i]) for i in range(24)])
    size = (study / "results" / "check.html").stat().st_size
    assert 4 <= len(pictured(page)) < 24
    assert size < 60_000 + 40_000
    assert "And 1 more" in text_of(page) or len(page.xpath("//ul[@class='lines']/li")) == 12


def test_names_and_reasons_cannot_become_markup(study):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    rows = table_of(study)
    rows.loc[0, "patient_id"] = evil
    rows.to_csv(study / "cohort.csv", index=False)
    toml = (study / "study.toml").read_text(encoding="utf-8")
    named = toml.replace('name = "Small study"', f"name = '{evil}'")
    assert named != toml
    (study / "study.toml").write_text(named, encoding="utf-8")
    problem = Problem(evil, evil, expected=evil, remedy=evil)
    findings = [about(rows.loc[0]), error("roi", problem, patients=[evil])]
    page = sheet_of(study, findings)
    assert page.xpath("//script") == []
    assert page.xpath("//@onerror") == []
    assert pictured(page)[0] == f"Ultrasound of patient {evil}"
    assert text_of(page.xpath("//h1")[0]) == f"{evil}: what check found"


def test_the_page_needs_nothing_else_and_says_what_it_is(study):
    rows = table_of(study)
    page = sheet_of(study, [about(rows.loc[0])])
    source = (study / "results" / "check.html").read_text(encoding="utf-8")
    assert all(image.get("src").startswith("data:image/jpeg") for image in page.iter("img"))
    assert page.xpath("//script | //link | //iframe") == []
    assert re.findall(r"https?://|@import|url\(", source) == []
    assert str(study) not in source
    shown = {alt.rpartition(" ")[2] for alt in pictured(page)}
    assert len(shown) == 13
    words = text_of(page)
    assert words.count("Research use only") >= 2
    assert "holds images of 13 patients" in words
    assert "results/check.html of the study folder" in words
    ids = {node.get("id") for node in page.xpath("//*[@id]")}
    assert all(link.get("href").lstrip("#") in ids for link in page.iter("a"))


def test_the_last_section_samples_patients_whom_nothing_names(study):
    rows = table_of(study)
    named = list(rows.patient_id[:4])
    problem = Problem("cohort.csv", "4 of 24 without clinical", "-")
    page = sheet_of(study, [warning("modality_missing", problem, patients=named)])
    (clean,) = page.xpath("//section[@id='clean']")
    cards = clean.xpath(".//li[@class='card']")
    assert len(cards) == 12
    assert all(len(pictured(card)) == 2 for card in cards)
    sampled = [text_of(card.xpath(".//strong")[0]) for card in cards]
    assert not {*sampled} & {*named}
    places = [list(rows.patient_id).index(patient) for patient in sampled]
    assert places == sorted(places)
    assert places[-1] - places[0] > 15


def test_an_image_that_cannot_be_read_is_a_line(study):
    rows = table_of(study)
    (study / rows.ultrasound[0]).write_bytes(b"no image")
    page = sheet_of(study, [about(rows.loc[0], "image_unreadable", kind=error)])
    (article,) = page.iter("article")
    assert pictured(article) == []
    assert rows.ultrasound[0] in text_of(article)


def test_accepted_findings_show_their_reason_instead_of_a_remedy(study):
    rows = table_of(study)
    found = about(rows.loc[0]).as_json() | {"severity": "accepted", "reason": "looked at by two"}
    folder = RunFolder(study)
    folder.write_json("check.json", {"errors": [], "warnings": [], "accepted": [found]})
    path = write_contact_sheet(read_study(study / "study.toml"), folder)
    (article,) = html.fromstring(path.read_text(encoding="utf-8")).iter("article")
    assert "Accepted because looked at by two" in text_of(article)
    assert "Export it again." not in text_of(article)
    assert len(pictured(article)) == 1


@pytest.mark.parametrize("content", ["", None])
def test_without_a_table_the_page_holds_the_findings(study, content):
    if content is None:
        (study / "cohort.csv").unlink()
    else:
        (study / "cohort.csv").write_text(content)
    problem = Problem("cohort.csv", "an empty file", "a table", "Fill it in.")
    page = sheet_of(study, [error("table", problem)], in_table=0)
    assert "an empty file" in text_of(page)
    assert pictured(page) == []
    assert "holds images" not in text_of(page)


def test_no_finding_is_said(study):
    page = sheet_of(study, [])
    assert "Nothing was found." in text_of(page)
    assert len(pictured(page)) == 24


def test_equal_findings_give_equal_bytes(study):
    rows = table_of(study)
    files = []
    for _ in range(2):
        sheet_of(study, [about(rows.loc[0])])
        files.append((study / "results" / "check.html").read_bytes())
    assert files[0] == files[1]


def yellow(thumbnail):
    content = base64.b64decode(thumbnail.uri.partition(",")[2])
    red, green, blue = np.moveaxis(np.asarray(Image.open(io.BytesIO(content))).astype(int), 2, 0)
    return np.argwhere((red > 150) & (green > 120) & (blue < 110))


def test_an_overview_shows_the_whole_image_with_its_rectangle():
    gray = np.full((480, 640, 3), 90, dtype=np.uint8)
    small = overview(gray, roi=Roi(160, 120, 320, 200))
    assert (small.width_px, small.height_px) == (OVERVIEW_SIDE_PX, 120)
    marked = yellow(small)
    assert marked.min(axis=0) == pytest.approx([30, 40], abs=1)
    assert marked.max(axis=0) == pytest.approx([79, 119], abs=1)
    assert len(yellow(overview(gray))) == 0


def test_a_mask_is_outlined_where_it_ends():
    gray = np.full((480, 640, 3), 90, dtype=np.uint8)
    rows, columns = np.ogrid[:480, :640]
    mask = (rows - 240) ** 2 + (columns - 320) ** 2 < 120**2
    marked = yellow(overview(gray, mask=mask))
    distances = np.hypot(*(marked - [60, 80]).T)
    assert len(marked) > 100
    assert distances.min() > 27
    assert distances.max() < 33
    assert len(yellow(overview(gray, mask=mask[:100]))) == 0


def test_a_sheet_of_the_sample_is_small(study):
    rows = table_of(study)
    sheet_of(study, [about(rows.loc[i % 24], code) for code in ("doppler", "roi_small")
                     for i in range(40)])  # fmt: skip
    content = (study / "results" / "check.html").read_text(encoding="utf-8")
    assert len(content) < 900_000
    assert json.loads((study / "results" / "check.json").read_text(encoding="utf-8"))
