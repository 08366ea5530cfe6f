"""rois.csv: read whole or refused whole; it wins over the table, and says where they differ."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from axilla.cohort.cohort_reader import read_cohort
from axilla.cohort.roi_table import (
    COLUMNS,
    DrawnRoi,
    image_key,
    place_roi,
    read_rois,
    study_rois,
    unmatched_rois,
)
from axilla.cohort.values.cells import Cell
from axilla.imaging.raster import image_size
from axilla.records.errors import CohortError
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi


def write(path, *rows, columns=COLUMNS):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def row(image="images/a.jpg", *, roi=(3, 4, 5, 6), mask="", source="s.json", label="lesion"):
    return (image, *roi, mask, source, label)


@pytest.fixture
def case(study):
    """One real image of the sample with the table's own rectangle."""
    cells = study.rows[0]
    path = study.root / cells["ultrasound"]
    own = Roi(*(int(cells[f"roi_{side}"]) for side in ("left", "top", "width", "height")))
    cell = Cell(cells["ultrasound"], "ultrasound", row=2, table="cohort.csv", patient_id="P001")
    return ImageFile(path, roi=own), cell, image_size(path)


@given(*[st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))] * 2)
def test_iou_counts_pixels(first, second):
    masks = []
    for left, top, width, height in (first, second):
        mask = np.zeros((20, 20), dtype=bool)
        mask[top : top + height, left : left + width] = True
        masks.append(mask)
    expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
    assert Roi(*first).iou(Roi(*second)) == pytest.approx(expected)


def test_rows_are_read_as_they_stand(tmp_path):
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "m.png")
    path = write(
        tmp_path / "mine.csv",
        row(mask="m.png"),
        row("images\\b.jpg", roi=(0, 0, 1, 1), label="", source=""),
    )
    rois = read_rois(path)
    assert list(rois) == ["images/a.jpg", "images/b.jpg"]
    assert rois["images/a.jpg"] == DrawnRoi(
        "images/a.jpg", Roi(3, 4, 5, 6), tmp_path / "m.png", "s.json", "lesion", 2, "mine.csv"
    )
    assert rois["images/b.jpg"].mask is None


def test_only_image_and_rectangle_are_needed(tmp_path):
    path = write(tmp_path / "rois.csv", ("a.jpg", 1, 2, 3, 4), columns=COLUMNS[:5])
    assert read_rois(path)["a.jpg"].roi == Roi(1, 2, 3, 4)


def test_every_problem_at_once(tmp_path):
    path = write(
        tmp_path / "rois.csv",
        row(),
        row("./images/a.jpg"),
        row(""),
        row("b.jpg", roi=(1, 2, "x", 4)),
        row("c.jpg", roi=(1, 2, 3.5, 4)),
        row("d.jpg", roi=(1, 2, 0, 4)),
        row("e.jpg", mask="nowhere.png"),
        row("f.jpg", mask="a\0b.png"),
    )
    path.write_bytes(path.read_bytes().replace(b"a\0b", b"a" * 5000))
    with pytest.raises(CohortError) as raised:
        read_rois(path)
    places = [problem.place for problem in raised.value.problems]
    assert places == [
        *(f"rois.csv, row {n}" for n in (3, 4, 5, 6, 7)),
        *(f"rois.csv, row {n}, column mask" for n in (8, 9)),
    ]
    assert "row 2 has too" in raised.value.problems[0].found


def test_missing_columns_are_named(tmp_path):
    path = write(tmp_path / "rois.csv", ("a.jpg", 1), columns=("image", "roi_left"))
    with pytest.raises(CohortError, match="also roi_top, roi_width, roi_height"):
        read_rois(path)


def test_a_study_needs_no_rois_unless_it_names_them(study, paired):
    assert study_rois(paired(), study.root) == {}
    with pytest.raises(CohortError, match=r"mine\.csv: found no such file"):
        study_rois(paired(cohort={"rois": "mine.csv"}), study.root)


