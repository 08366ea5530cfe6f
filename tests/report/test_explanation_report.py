"""What the report shows of heatmaps: cases by the rule, scales in mm, verdicts as they are."""

import dataclasses
import re
import shutil
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from axilla.evaluation.reader_comparisons import comparison_table
from axilla.evaluation.reader_study import agreement_table, ratings_frame
from axilla.explanation.heatmap_file import (
    FOLDER,
    Heatmap,
    HeatmapFile,
    Legend,
    file_name,
    write_heatmaps,
    write_legend,
)
from axilla.records.folder import RunFolder
from axilla.records.roi import Roi
from axilla.records.study import StudyConfig
from axilla.records.tables import FAITHFULNESS_CURVES
from axilla.report.answer import answer_of
from axilla.report.checklists.filled import fill, read_checklist
from axilla.report.explained_cases import chosen_cases, explained_cases, explained_model
from axilla.report.explanation_section import explanation_section
from axilla.report.faithfulness_figure import draw_faithfulness
from axilla.report.figure5 import draw_figure5
from axilla.report.material import Material
from axilla.report.readings_section import readings_section
from axilla.report.results import load_results
from axilla.report.shapley_section import shapley_section
from axilla.report.stage import write_report

SAMPLE = files("axilla") / "sample"
MODEL = "multilayer"
ROWS, COLUMNS = 5, 6


def heatmap(rng, window):
    return Heatmap(rng.normal(size=(ROWS, COLUMNS)).astype(np.float32), window)


def worst_and_best(predictions, patients):
    """The slow way to choose: for each outcome and call the farthest from, and the nearest to."""
    rows = predictions[(predictions["model"] == MODEL) & predictions["patient_id"].isin(patients)]
    found = []
    for label in (1, 0):
        for right in (True, False):
            kind = []
            for _, row in rows.iterrows():
                called = row["probability"] >= row["threshold"]
                if row["label"] == label and (called == bool(label)) == right:
                    kind.append((abs(row["probability"] - row["threshold"]), row["patient_id"]))
            kind.sort(key=lambda pair: (-pair[0], pair[1]))
            found += [kind[0][1]] + ([kind[-1][1]] if len(kind) > 1 else [])
    return found


@pytest.fixture(scope="module")
def explained(paired, tmp_path_factory):
    """The synthetic results with maps and tables of explanations, beside the sample's images."""
    root = tmp_path_factory.mktemp("explained")
    config, finished = paired
    shutil.copytree(finished.results, root / "results", ignore=shutil.ignore_patterns("figures"))
    folder = RunFolder(root)
    predictions = pd.read_csv(folder.table("predictions.csv"), dtype={"patient_id": str})
    patients = sorted(set(predictions["patient_id"]))[:80]
    sample = pd.read_csv(SAMPLE / "cohort.csv", dtype=str)
    sample.to_csv(root / "cohort.csv", index=False)
    (root / "images").mkdir()
    rng = np.random.default_rng(1)
    maps = folder.results / FOLDER
    for patient in patients:
        row = sample.set_index("patient_id").loc[patient]
        roi = Roi(*(int(row[f"roi_{side}"]) for side in ("left", "top", "width", "height")))
        with Image.open(SAMPLE / row["pathology"]) as image:
            whole = Roi(0, 0, *image.size)
        content = {"ultrasound": heatmap(rng, roi), "pathology": heatmap(rng, whole)}
        write_heatmaps(maps / file_name(patient), HeatmapFile(content))
    for patient in worst_and_best(predictions, patients):
        for path in (SAMPLE / "images").glob(f"{patient}_*"):
            shutil.copy(path, root / "images")
    methods = {"ultrasound": "gradcam", "pathology": "gradcam"}
    write_legend(maps, Legend(MODEL, methods, {"ultrasound": 2.5, "pathology": 0.75}))
    _write_tables(folder, predictions, patients, rng)
    return config, folder, patients


def _write_tables(folder, predictions, patients, rng):
    labels = predictions.drop_duplicates("patient_id").set_index("patient_id")["label"]
    images = [
        (patient, "1-1", MODEL, modality, "gradcam", 0, 1.0, 0.5, 0.1)
        for patient in patients
        for modality in ("ultrasound", "pathology")
    ]
    columns = ["patient_id", "fold", "model", "modality", "method", "image", "share", "logit"]
    folder.write_table("explanation.csv", pd.DataFrame(images, columns=[*columns, "mean"]))
    phi = rng.normal(size=(len(patients), 2)) * (1, 2)
    shapley = pd.DataFrame(
        {
            "patient_id": patients,
            "label": labels[patients].to_numpy(),
            "logit": phi.sum(1) + 0.2,
            "base": 0.2,
            "phi_ultrasound": phi[:, 0],
            "phi_pathology": phi[:, 1],
        }
    )
    folder.write_table("shapley.csv", shapley)
    summary = pd.DataFrame(
        [
            ("ultrasound", 0.8, 0.7, 0.9, 0.05, 80, "exact Shapley values"),
            ("pathology", 1.6, 1.3, 1.9, -0.1, 80, "exact Shapley values"),
        ],
        columns=["modality", "mean_abs", "low", "high", "mean", "n", "method"],
    )
    folder.write_table("shapley_summary.csv", summary)
    clinical = pd.DataFrame(
        [("age", 0.31, 0.2, 0.42, 77, "exact Shapley values")],
        columns=["column", "mean_abs", "low", "high", "n", "method"],
    )
    folder.write_table("clinical_importance.csv", clinical)
    folder.write_table("faithfulness.csv", FAITHFULNESS)
    curves = [
        ("ultrasound", "gradcam", curve, order, share, share * size, 0.0, 1.0, 40)
        for curve in ("deletion", "insertion")
        for order, size in (("map", 0.9), ("random", 0.5), ("edges", 0.6))
        for share in (0.0, 0.5, 1.0)
    ]
    table = pd.DataFrame(curves, columns=list(FAITHFULNESS_CURVES))
    folder.write_table("faithfulness_curves.csv", table)


