"""Single rectangles into rois.csv, beside what others write at the same time."""

import threading

import pandas as pd
import pytest

from axilla.annotation.annotation_import import ShapeChoice
from axilla.annotation.image_index import study_images
from axilla.annotation.stage import export_rois, import_rois, save_rois
from axilla.cohort.cohort_reader import read_cohort
from axilla.cohort.roi_table import read_rois
from axilla.records.errors import CohortError
from axilla.records.roi_rectangle import Roi


def rows(drawn):
    return read_rois(drawn.root / "rois.csv")


def save(drawn, rois):
    return save_rois(drawn.config, drawn.root, rois, source="axilla serve")


def test_the_mask_stays_with_its_own_rectangle(drawn):
    first, second, third = drawn.lesions[:3]
    away = Roi(1, 1, 9, 9)
    lost = save(drawn, {first.image: first.roi, second.image: away, third.image: None})
    assert lost == (second.image,)
    found = rows(drawn)
    assert set(found) == {first.image, second.image}
    assert (found[first.image].roi, found[second.image].roi) == (first.roi, away)
    assert found[first.image].mask.name.endswith("_mask.png")
    assert found[second.image].mask is None
    assert found[first.image].source == "axilla serve"
    patients = {
        p.ultrasound[0].path.name: p.ultrasound[0] for p in read_cohort(drawn.config, drawn.root)
    }
    assert patients[first.image.split("/")[-1]].mask is not None
    assert patients[second.image.split("/")[-1]].mask is None


def test_imported_outlines_stay_on_disk_and_labels_in_their_row(drawn):
    lesion = drawn.lesions[0]
    shape = {"shape_type": "polygon", "points": lesion.corners}
    file = drawn.write("a.json", drawn.labelme(lesion, shape))
    import_rois(drawn.config, drawn.root, [file], choice=ShapeChoice())
    mask = rows(drawn)[lesion.image].mask
    assert save(drawn, {lesion.image: rows(drawn)[lesion.image].roi}) == ()
    assert rows(drawn)[lesion.image].mask == mask
    assert rows(drawn)[lesion.image].label == "lesion"
    assert save(drawn, {lesion.image: Roi(2, 2, 5, 5)}) == (lesion.image,)
    assert mask.is_file()


def test_a_row_is_taken_out_and_the_last_takes_the_file(drawn):
    first, second = drawn.lesions[:2]
    save(drawn, {first.image: first.roi, second.image: second.roi})
    save(drawn, {first.image: None})
    assert set(rows(drawn)) == {second.image}
    save(drawn, {second.image: None})
    assert not (drawn.root / "rois.csv").exists()
    assert len(read_cohort(drawn.config, drawn.root)) == 24


def test_a_damaged_file_is_left_alone(drawn):
    (drawn.root / "rois.csv").write_text("damaged")
    with pytest.raises(CohortError):
        save(drawn, {drawn.lesions[0].image: drawn.lesions[0].roi})
    assert (drawn.root / "rois.csv").read_text() == "damaged"


def test_nobody_loses_a_row_to_somebody_else(drawn):
    images = study_images(drawn.config, drawn.root)
    threads = [
        threading.Thread(target=save, args=(drawn, {image.text: image.roi})) for image in images
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key: row.roi for key, row in rows(drawn).items()} == {i.text: i.roi for i in images}


def test_nothing_in_the_file_is_computed_by_a_spreadsheet(drawn):
    table = pd.read_csv(drawn.root / "cohort.csv", dtype=str, keep_default_na=False)
    evil = '=HYPERLINK("http://evil.example","x").jpg'
    (drawn.root / table["ultrasound"][0]).rename(drawn.root / "evil.jpg")
    (drawn.root / "evil.jpg").rename(drawn.root / "=cmd.jpg")
    table.loc[0, "ultrasound"] = "=cmd.jpg"
    table.to_csv(drawn.root / "cohort.csv", index=False)
    save_rois(drawn.config, drawn.root, {"=cmd.jpg": drawn.lesions[0].roi}, source=evil)
    cells = [
        cell
        for line in (drawn.root / "rois.csv").read_text().splitlines()
        for cell in line.split(",")
    ]
    assert not [cell for cell in cells if cell.strip('"').startswith(("=", "+", "-", "@"))]
    assert rows(drawn)["=cmd.jpg"].roi == drawn.lesions[0].roi
    out = drawn.root / "out.csv"
    export_rois(drawn.config, drawn.root, "csv", out)
    assert read_rois(out)["=cmd.jpg"].roi == drawn.lesions[0].roi
    assert (
        read_cohort(drawn.config, drawn.root).patients[0].ultrasound[0].roi == drawn.lesions[0].roi
    )
