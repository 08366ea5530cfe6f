"""The gallery shows the errors that a loop over predictions.csv finds, and pixels only."""

import base64
import dataclasses
import io
import re
import shutil
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from axilla.config.study import StudyConfig
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import RunFolder
from axilla.report.images.thumbnails import LONGEST_SIDE_PX, shrink, thumbnail_of
from axilla.report.sections.failure_gallery import errors_made, gallery_of
from axilla.report.stage import write_report
from axilla.report.study_results import load_results
from axilla.report.tables.family_summary import headline_of

SAMPLE = files("axilla") / "sample"


@pytest.fixture
def results(paired):
    return load_results(*paired)


def entry_of(results, name="multilayer"):
    return next(entry for entry in results.entries if entry.name == name)


def pixels_of(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body, validate=True))))


def worst(predictions: pd.DataFrame, model: str, *, label: int) -> list[tuple[float, str]]:
    """The slow way: every wrong call of a model with its distance, the largest first."""
    rows = predictions[(predictions["model"] == model) & (predictions["label"] == label)]
    found = []
    for _, row in rows.iterrows():
        distance = row["probability"] - row["threshold"]
        if (distance >= 0) != bool(label):
            found.append((abs(distance), row["patient_id"]))
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


def test_errors_are_those_a_loop_finds(results):
    matrix = results.confusion("multilayer")
    kinds = errors_made(results, entry_of(results), most=4)
    for label, kind, of in zip(
        (0, 1), kinds, (matrix.false_positive, matrix.false_negative), strict=True
    ):
        expected = worst(results.predictions, "multilayer", label=label)
        assert kind.of == of == len(expected)
        assert [error.patient_id for error in kind.shown] == [name for _, name in expected[:4]]
        for error, (distance, _) in zip(kind.shown, expected, strict=False):
            assert abs(error.model.probability - error.model.threshold) == pytest.approx(distance)
            assert error.positive == bool(label)
            assert error.model.positive != error.positive


def test_others_say_what_predictions_csv_says(results):
    table = results.predictions.set_index(["patient_id", "model"])
    (error, *_), _ = (kind.shown for kind in errors_made(results, entry_of(results), most=1))
    names = {
        "Ultrasound alone": "ultrasound/selected",
        "Pathology alone": "pathology/selected",
        "Clinical alone": "clinical/logistic",
    }
    assert [name for name, _ in error.others] == list(names)
    for name, said in error.others:
        row = table.loc[(error.patient_id, names[name])]
        assert (said.probability, said.threshold) == (row["probability"], row["threshold"])
    (title, positive), *rest = error.readers
    assert (title, rest) == ("Reader (BI-RADS)", [])
    assert positive == bool(table.loc[(error.patient_id, "birads"), "probability"])


def test_repeats_are_averaged_per_patient(results):
    again = results.predictions.assign(repeat=2)
    first = errors_made(results, entry_of(results), most=1)[0].shown[0].patient_id
    this = (again["patient_id"] == first) & (again["model"] == "multilayer")
    again.loc[this, "probability"] = again.loc[this, "threshold"] - 0.01
    both = pd.concat([results.predictions, again], ignore_index=True)
    twice = dataclasses.replace(results, predictions=both)
    shown = errors_made(twice, entry_of(results), most=50)[0].shown
    (mine,) = [error for error in shown if error.patient_id == first]
    assert (mine.model.repeats, mine.model.wrong) == (2, 1)
    rows = both[(both["patient_id"] == first) & (both["model"] == "multilayer")]
    assert mine.model.probability == pytest.approx(rows["probability"].mean())
    assert len({error.patient_id for error in shown}) == len(shown)


def test_headline_is_the_fusion_named_beforehand(results, clinical_only):
    assert headline_of(results).entry.name == "multilayer"
    assert headline_of(load_results(*clinical_only)).entry.name == "clinical/logistic"


def with_images(paired, root) -> tuple[StudyConfig, RunFolder]:
    """The synthetic results beside the sample's images, whose identifiers are the same."""
    config, folder = paired
    shutil.copytree(folder.results, root / "results", ignore=shutil.ignore_patterns("figures"))
    shutil.copy(SAMPLE / "cohort.csv", root)
    (root / "images").mkdir()
    results = load_results(config, folder)
    for kind in errors_made(results, entry_of(results), most=4):
        for error in kind.shown:
            for path in (SAMPLE / "images").glob(f"{error.patient_id}_*"):
                shutil.copy(path, root / "images")
    return config, RunFolder(root)