FAITHFULNESS = pd.DataFrame(
    [
        ("ultrasound", "gradcam", "deletion_vs_random", 0.2, 0.1, 0.3, 40, True, "passes; how"),
        ("ultrasound", "gradcam", "stability_shift", 0.8, 0.7, 0.9, 40, True, "passes; how"),
        ("ultrasound", "gradcam", "agreement_integrated", 0.4, 0.2, 0.6, 40, None, "finding; x"),
        ("ultrasound", "gradcam", "lesion_positive", 1.4, 1.2, 1.6, 39, None, "finding: x; wide"),
        ("ultrasound", "gradcam", "lesion_absolute", 1.1, 0.9, 1.3, 39, None, "finding: x"),
        ("pathology", "gradcam", "deletion_vs_edges", -0.2, -0.3, -0.1, 40, False,
         "FAILS: does worse than the image's edges; moves by 0.1"),
        ("pathology", "gradcam", "randomisation_signed", 0.6, 0.5, 0.7, 40, False, "FAILS: x; y"),
        ("pathology", "gradcam", "stability_shift", 0.8, 0.7, 0.9, 40, True, "passes; how"),
        ("pathology", "integrated", "deletion_vs_random", 0.1, None, None, 2, None, "no verdict"),
    ],
    columns=["modality", "method", "check", "value", "low", "high", "n", "passed", "note"],
)  # fmt: skip


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
    material = Material(results, answer_of(results), {}, explained=found)
    made = (explanation_section(material), shapley_section(material), readings_section(material))
    return {section.anchor: section.html for section in made if section is not None}


def words_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_cases_are_those_a_loop_chooses(explained):
    config, folder, patients = explained
    results = load_results(config, folder)
    chosen = chosen_cases(results, MODEL)
    assert [one.patient_id for one in chosen] == worst_and_best(results.predictions, patients)
    assert [one.certain for one in chosen] == [True, False] * 4
    assert not any(one.alone for one in chosen)


def test_the_only_case_of_its_kind_is_called_so(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    first = chosen_cases(results, MODEL)[0].patient_id
    only = {first: results.explained.maps[first]}
    one = dataclasses.replace(results, explained=dataclasses.replace(results.explained, maps=only))
    (case,) = explained_cases(one, folder.root).cases
    assert (case.patient_id, case.standing) == (first, "the only one")


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


def test_bags_show_the_images_that_count_next(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    patient = chosen_cases(results, MODEL)[0].patient_id
    table = pd.read_csv(folder.root / "cohort.csv", dtype=str)
    mine = table["patient_id"] == patient
    others = [row["pathology"] for _, row in table[~mine].head(60).iterrows()]
    there = [path for path in others if (folder.root / path).is_file()][:3]
    bag = ";".join([table.loc[mine, "pathology"].iloc[0], *there])
    images = results.explained.images
    own = (images["patient_id"] == patient) & (images["modality"] == "pathology")
    shares = [0.5, 0.1, 0.3, 0.1][: len(there) + 1]
    rows = pd.concat([images[own].assign(image=n, share=s) for n, s in enumerate(shares)])
    more = dataclasses.replace(results.explained, images=pd.concat([images[~own], rows]))
    kept = (folder.root / "cohort.csv").read_bytes()
    table.loc[mine, "pathology"] = bag
    table.to_csv(folder.root / "cohort.csv", index=False)
    try:
        found = explained_cases(dataclasses.replace(results, explained=more), folder.root)
    finally:
        (folder.root / "cohort.csv").write_bytes(kept)
    shown = found.cases[0].shown[1]
    assert (shown.images, shown.share) == (4, 0.5)
    assert [tile.share for tile in shown.tiles] == [0.3, 0.1, 0.1]
    bagged = draw_figure5(dataclasses.replace(found, cases=found.cases[:1]))
    plain = draw_figure5(dataclasses.replace(found, cases=found.cases[1:2]))
    assert bagged.width_in == pytest.approx(plain.width_in + 1.48)  # a column for the tiles


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("weighting", "weighting"),
        ("concatenation, weighting", "selected"),
        ("ultrasound/plnet, pathology/squeezenet", "single/selected"),
        ("another", None),
    ],
)
def test_what_folds_chose_is_one_model(paired, said, expected):
    results = load_results(*paired)
    legend = Legend(said, {}, {})
    changed = dataclasses.replace(results.explained, legend=legend)
    model = explained_model(dataclasses.replace(results, explained=changed))
    assert (model.name if model else None) == expected


def test_repeats_are_judged_by_the_first_whose_models_are_explained(explained):
    config, folder, _ = explained
    results = load_results(config, folder)
    once = [one.patient_id for one in chosen_cases(results, MODEL)]
    other = results.predictions.assign(repeat=2, probability=0.5)
    both = pd.concat([other, results.predictions], ignore_index=True)
    twice = chosen_cases(dataclasses.replace(results, predictions=both), MODEL)
    assert [one.patient_id for one in twice] == once
    assert all(one.said.repeats == 1 for one in twice)
