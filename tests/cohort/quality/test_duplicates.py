import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from axilla.checks.images.duplicates import (
    MIRRORED,
    TURNED,
    describe,
    describe_windows,
    find_copies,
    windows,
)
from axilla.checks.images.inspected_image import gray_of, thumbnail_of
from axilla.records.patients import ImageFile


def recompressed(image, quality=40):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def resized(image, factor):
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def cropped(image, keep, across=0.5, down=0.5):
    width, height = round(image.width * keep), round(image.height * keep)
    left, top = round((image.width - width) * across), round((image.height - height) * down)
    return image.crop((left, top, left + width, top + height))


def mirrored(image):
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


COPIES = {
    "recompressed": recompressed,
    "half": lambda image: resized(image, 0.5),
    "larger": lambda image: resized(image, 1.5),
    "cropped": lambda image: cropped(image, 0.9),
    "cropped at a corner": lambda image: cropped(image, 0.9, 1.0, 0.0),
    "cropped at one side": lambda image: image.crop((0, 0, image.width, round(image.height * 0.9))),
    "mirrored": mirrored,
    "all": lambda image: recompressed(resized(mirrored(cropped(image, 0.9, 0.3, 0.8)), 0.5)),
}


@pytest.fixture
def cases(sample_cases):
    return sample_cases(10)


def repeats(cases):
    return [f for f in cases.inspect().findings if f.code in ("image_duplicate", "image_repeated")]


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["ultrasound", "pathology"])
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_under_another_patient_is_an_error(cases, modality, way):
    copy = COPIES[way](Image.fromarray(cases.pixels("P003", modality)))
    cases.add("X1", "other", label=1, **{modality: ImageFile(cases.save(copy, "copy.png"))})
    (finding,) = repeats(cases)
    assert (finding.code, finding.severity) == ("image_duplicate", "error")
    assert finding.patients == ("P003", "X1")
    assert finding.problem.place == f"cohort.csv, row 4, column {modality}"
    assert "the same picture as 'copy.png' of X1, with different outcomes" in finding.problem.found


def test_turned_pathology_is_found_and_turned_ultrasound_is_another_matter(cases):
    turned = Image.fromarray(cases.pixels("P004", "pathology")).transpose(Image.Transpose.ROTATE_90)
    cases.add("X1", "other", pathology=ImageFile(cases.save(turned, "copy.png")))
    assert [f.patients for f in repeats(cases)] == [("P004", "X1")]


def test_copies_of_one_group_or_one_patient_are_warnings(cases):
    donor = cases.patient("P002").group
    copy = cases.save(recompressed(Image.fromarray(cases.pixels("P002"))), "copy.jpg")
    cases.add("X1", donor, ultrasound=ImageFile(copy))
    old = cases.patient("P005")
    twice = replace(old, pathology=old.pathology * 2)
    cases.patients[cases.patients.index(old)] = twice
    assert [(f.code, f.severity, f.patients) for f in repeats(cases)] == [
        ("image_repeated", "warning", ("P002", "X1")),
        ("image_repeated", "warning", ("P005",)),
    ]


def test_one_finding_names_all_copies(cases):
    image = Image.fromarray(cases.pixels("P006"))
    for n in range(7):
        copy = cases.save(cropped(image, 1 - n / 50), f"copy{n}.png")
        cases.add(f"X{n}", f"group{n}", ultrasound=ImageFile(copy))
    (finding,) = repeats(cases)
    assert finding.patients == ("P006", *(f"X{n}" for n in range(7)))
    assert finding.problem.found.endswith("'copy3.png' of X3, and 3 more")


def test_an_ultrasound_image_listed_as_pathology(cases):
    path = cases.patient("P007").ultrasound[0].path
    cases.change("P008", "pathology", path=path)
    assert ("image_duplicate", ("P007", "P008")) in [(f.code, f.patients) for f in repeats(cases)]


def test_blank_images_are_no_copies_of_each_other(cases):
    for n in (1, 2):
        cases.change(f"P00{n}", path=np.full((300, 300 + n), 7, np.uint8), mask=None)
    assert repeats(cases) == []


@pytest.mark.parametrize(
    ("modality", "turns"), [("us", MIRRORED), pytest.param("he", TURNED, marks=pytest.mark.slow)]
)
def test_copies_of_every_second_sample_image_are_found_and_nothing_else(sample, modality, turns):
    paths = sorted(sample.glob(f"images/*_{modality}.jpg"))[::2]
    images = [Image.open(path).convert("RGB") for path in paths]
    rng = np.random.default_rng(11)
    copies = [
        recompressed(resized(cropped(image, 0.9, *rng.random(2)), rng.choice([0.5, 1.5])))
        for image in images
    ]
    thumbnails = np.stack([thumbnail_of(gray_of(np.asarray(i))) for i in images + copies])
    pairs = find_copies(thumbnails, turns=turns)
    assert all(abs(pair.first - pair.second) == len(images) for pair in pairs)
    assert len(pairs) >= 0.99 * len(images)


def test_fingerprints_of_windows_are_those_of_crops():
    image = Image.effect_noise((40, 40), 90).resize((1280, 1280), Image.Resampling.BICUBIC)
    whole = thumbnail_of(np.asarray(image))
    numbers = [0, 5, 40, 90, 100, 118]
    parts = describe_windows(whole[np.newaxis])[0]
    for number in numbers:
        (left, right), (top, bottom) = windows()[number]
        crop = image.crop(tuple(round(1280 * e) for e in (left, top, right, bottom)))
        alone = describe(thumbnail_of(np.asarray(crop))[np.newaxis])[0]
        others = np.delete(parts @ alone, number)
        assert parts[number] @ alone > 0.98
        assert others.max() < parts[number] @ alone
