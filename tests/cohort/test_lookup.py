"""A few patients are looked up, and no fault of the table gets in the way."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from axilla.cohort.cohort_reader import look_up_images
from axilla.cohort.cohort_schema import CohortSchema
from axilla.records.errors import CohortError
from axilla.records.roi_rectangle import Roi

WANTED = CohortSchema(modalities=("ultrasound", "pathology"))
HEAD = "patient_id,ultrasound,roi_left,roi_top,roi_width,roi_height,pathology\n"


def image(path: Path) -> None:
    Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8)).save(path)


def test_only_asked_patients_and_only_files_that_are_there(tmp_path):
    for name in ("a.png", "b.png", "he.png"):
        image(tmp_path / name)
    (tmp_path / "cohort.csv").write_text(
        HEAD + "007,a.png;b.png;gone.png,1;2;3,1;2;3,5;5;5,5;5;5,he.png\n"
        "8,gone.png,,,,,\n9,no such file,x,y,z,,\n",
        encoding="utf-8",
    )
    found = look_up_images(tmp_path / "cohort.csv", WANTED, patients={"007", "8", "nobody"})
    assert set(found) == {"007", "8"}
    first = found["007"]
    assert [file.path.name for file in first.files["ultrasound"]] == ["a.png", "b.png"]
    assert first.files["ultrasound"][1].roi == Roi(2, 2, 5, 5)
    assert first.listed == {"ultrasound": 3, "pathology": 1}
    assert found["8"].files == {"ultrasound": (), "pathology": ()}
    assert found["8"].listed == {"ultrasound": 1, "pathology": 0}


def test_unwanted_modalities_are_not_opened(tmp_path):
    image(tmp_path / "he.png")
    (tmp_path / "cohort.csv").write_text(HEAD + "1,x.png,,,,,he.png\n", encoding="utf-8")
    table = tmp_path / "cohort.csv"
    found = look_up_images(table, CohortSchema(modalities=("pathology",)), patients={"1"})
    assert found["1"].listed == {"pathology": 1}
    assert [file.path.name for file in found["1"].files["pathology"]] == ["he.png"]


def test_no_table_is_an_error(tmp_path):
    with pytest.raises(CohortError, match=r"cohort\.csv"):
        look_up_images(tmp_path / "cohort.csv", WANTED, patients={"1"})