def test_drawn_wins_without_a_word_where_it_agrees(case):
    image, cell, size = case
    own = image.roi
    near = Roi(own.left_px + 2, own.top_px, own.width_px, own.height_px)
    placed, findings = place_roi(image, DrawnRoi(cell.text, near), cell=cell, size_px=size)
    assert placed == ImageFile(image.path, roi=near)
    assert not findings
    assert place_roi(image, None, cell=cell, size_px=size) == (image, ())


def test_a_conflict_with_the_table_is_a_warning(case):
    image, cell, size = case
    own = image.roi
    far = Roi(own.left_px + own.width_px // 2, own.top_px, own.width_px, own.height_px)
    assert own.iou(far) < 0.5
    drawn = DrawnRoi(cell.text, far, row=7)
    placed, (finding,) = place_roi(image, drawn, cell=cell, size_px=size)
    assert placed.roi == far
    assert (finding.code, finding.severity, finding.patients) == (
        "roi_conflict",
        "warning",
        ("P001",),
    )
    assert "rois.csv, row 7" in str(finding.problem)
    assert str(own) in finding.problem.found


def test_the_tables_mask_is_compared_where_it_has_no_rectangle(study, case):
    image, cell, size = case
    mask = study.root / study.rows[0]["ultrasound_mask"]
    masked = ImageFile(image.path, mask=mask)
    _, none = place_roi(masked, DrawnRoi(cell.text, image.roi), cell=cell, size_px=size)
    assert not none
    placed, (finding,) = place_roi(
        masked, DrawnRoi(cell.text, Roi(0, 0, 9, 9)), cell=cell, size_px=size
    )
    assert finding.code == "roi_conflict"
    assert str(image.roi) in finding.problem.found
    assert placed.mask is None


def test_what_does_not_fit_the_image_is_an_error(study, case):
    image, cell, (width, height) = case
    small = study.image("small.png", width=width - 1, height=height)
    (study.root / "images" / "bad.png").write_bytes(b"no picture")
    wrong = {
        "roi": DrawnRoi(cell.text, Roi(width - 4, 0, 5, 5), row=3),
        "mask_size": DrawnRoi(cell.text, Roi(0, 0, 5, 5), study.root / small, row=3),
        "image_unreadable": DrawnRoi(
            cell.text, Roi(0, 0, 5, 5), study.root / "images" / "bad.png", row=3
        ),
    }
    for code, drawn in wrong.items():
        placed, (finding,) = place_roi(image, drawn, cell=cell, size_px=(width, height))
        assert placed == image
        assert (finding.code, finding.severity) == (code, "error")
        assert finding.problem.place.startswith("rois.csv, row 3")


def test_rows_of_no_image_are_one_warning():
    rois = {
        image_key(name): DrawnRoi(name, Roi(0, 0, 1, 1), row=n)
        for n, name in enumerate((f"images/{letter}.jpg" for letter in "abcdefgh"), start=2)
    }
    (finding,) = unmatched_rois(rois, ["images\\a.jpg", "./images/b.jpg"])
    assert (finding.code, finding.severity) == ("rois_unmatched", "warning")
    assert "'images/c.jpg' (row 4)" in finding.problem.found
    assert "and 1 more" in finding.problem.found
    assert not unmatched_rois(rois, list(rois))


def test_a_rectangle_of_rois_csv_replaces_the_tables_own_and_names_the_cohort(paired, study):
    root = study.write()
    image = study.rows[0]["ultrasound"]
    before = read_cohort(paired(), root)
    drawn = []
    for left in (3, 4):
        write(root / "rois.csv", row(image, roi=(left, 4, 50, 60)))
        drawn.append(read_cohort(paired(), root))
    assert [c.patients[0].ultrasound[0].roi.left_px for c in drawn] == [3, 4]
    assert drawn[0].patients[1:] == before.patients[1:]
    assert len({c.digest for c in (before, *drawn)}) == 3
