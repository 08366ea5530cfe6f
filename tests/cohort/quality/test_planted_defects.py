"""Every defect is planted into real sample images and found; the clean sample has none."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from axilla.checks.images.burned_in_text import lines_in
from axilla.checks.images.image_checks import judge_picture
from axilla.checks.images.inspected_image import gray_of, measure

LABELS = Path(__file__).with_name("lettering.csv")
SHARP = ("P019", "P022", "P028", "P046", "P102", "P114")


def as_jpeg(image, quality=85):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def codes(inspection, patient_id):
    return {f.code for f in inspection.findings if patient_id in f.patients}


@pytest.mark.slow
def test_the_clean_sample_has_lettering_and_nothing_else(clean):
    assert {(f.code, f.severity) for f in clean.findings} == {("burned_in_text", "warning")}


@pytest.mark.slow
def test_lettering_is_found_where_a_person_sees_it(clean):
    with LABELS.open(encoding="utf-8", newline="") as stream:
        truth = {row["patient_id"]: row["burned_in"] for row in csv.DictReader(stream)}
    flagged = {p for f in clean.findings if f.code == "burned_in_text" for p in f.patients}
    text = {p for p, what in truth.items() if what == "text"}
    assert len(text) == 98
    assert len(flagged & text) / len(text) >= 0.95
    assert len(flagged - text) <= 1


@pytest.mark.slow
def test_lettering_is_where_it_says(clean):
    (box,) = [
        look.measures.lines[0].box
        for look in clean.looks
        if look.patient_id == "P003" and look.modality == "ultrasound"
    ]
    # "MAMA DIR" of P003, measured in an image viewer.
    assert box.left_px == pytest.approx(174, abs=6)
    assert box.top_px == pytest.approx(383, abs=6)
    assert box.height_px == pytest.approx(22, abs=6)


@pytest.mark.parametrize("patient_id", SHARP)
@pytest.mark.parametrize(("size_px", "gray"), [(12, 255), (16, 210), (26, 255)])
def test_drawn_letters(sample_cases, patient_id, size_px, gray):
    image = Image.fromarray(sample_cases().pixels(patient_id))
    assert lines_in(gray_of(np.asarray(image))) == ()
    at = (round(image.width * 0.2), round(image.height * 0.85))
    font = ImageFont.load_default(size_px)
    ImageDraw.Draw(image).text(at, "MAMA DIR 12.3 MM", fill=(gray,) * 3, font=font)
    lines = lines_in(gray_of(np.asarray(as_jpeg(image))))
    assert lines
    assert all(abs(line.box.top_px - at[1]) <= size_px for line in lines)


def test_lettering_in_a_large_image_and_in_the_roi(sample_cases):
    cases = sample_cases(4)
    image = Image.fromarray(cases.pixels("P002")).resize((2180, 2128), Image.Resampling.BICUBIC)
    roi = cases.patient("P002").ultrasound[0].roi
    at = (4 * roi.left_px, 4 * roi.top_px + 40)
    ImageDraw.Draw(image).text(at, "ANNA B. 49", fill=(255,) * 3, font=ImageFont.load_default(48))
    roi = replace(roi, **{f: 4 * getattr(roi, f) for f in roi.__dataclass_fields__})
    cases.change("P002", path=image, mask=None, roi=roi, pixel_mm=None)
    (finding,) = [f for f in cases.inspect().findings if "P002" in f.patients]
    assert finding.code == "burned_in_text"
    assert finding.problem.found.endswith("inside the ROI")


@pytest.mark.parametrize("modality", ["ultrasound", "pathology"])
def test_blur(sample_cases, modality):
    cases = sample_cases(114)
    cases.patients = [*map(cases.patient, SHARP), *cases.patients[50:70]]
    for patient_id in SHARP:
        blurred = Image.fromarray(cases.pixels(patient_id, modality)).filter(
            ImageFilter.GaussianBlur(3)
        )
        cases.change(patient_id, modality, path=as_jpeg(blurred))
    inspection = cases.inspect()
    found = {p for f in inspection.findings if f.code == "image_blurred" for p in f.patients}
    assert found == set(SHARP)


@pytest.mark.parametrize(
    "turn",
    [
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
    ],
)
def test_turned_ultrasound(sample_cases, turn):
    cases = sample_cases(12)
    image = Image.fromarray(cases.pixels("P009")).transpose(turn)
    cases.change("P009", path=as_jpeg(image), mask=None, roi=None)
    assert codes(cases.inspect(), "P009") == {"image_orientation"}


@pytest.mark.slow
def test_sideways_is_told_from_upright_for_every_sample_image(clean, open_sample):
    ultrasound = [look for look in clean.looks if look.modality == "ultrasound"]
    for look in ultrasound[::10]:
        picture = open_sample(look.file)
        turned = replace(picture, pixels=np.ascontiguousarray(np.rot90(picture.pixels)))
        about = replace(look, measures=measure(turned, "ultrasound"))
        assert "image_orientation" in [f.code for f in judge_picture(about)]


def doppler(image):
    draw = ImageDraw.Draw(image)
    for n in range(6):
        left, top = image.width // 3 + 14 * n, image.height // 3
        colour = (210, 40, 20) if n % 2 else (30, 60, 220)
        draw.ellipse((left, top, left + 12, top + 16), fill=colour)


def outline(image):
    width, height = image.size
    box = (width // 4, height // 4, width // 2, height // 2)
    ImageDraw.Draw(image).rectangle(box, outline=(255, 255, 0))


@pytest.mark.parametrize("draw", [doppler, outline])
def test_colour(sample_cases, draw):
    cases = sample_cases(12)
    image = Image.fromarray(cases.pixels("P002"))  # tinted by its scanner
    draw(image)
    cases.change("P002", path=as_jpeg(image))
    (finding,) = [f for f in cases.inspect().findings if "P002" in f.patients]
    assert finding.code == "colour_in_bmode"


def test_a_tint_is_no_colour(sample_cases):
    cases = sample_cases(12)
    sepia = cases.pixels("P009") * np.array([1.0, 0.8, 0.45])
    cases.change("P009", path=sepia.astype(np.uint8))
    assert codes(cases.inspect(), "P009") == set()


@pytest.mark.parametrize(
    "gap_px", [3, *(pytest.param(gap_px, marks=pytest.mark.slow) for gap_px in (0, 12))]
)
def test_two_images_side_by_side(sample_cases, gap_px):
    cases = sample_cases(30)
    left, right = (Image.fromarray(cases.pixels(name)) for name in ("P019", "P022"))
    both = Image.new("RGB", (left.width + right.width + gap_px, left.height))
    both.paste(left, (0, 0))
    both.paste(right, (left.width + gap_px, 0))
    cases.change("P019", path=as_jpeg(both), mask=None)
    cases.patients = [p for p in cases.patients if p.patient_id != "P022"]
    assert codes(cases.inspect(), "P019") == {"split_screen"}


@pytest.mark.parametrize(
    ("patient_id", "box"), [("P129", (95, 30, 150, 120)), ("P183", (120, 10, 200, 80))]
)
def test_bare_glass(sample_cases, patient_id, box):
    cases = sample_cases()
    cases.patients = [cases.patient(patient_id), *cases.patients[:3]]
    glass = Image.fromarray(cases.pixels(patient_id, "pathology")).crop(box)
    cases.change(patient_id, "pathology", path=glass.resize((224, 224), Image.Resampling.BICUBIC))
    assert "low_tissue" in codes(cases.inspect(), patient_id)


def test_what_the_decoder_told_is_not_told_twice(sample_cases, open_sample):
    cases = sample_cases(1)
    (own,) = [f for f in cases.inspect().findings if f.code == "burned_in_text"]
    told = replace(own.problem, found="lettering outside the region")

    def open_with_remark(file):
        remarks = (("burned_in_text", told),) if file.path.name == "P001_us.jpg" else ()
        return replace(open_sample(file), remarks=remarks)

    (finding,) = cases.inspect(open_picture=open_with_remark).findings
    assert finding.problem.found == "'P001_us.jpg', lettering outside the region"
