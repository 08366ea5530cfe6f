"""What the report shows of heatmaps: cases by the rule, scales in mm, verdicts as they are."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from explained import worst_and_best

from axilla.config.study import StudyConfig
from axilla.evaluation.agreement.reader_study import (
    agreement_table,
    comparison_table,
    ratings_frame,
)
from axilla.records.run_folder import RunFolder
from axilla.report.answer import answer_of
from axilla.report.checklists.checklist import fill, read_checklist
from axilla.report.figures.faithfulness_figure import draw_faithfulness
from axilla.report.figures.heatmap_figure import draw_figure5
from axilla.report.images.explained_cases import explained_cases
from axilla.report.sections.explanation_section import explanation_section
from axilla.report.sections.reader_study_section import readings_section
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.sections.shapley_section import shapley_section
from axilla.report.stage import write_report
from axilla.report.study_results import load_results


@pytest.fixture(scope="module")
def page(explained):
    """The whole page, written once: it takes seconds."""
    config, folder, _ = explained
    html = write_report(config, folder).read_text(encoding="utf-8")
    return {
        anchor: html.partition(f'<section id="{anchor}"')[2].partition("</section>")[0]
        for anchor in ("heatmaps", "shapley", "readings")
    }


def sections_of(config, folder):
    """The sections alone, without figures."""
    results = load_results(config, folder)
    found = explained_cases(results, folder.root)
    material = ReportContext(results, answer_of(results), {}, explained=found)
    made = (explanation_section(material), shapley_section(material), readings_section(material))
    return {section.anchor: section.html for section in made if section is not None}


def words_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_page_shows_each_case_with_its_images_and_the_common_scale(explained, page):
    config, folder, patients = explained
    section = page["heatmaps"]
    results = load_results(config, folder)
    for patient in worst_and_best(results.predictions, patients):
        assert f"Ultrasound of patient {patient}" in section
    assert section.count("<img") == 8 * 4
    assert "holds the pixels of 8 patients" in section
    text = words_of(section)
    assert "Multilayer fusion, explained by Grad-CAM on ultrasound and pathology" in text
    assert "+2.50 for the outcome" in text
    assert "+0.75 for the outcome" in text
    assert "the most certain and the least certain" in text
    assert (folder.figures / "figure5_heatmaps.png").is_file()
    assert (folder.figures / "figure5_heatmaps.svg").is_file()
    assert str(folder.root) not in section
    assert not page["readings"]


def test_curves_are_drawn_and_the_second_opinion_is_no_verdict(explained, page):
    config, folder, _ = explained
    assert (folder.figures / "faithfulness.svg").is_file()
    drawn = draw_faithfulness(load_results(config, folder).explained).description
    assert "ultrasound, deletion, map: mean 0.45" in drawn
    assert "ultrasound, insertion, edges: mean 0.3" in drawn
    text = words_of(page["heatmaps"])
    assert "Likeness to integrated gradients 0.400 0.200 to 0.600 40 finding" in text
    assert "Deletion and insertion curves" in page["heatmaps"]


def test_failed_checks_stand_first_and_plain(page):
    section = page["heatmaps"]
    paragraphs = [words_of(p) for p in re.findall(r"<p.*?</p>", section, flags=re.DOTALL)]
    assert paragraphs[0] == (
        "Grad-CAM on pathology fails 2 of 3 checks: its maps were not shown to beat the "
        "image&#39;s own edges when what they mark was removed and look much the same when the "
        "model&#39;s weights are shuffled. Do not read them as the model&#39;s reasons."
    )
    assert paragraphs[1].startswith("Grad-CAM on ultrasound passes all 2 checks")
    text = words_of(section)
    assert "does worse than the image&#39;s edges; moves by 0.1" in text
    assert "Integrated gradients on pathology" in text
    assert "no verdict" in text
    assert section.count('class="failed"') == 2
    assert "Lesion 1.400 1.200 to 1.600 1.100 0.900 to 1.300 wide" in text


def test_maps_that_nobody_tested_are_called_so(explained):
    config, folder, _ = explained
    kept = folder.table("faithfulness.csv").read_bytes()
    folder.table("faithfulness.csv").unlink()
    try:
        section = sections_of(config, folder)["heatmaps"]
    finally:
        folder.table("faithfulness.csv").write_bytes(kept)
    assert "Grad-CAM on pathology was not tested" in words_of(section)
    assert "Can the maps be believed?" not in section


def test_gallery_zero_keeps_patients_out_of_the_page(explained):
    config, folder, _ = explained
    raw = config.model_dump()
    raw["evaluation"]["gallery"] = 0
    section = sections_of(StudyConfig.model_validate(raw), folder)["heatmaps"]
    assert "<img" not in section
    assert "data:image" not in section
    assert "Images of patients are left out of this page" in section


def test_without_explanations_there_are_no_such_sections(paired):
    config, folder = paired
    html = folder.table("report.html").read_text(encoding="utf-8")
    for anchor in ("heatmaps", "shapley", "readings"):
        assert f'<section id="{anchor}"' not in html
    results = load_results(config, folder)
    assert explained_cases(results, folder.root) is None
    assert draw_figure5(None) is None


def test_moved_images_are_notes(explained, tmp_path):
    config, folder, _ = explained
    moved = RunFolder(tmp_path)
    shutil.copytree(folder.results, moved.results)
    shutil.copy(folder.root / "cohort.csv", tmp_path)
    section = sections_of(config, moved)["heatmaps"]
    assert section.count("image not found") == 16
    assert "<img" not in section
    (tmp_path / "cohort.csv").unlink()
    again = sections_of(config, moved)["heatmaps"]
    assert "The cohort table is not where it was" in again


def test_shapley_section_says_which_image_mattered(explained, page):
    _, folder, _ = explained
    section = words_of(page["shapley"])
    table = pd.read_csv(folder.table("shapley.csv"))
    count = int((table["phi_pathology"].abs() > table["phi_ultrasound"].abs()).sum())
    assert "Pathology moved the logit farthest: by 1.60" in section
    assert f"In {count} of 80 patients who have both, it was pathology" in section
    assert "so this order is uncertain" not in section
    assert "age 0.31 0.20 to 0.42 77" in section
    assert (folder.figures / "shapley.svg").is_file()


def test_claim_finds_the_explanation(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    filled = fill(read_checklist("claim"), results, anchors={"heatmaps"}, files=set())
    (item,) = [one for one in filled.answers if one.item.number == "31"]
    assert "Grad-CAM on ultrasound and Grad-CAM on pathology" in item.text
    assert item.places == ("#heatmaps",)


def test_readings_say_whether_real_maps_beat_decoys(explained):
    config, folder, patients = explained
    rng = np.random.default_rng(2)
    rows = [
        (reader, patient, "ultrasound", "boundary", kind, place, 1.0, float(rng.random() < share))
        for reader in ("R1", "R2")
        for place, patient in enumerate(patients[:40])
        for kind, share in (("real", 0.9), ("decoy", 0.2))
    ]
    ratings = ratings_frame(rows)
    (folder.results / "review").mkdir(exist_ok=True)
    comparison = comparison_table(ratings, right={}, rng=rng)
    folder.write_table("review/agreement.csv", agreement_table(ratings))
    folder.write_table("review/comparison.csv", comparison)
    try:
        section = words_of(sections_of(config, folder)["readings"])
    finally:
        shutil.rmtree(folder.results / "review")
    assert "Real maps match what readers see better than decoys do." in section
    assert "boundary attention matches R1" in section
    assert "Real less decoy maps, same cases" in section
