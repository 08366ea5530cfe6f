"""Agreement of readers on the ROI, on the page."""

import re
import shutil

import pytest

from axilla.annotation.roi_reviews import RoiReview, reviews_csv
from axilla.evaluation.agreement.roi_agreement import roi_agreement
from axilla.records.errors import StudyError
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import RunFolder
from axilla.report.answer import answer_of
from axilla.report.sections.all_sections import SECTIONS
from axilla.report.sections.roi_agreement_section import roi_agreement_section
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import load_results

REVIEWS = [
    RoiReview(
        f"images/{n}.png", f"P{n:03d}", ("A2", "A3"), Roi(100, 100, 60, 40),
        Roi(100 + 3 * n, 100, 60, 40),
        "accepted" if n == 0 else "redrawn" if n < 7 else "disagreement", 0.1,
    )
    for n in range(14)
]  # fmt: skip


@pytest.fixture
def section(paired, tmp_path):
    config, finished = paired
    folder = RunFolder(shutil.copytree(finished.root, tmp_path / "study"))

    def made(content):
        if content is not None:
            (folder.root / "roi_reviews.csv").write_bytes(content)
        results = load_results(config, folder)
        return roi_agreement_section(ReportContext(results, answer_of(results), {}))

    return made


def test_the_section_tells_the_numbers_and_their_limit(section):
    made = section(reviews_csv(REVIEWS))
    words = " ".join(re.sub(r"<[^>]+>", " ", str(made.html)).replace("\xa0", " ").split())
    numbers = {one.key: one.estimate for one in roi_agreement(REVIEWS)}
    assert made.title == "Agreement of readers on the ROI"
    assert "Two of 2 readers judged 14 images of 14 patients; 7 % were accepted unchanged" in words
    iou = numbers["iou"]
    assert f"{iou.value:.3f} (95 % interval {iou.low:.3f} to {iou.high:.3f})" in words
    distance = numbers["distance"]
    assert f"{distance.value:.1f} mm {distance.low:.1f} to {distance.high:.1f}" in words
    assert "anchoring" in words
    worst = re.findall(r'<th scope="row">(P\d+)</th>', str(made.html))
    assert worst == [f"P{n:03d}" for n in range(13, 3, -1)]
    assert "0.21" in words  # 21 of 99 px of the widest shift
    assert roi_agreement_section in SECTIONS


def test_what_patients_are_called_is_text(section):
    bad = RoiReview(
        "<b>.png", "<img src=x onerror=alert(1)>", ("A2", "A3"), Roi(1, 1, 9, 9),
        Roi(40, 40, 9, 9), "disagreement",
    )  # fmt: skip
    html = str(section(reviews_csv([bad])).html)
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_without_reviews_there_is_no_section(section):
    assert section(None) is None
    assert section(reviews_csv([])) is None


def test_a_damaged_file_is_an_error_of_the_study(section):
    with pytest.raises(StudyError, match=r"roi_reviews\.csv"):
        section(b"image,patient_id\na,b\n")