@pytest.mark.slow
def test_page_embeds_small_pictures_of_the_errors_only(paired, tmp_path):
    config, folder = with_images(paired, tmp_path)
    html = write_report(config, folder).read_text(encoding="utf-8")
    images = re.findall(r'<img src="([^"]+)" width="(\d+)" height="(\d+)" alt="([^"]+)"', html)
    assert len(images) == html.count("<img") == 16
    for uri, width, height, alt in images:
        assert pixels_of(uri).shape == (int(height), int(width), 3)
        assert max(int(width), int(height)) <= LONGEST_SIDE_PX
        assert re.fullmatch(r"(Ultrasound|Pathology) of patient P\d{3}(, around the lesion)?", alt)
    assert "holds the pixels of 8 patients" in html
    assert "image not found" not in html
    assert str(tmp_path) not in html
    assert write_report(config, folder).read_text(encoding="utf-8") == html


@pytest.mark.slow
def test_moved_images_and_tables_are_notes_not_failures(paired, tmp_path):
    config, folder = with_images(paired, tmp_path)
    shutil.rmtree(tmp_path / "images")
    html = write_report(config, folder).read_text(encoding="utf-8")
    assert html.count("image not found") == 16
    assert "<img" not in html
    (tmp_path / "cohort.csv").unlink()
    html = write_report(config, folder).read_text(encoding="utf-8")
    assert "The cohort table is not where it was" in html
    assert 'id="failures"' in html


@pytest.mark.slow
def test_a_broken_image_is_a_note(paired, tmp_path):
    config, folder = with_images(paired, tmp_path)
    for path in (tmp_path / "images").glob("*_he.jpg"):
        path.write_bytes(path.read_bytes()[:3000])
    html = write_report(config, folder).read_text(encoding="utf-8")
    assert html.count("image or region cannot be read") == 8
    assert html.count("<img") == 8


def test_zero_switches_it_off(results, tmp_path):
    raw = results.config.model_dump()
    raw["evaluation"]["gallery"] = 0
    off = dataclasses.replace(results, config=StudyConfig.model_validate(raw))
    assert gallery_of(off, tmp_path) is None


def test_a_model_without_errors_has_no_gallery(results, tmp_path):
    right = results.predictions.assign(
        probability=results.predictions["label"].astype(float), threshold=0.5
    )
    assert gallery_of(dataclasses.replace(results, predictions=right), tmp_path) is None


def test_thumbnail_is_upright_and_forgets_the_file(tmp_path):
    pixels = np.zeros((300, 600, 3), dtype=np.uint8)
    pixels[:, :300] = 255  # white on the left of what the camera stored
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # shown a quarter turn clockwise: white on top
    exif[ExifTags.Base.ImageDescription] = "Jane Doe, born 1960"
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert b"Jane Doe" in (tmp_path / "a.jpg").read_bytes()
    small = thumbnail_of(ImageFile(tmp_path / "a.jpg"))
    body = base64.b64decode(small.uri.partition(",")[2])
    assert b"Jane" not in body
    assert b"Exif" not in body
    assert (small.width_px, small.height_px) == (120, 240)
    shown = pixels_of(small.uri)[..., 0]
    assert shown[:110].mean() > 250
    assert shown[130:].mean() < 5


def test_region_is_outlined_where_it_is():
    pixels = np.full((400, 800, 3), 120, dtype=np.uint8)
    roi = Roi(300, 100, 200, 120)
    small = shrink(pixels, roi=roi)
    # Half of the region's sides as context: 400 x 240 px, so 240 x 144 px small.
    assert (small.width_px, small.height_px) == (240, 144)
    shown = pixels_of(small.uri)[..., 0].astype(int)
    bright = np.argwhere(shown > 200)
    top, left = bright.min(axis=0)
    bottom, right = bright.max(axis=0)
    scale = 240 / 400
    expected = (60 * scale, 100 * scale, 180 * scale, 300 * scale)
    assert (top, left, bottom + 1, right + 1) == pytest.approx(expected, abs=2.5)
    assert np.ptp(shown[: int(top) - 9]) < 8


def test_mask_gives_the_region_and_a_whole_image_needs_none(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 90, (200, 200, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    mask = np.zeros((200, 200), dtype=np.uint8)
    mask[50:90, 60:140] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    cut = thumbnail_of(ImageFile(tmp_path / "a.png", mask=tmp_path / "m.png"))
    assert (cut.width_px, cut.height_px) == (160, 80)
    whole = thumbnail_of(ImageFile(tmp_path / "a.png"))
    assert (whole.width_px, whole.height_px) == (200, 200)
