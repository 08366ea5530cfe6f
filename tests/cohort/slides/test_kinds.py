"""Which files are slides, and what names their content."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file

from axilla.imaging.slides import is_slide, slide_digest
from axilla.records.digests import digest_of_files


def test_slides_are_known_by_name_or_class(svs, dicom_slide, tmp_path):
    assert is_slide(svs)
    assert is_slide(tmp_path / "absent.NDPI")
    assert is_slide(dicom_slide)
    assert is_slide(shutil.copy(dicom_slide, tmp_path / "WITHOUT_SUFFIX"))


def test_tiff_slides_are_told_from_images(svs, svs_rgb, make_tiff, make_endless, tmp_path):
    assert is_slide(make_tiff(tmp_path / "pyramid.tif", svs_rgb[:900, :900], halvings=2))
    endless = make_endless(tmp_path / "big.TIFF", svs_rgb[:256, :256], side_px=20_000, halvings=0)
    assert is_slide(endless)
    assert is_slide(shutil.copy(svs, tmp_path / "aperio.tif")) is False  # one level, 6.6 MP


def test_images_are_no_slides(svs_rgb, make_tiff, tmp_path):
    photograph = Image.fromarray(svs_rgb[:600, :800])
    for name in ("a.tif", "a.png", "a.jpg", "a.bmp"):
        photograph.save(tmp_path / name)
        assert not is_slide(tmp_path / name)
    assert not is_slide(make_tiff(tmp_path / "tiled.tif", svs_rgb[:900, :900]))
    pages = [photograph, photograph.reduce(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    assert not is_slide(tmp_path / "pages.tif")
    assert not is_slide(Path(get_testdata_file("CT_small.dcm", download=False)))
    assert not is_slide(tmp_path / "absent.tif")
    assert not is_slide(tmp_path)


def test_an_ome_pyramid_in_sub_directories_is_a_slide(svs_rgb, tmp_path):
    path = tmp_path / "stack.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        tile = {"tile": (256, 256), "photometric": "rgb"}
        writer.write(svs_rgb[:1024, :1024], subifds=1, **tile)
        writer.write(np.ascontiguousarray(svs_rgb[:1024:2, :1024:2]), subfiletype=1, **tile)
    assert is_slide(path)


def test_damaged_headers_are_no_slides(svs_rgb, make_tiff, tmp_path):
    whole = make_tiff(tmp_path / "whole.tif", svs_rgb[:300, :300], halvings=1).read_bytes()
    path = tmp_path / "damaged.tif"
    rng = np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(whole[: int(rng.integers(1, len(whole)))])
        for at in rng.integers(0, len(damaged), 20):
            damaged[at] = int(rng.integers(256))
        path.write_bytes(damaged)
        assert is_slide(path) in (True, False)


def test_a_ring_of_directories_ends(tmp_path):
    entry = bytes.fromhex("4201 0300 01000000 00010000".replace(" ", ""))
    path = tmp_path / "ring.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + b"\x01\0" + entry + b"\x08\0\0\0")
    assert not is_slide(path)


def test_a_small_files_digest_is_its_contents(svs):
    assert slide_digest(svs) == digest_of_files([svs])


def test_a_large_files_digest_notices_head_tail_and_middle(tmp_path, monkeypatch):
    monkeypatch.setattr("axilla.imaging.slides.content_digest.WHOLE_BYTES", 100 << 20)
    path = tmp_path / "large.svs"
    size = 130 << 20
    with path.open("wb") as stream:
        stream.truncate(size)
    before = slide_digest(path)
    assert before == slide_digest(path)
    seen = {before}
    block = (size - (1 << 20)) * 32 // 63  # the 33rd of 64 blocks
    for at in (0, size - 1, block):
        _flip(path, at)
        seen.add(slide_digest(path))
    with path.open("ab") as stream:
        stream.write(b"\0")
    seen.add(slide_digest(path))
    assert len(seen) == 5


def _flip(path, at):
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(b"\x5a")


@pytest.mark.parametrize("name", ["a.mrxs", "a.vms"])
def test_companions_of_a_slide_count(name, tmp_path):
    folder = tmp_path / "a" if name == "a.mrxs" else tmp_path
    folder.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"index")
    (folder / "data.bin").write_bytes(b"pixels")
    before = slide_digest(tmp_path / name)
    (folder / "data.bin").write_bytes(b"PIXELS")
    assert slide_digest(tmp_path / name) != before


def test_files_of_a_dicom_series_count_and_others_do_not(dicom_slide, tmp_path):
    path = shutil.copy(dicom_slide, tmp_path / "one.dcm")
    alone = slide_digest(path)
    shutil.copy(get_testdata_file("CT_small.dcm", download=False), tmp_path / "ct.dcm")
    assert slide_digest(path) == alone
    shutil.copy(dicom_slide, tmp_path / "two.dcm")
    assert slide_digest(path) != alone
