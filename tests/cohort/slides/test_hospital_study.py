"""A study of what hospitals have: DICOM ultrasound and whole slides, through every command."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pydicom
import pytest
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.inference.bundle import read_bundle

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
ULTRASOUND = (
    "ExplVR_BigEnd.dcm",
    "examples_jpeg2k.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
)
ACCEPTED = """
[[accept]]
code = "image_duplicate"
reason = "One public slide stands in for two patients, as SVS and as DICOM."
[[accept]]
code = "image_tiny"
reason = "A test file of 80 x 60 px."
[tiles]
per_slide = 3
um_per_px = 1.0
"""


@pytest.fixture(scope="module")
def hospital(make_study, dicom_slide, svs, tmp_path_factory):
    """24 patients; five have DICOM ultrasound, one a slide, another the same slide as DICOM."""
    folder = make_study(
        tmp_path_factory.mktemp("hospital"),
        ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["squeezenet"]'),
        ('pathology = ["squeezenet", "plnet"]', 'pathology = ["squeezenet"]'),
    )
    with (folder / "study.toml").open("a", encoding="utf-8") as toml:
        toml.write(ACCEPTED)
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    table["ultrasound_frame"] = ""
    columns = ["ultrasound_mask", "roi_left", "roi_top", "roi_width", "roi_height"]
    for row, name in enumerate(ULTRASOUND):
        shutil.copy(SHIPPED / name, folder / "images" / name)
        table.loc[row, ["ultrasound", *columns]] = [f"images/{name}", *[""] * len(columns)]
        table.loc[row, "ultrasound_pixel_mm"] = ""
    table.loc[4, "ultrasound_frame"] = "7"
    for row, slide in ((1, svs), (22, dicom_slide)):
        shutil.copy(slide, folder / "images" / slide.name)
        table.loc[row, "pathology"] = f"images/{slide.name}"
    table.to_csv(folder / "cohort.csv", index=False)
    return folder, table


def invoke(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.slow
def test_check_run_and_predict_read_what_hospitals_have(hospital, tmp_path):
    folder, table = hospital
    invoke("check", folder)
    found = json.loads((folder / "results" / "check.json").read_text(encoding="utf-8"))
    assert found["errors"] == []
    assert {f["code"] for f in found["accepted"]} == {"image_duplicate", "image_tiny"}
    pairs = {tuple(f["patients"]) for f in found["accepted"] if f["code"] == "image_duplicate"}
    # The slide under two names; and two of pydicom's files turn out to show one lymph node.
    assert pairs == {tuple(table.loc[list(rows), "patient_id"]) for rows in ((1, 22), (1, 3))}
    assert found["summary"]["images"] == 48

    invoke("run", folder)
    predictions = pd.read_csv(folder / "results" / "predictions.csv")
    assert set(predictions["patient_id"]) == set(table["patient_id"])
    assert predictions["probability"].between(0, 1).all()
    assert (folder / "results" / "report.html").is_file()
    manifest = read_bundle(folder / "results" / "bundle.axilla").manifest
    assert manifest.preprocessing.tiles.per_slide == 3

    whole = tmp_path / "predictions.csv"
    bundle = folder / "results" / "bundle.axilla"
    invoke("predict", bundle, "--cohort", folder / "cohort.csv", "--out", whole)
    of_cohort = pd.read_csv(whole).set_index("patient_id")["probability"]
    case = table.loc[4]
    alone = json.loads(
        invoke(
            "predict", bundle, "--json", "--frame", 7, "--ultrasound",
            folder / case["ultrasound"], "--pathology", folder / case["pathology"],
        ).stdout
    )  # fmt: skip
    assert alone["probability"] == pytest.approx(of_cohort[case["patient_id"]], abs=1e-6)
    sliced = table.loc[1]
    both = json.loads(
        invoke(
            "predict", bundle, "--json", "--ultrasound", folder / sliced["ultrasound"],
            "--pathology", folder / sliced["pathology"],
        ).stdout
    )  # fmt: skip
    assert both["probability"] == pytest.approx(of_cohort[sliced["patient_id"]], abs=1e-6)
