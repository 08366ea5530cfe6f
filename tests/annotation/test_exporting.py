"""What a study holds comes out for other tools, and in again."""

import json

import numpy as np
import pandas as pd
import pytest

from axilla.annotation.annotation_import import ShapeChoice
from axilla.annotation.image_index import study_images
from axilla.annotation.stage import export_rois, import_rois
from axilla.cohort.roi_table import read_rois
from axilla.imaging.raster import decode_mask
from axilla.records.errors import CohortError


def take(drawn, *files):
    return import_rois(drawn.config, drawn.root, files, choice=ShapeChoice())


def rows(drawn):
    return read_rois(drawn.root / "rois.csv")


def test_the_tables_own_rois_survive_export_and_import(drawn):
    path = drawn.root / "all.json"
    images = study_images(drawn.config, drawn.root)
    assert export_rois(drawn.config, drawn.root, "coco", path) == len(images) == 24
    assert take(drawn, path).rows == 24
    found = rows(drawn)
    for image in images:
        assert found[image.text].roi == image.roi
        np.testing.assert_array_equal(decode_mask(found[image.text].mask), decode_mask(image.mask))


def test_drawn_rois_go_before_the_tables_in_an_export(drawn):
    first, second = drawn.lesions[:2]
    shape = {"shape_type": "polygon", "points": second.corners}
    labelme = drawn.write("b.json", drawn.labelme(second, shape))
    take(
        drawn,
        drawn.write("a.json", drawn.coco({"bbox": [5, 6, 7, 8], "segmentation": []})),
        labelme,
    )
    path = drawn.root / "out" / "all.csv"
    assert export_rois(drawn.config, drawn.root, "csv", path) == 24
    table = pd.read_csv(path, keep_default_na=False).set_index("image")
    sides = ["roi_left", "roi_top", "roi_width", "roi_height"]
    assert table.loc[first.image, sides].tolist() == [5, 6, 7, 8]
    assert table.loc[first.image, "source"] == "a.json (COCO)"
    assert table.loc[second.image, "mask"].startswith("rois/")
    assert table.loc[drawn.lesions[2].image, "source"] == "cohort.csv"
    coco = drawn.root / "all.json"
    export_rois(drawn.config, drawn.root, "coco", coco)
    content = json.loads(coco.read_text(encoding="utf-8"))
    assert content["annotations"][0]["bbox"] == [5, 6, 7, 8]
    assert content["annotations"][0]["segmentation"] == []
    before = rows(drawn)
    take(drawn, coco)
    assert rows(drawn)[first.image].roi == before[first.image].roi
    np.testing.assert_array_equal(
        decode_mask(rows(drawn)[second.image].mask), decode_mask(before[second.image].mask)
    )


def test_an_export_overwrites_no_file_of_the_study(drawn):
    for name in ("cohort.csv", "rois.csv", "study.toml"):
        with pytest.raises(CohortError, match="which the study reads"):
            export_rois(drawn.config, drawn.root, "csv", drawn.root / "images" / ".." / name)


def test_an_export_says_what_it_cannot_read(drawn):
    images = study_images(drawn.config, drawn.root)
    images[0].path.write_bytes(b"no picture")
    images[1].path.unlink()
    with pytest.raises(CohortError) as raised:
        export_rois(drawn.config, drawn.root, "coco", drawn.root / "all.json")
    assert [problem.place for problem in raised.value.problems] == [i.text for i in images[:2]]
    assert not (drawn.root / "all.json").exists()
