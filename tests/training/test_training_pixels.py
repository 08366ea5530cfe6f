"""Decoded pixels and bags: kept by content, averaged per patient."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from axilla.preprocessing.prepare import PixelSettings, prepare
from axilla.records.errors import UnreadableImage
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Silent
from axilla.records.roi_rectangle import Roi
from axilla.training.data import pixels as pixels_module
from axilla.training.data.pixels import is_whole_array, per_patient, store_pixels

RNG = np.random.default_rng(2)
SETTINGS = PixelSettings(image_size_px=32, roi_margin=0.25, harmonise=True)


@given(st.lists(st.integers(0, 5), max_size=12))
def test_a_bag_is_averaged_and_no_image_is_nan(owner):
    values = torch.randn(len(owner), 2, 3, generator=torch.Generator().manual_seed(len(owner)))
    out = per_patient(values, np.array(owner, dtype=np.int64), patients=6)
    assert out.shape == (6, 2, 3)
    frame = pd.DataFrame(values.flatten(1).numpy().astype(float))
    expected = frame.groupby(np.array(owner, dtype=int)).mean().reindex(range(6))
    assert out.flatten(1).numpy() == pytest.approx(expected.to_numpy(), nan_ok=True, abs=1e-6)


def test_a_bag_of_scalars_is_averaged_too():
    out = per_patient(torch.tensor([1.0, 3.0, 5.0]), np.array([2, 2, 0]), patients=3)
    assert out[[0, 2]].tolist() == [5.0, 2.0]
    assert out[1].isnan()


@pytest.fixture
def patients(tmp_path):
    def file(name, **annotation):
        path = tmp_path / name
        shape = (40, 50) if name.startswith("us") else (40, 50, 3)
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path)
        return ImageFile(path, **annotation)

    bag = (file("us0.png", roi=Roi(5, 5, 20, 20)), file("us1.png"))
    slide = (file("he0.png"),)
    return [
        Patient("a", 1, "a", ultrasound=bag),
        Patient("b", 0, "b", pathology=slide),
        Patient("c", 0, "c", ultrasound=(file("us2.png"),), pathology=(file("he1.png"),)),
    ]


def stored(patients, tmp_path, modality="ultrasound", settings=SETTINGS):
    cache = tmp_path / "cache"
    return store_pixels(patients, modality, settings=settings, cache=cache, progress=Silent())


@pytest.mark.parametrize(("modality", "owner"), [("ultrasound", [0, 0, 2]), ("pathology", [1, 2])])
def test_pixels_are_prepared_images_in_order(patients, tmp_path, modality, owner):
    kept = stored(patients, tmp_path, modality)
    planes = kept.load()
    files = [file for patient in patients for file in patient.images(modality)]
    assert planes.dtype == torch.uint8
    assert len(planes) == len(files)
    for image, file in zip(planes, files, strict=True):
        assert torch.equal(image, prepare(file, modality, settings=SETTINGS))
    assert kept.owner.tolist() == owner
    assert kept.present.tolist() == [n in owner for n in range(3)]
    assert kept.patients == 3


def test_a_second_call_decodes_nothing(patients, tmp_path, monkeypatch):
    first = stored(patients, tmp_path)
    monkeypatch.setattr(pixels_module, "prepare", None)
    second = stored(patients, tmp_path)
    assert (second.path, second.digest) == (first.path, first.digest)


def test_a_damaged_cache_entry_is_decoded_again(patients, tmp_path):
    kept = stored(patients, tmp_path)
    planes = kept.load().clone()
    kept.path.write_bytes(kept.path.read_bytes()[:-10])
    assert not is_whole_array(kept.path)
    assert torch.equal(stored(patients, tmp_path).load(), planes)


def test_content_names_the_entry(patients, tmp_path):
    first = stored(patients, tmp_path)
    scan = patients[2].ultrasound[0]

    def digest(**change):
        changed = replace(patients[2], ultrasound=(replace(scan, **change),))
        return stored([*patients[:2], changed], tmp_path).digest

    copy = scan.path.with_name("renamed.png")
    copy.write_bytes(scan.path.read_bytes())
    assert digest(path=copy) == first.digest
    assert digest(roi=Roi(1, 1, 9, 9)) != first.digest
    assert digest(mask=scan.path) != first.digest
    assert stored(patients, tmp_path, settings=replace(SETTINGS, roi_margin=0.5)).digest != (
        first.digest
    )
    Image.fromarray(np.full((40, 50), 9, np.uint8)).save(scan.path)
    assert stored(patients, tmp_path).digest != first.digest


def test_an_unreadable_image_leaves_no_entry_behind(patients, tmp_path):
    patients[2].ultrasound[0].path.write_bytes(b"no image")
    with pytest.raises(UnreadableImage, match=r"us2\.png"):
        stored(patients, tmp_path)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_writing_to_loaded_planes_does_not_reach_the_file(patients, tmp_path):
    kept = stored(patients, tmp_path)
    kept.load().zero_()
    assert kept.load().any()


def test_what_names_pixels_is_read_once_per_file(patients, monkeypatch):
    read = []
    monkeypatch.setattr(pixels_module, "slide_digest", lambda path: read.append(path) or path.name)
    image = patients[1].pathology[0]
    tiles = [replace(image, tile=Roi(left, 0, 10, 10)) for left in range(5)]
    names = pixels_module.identities([*tiles, replace(image, frame=2), replace(image, mpp=0.5)])
    assert read == [image.path]
    assert len(set(names)) == 7
    assert names == pixels_module.identities(
        [*tiles, replace(image, frame=2), replace(image, mpp=0.5)]
    )


def test_tiles_of_one_image_are_stored_apart(patients, tmp_path):
    image = patients[1].pathology[0]
    bag = tuple(replace(image, tile=Roi(left, 0, 20, 20)) for left in (0, 25))
    pixels = stored([replace(patients[1], pathology=bag)], tmp_path, "pathology")
    first, second = pixels.load()
    assert not torch.equal(first, second)
    assert torch.equal(second, prepare(bag[1], "pathology", settings=SETTINGS))
