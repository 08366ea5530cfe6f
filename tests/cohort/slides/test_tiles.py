"""Pixels of slides, compared with decoders that are not OpenSlide."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from skimage.transform import downscale_local_mean

from axilla.config.sections import TilesSection
from axilla.imaging.slides.tile_pixels import _shares, read_tile, slide_size, thumbnail
from axilla.imaging.slides.tiling import plan_tiles
from axilla.records.errors import UnreadableImage
from axilla.records.roi_rectangle import Roi

TILE = Roi(998, 1147, 224, 224)
GIANT_SIDE_PX = 100_000
GIANT_MIB = 300


def cut(rgb, tile):
    return rgb[tile.top_px : tile.bottom_px, tile.left_px : tile.right_px]


def test_a_tile_at_full_resolution_is_the_decoders_pixels(svs, svs_rgb):
    assert slide_size(svs) == (2220, 2967)
    assert np.array_equal(read_tile(svs, TILE, side_px=224), cut(svs_rgb, TILE))


@pytest.mark.parametrize("factor", [2, 4, 7])
def test_a_coarser_tile_is_the_mean_of_its_areas(factor, svs, svs_rgb):
    tile = Roi(700, 1100, 96 * factor, 96 * factor)
    expected = downscale_local_mean(cut(svs_rgb, tile).astype(float), (factor, factor, 1))
    assert np.abs(read_tile(svs, tile, side_px=96) - expected).max() <= 0.51


def test_a_pyramids_levels_give_the_same_tile(svs, svs_rgb, make_tiff, tmp_path):
    path = make_tiff(tmp_path / "pyramid.tif", svs_rgb[:2816, :2048], mpp=0.499, halvings=3)
    tile = Roi(704, 1104, 8 * 64, 8 * 64)
    difference = read_tile(path, tile, side_px=64).astype(int) - read_tile(svs, tile, side_px=64)
    assert np.abs(difference).max() <= 2  # each level was rounded once


def test_areas_divide_fractions_of_pixels():
    dense = _shares(3, span=4.5, pixels=5).toarray()
    expected = [[2 / 3, 1 / 3, 0, 0, 0], [0, 1 / 3, 2 / 3, 0, 0], [0, 0, 0, 2 / 3, 1 / 3]]
    assert np.allclose(dense, expected)


def test_what_was_not_scanned_is_white(svs):
    beyond = read_tile(svs, Roi(2100, 2900, 224, 224), side_px=224)
    assert (beyond[70:, :] == 255).all()
    assert (beyond[:, 121:] == 255).all()
    assert 240 < beyond[:60, :110].mean() < 250  # glass


def test_a_thumbnail_shows_the_whole_slide(svs, svs_rgb):
    small = thumbnail(svs, longest_px=500)
    assert small.shape == (500, 374, 3)
    whole = svs_rgb.mean(axis=(0, 1))
    assert np.abs(small.mean(axis=(0, 1)) - whole).max() < 1
    assert thumbnail(svs, longest_px=9000).shape == svs_rgb.shape


def test_a_dicom_slide_has_the_tiles_of_its_source(svs, dicom_slide):
    settings = TilesSection(per_slide=8)
    plan = plan_tiles(dicom_slide, settings=settings, side_px=224)
    assert slide_size(dicom_slide) == (2220, 2967)
    assert plan == plan_tiles(svs, settings=settings, side_px=224)
    for tile in plan.tiles:
        pixels = read_tile(dicom_slide, tile, side_px=224)
        assert np.array_equal(pixels, read_tile(svs, tile, side_px=224))


def test_threads_read_the_same_pixels(svs, svs_rgb, make_tiff, tmp_path):
    # More slides than are kept open, so that some are dropped while others are read.
    paths = [svs] + [
        make_tiff(tmp_path / f"{n}.tif", np.roll(svs_rgb[:400, :400], n, axis=0)) for n in range(10)
    ]
    tiles = [Roi(17 * n, 11 * n, 200, 200) for n in range(10)]
    jobs = [(path, tile) for tile in tiles for path in paths]

    def read(job):
        return read_tile(job[0], job[1], side_px=64)

    alone = [read(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, jobs))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_truncated_slide_is_a_clear_error(share, svs, tmp_path):
    whole = svs.read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableImage, match=r"cut\.svs"):
        plan_tiles(path, settings=TilesSection(), side_px=224)


def test_a_damaged_tile_does_not_spoil_the_others(svs, svs_rgb, tmp_path):
    broken = bytearray(svs.read_bytes())
    broken[400_000:400_600] = bytes(600)
    path = tmp_path / "broken.svs"
    path.write_bytes(broken)
    outcomes = []
    for top in range(0, 2700, 240):
        tile = Roi(960, top, 240, 240)
        try:
            outcomes.append(np.array_equal(read_tile(path, tile, side_px=240), cut(svs_rgb, tile)))
        except UnreadableImage:
            outcomes.append(None)
    assert outcomes.count(True) >= 9


def test_missing_and_foreign_files_are_clear_errors(tmp_path):
    with pytest.raises(UnreadableImage, match="no such file"):
        slide_size(tmp_path / "absent.svs")
    (tmp_path / "text.svs").write_text("no slide")
    with pytest.raises(UnreadableImage, match="OpenSlide does not know"):
        slide_size(tmp_path / "text.svs")


def test_without_openslide_the_error_names_the_package(svs, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(UnreadableImage, match=r"pip install 'axilla\[wsi\]'"):
        slide_size(svs)


GIANT = """
import resource, sys
from pathlib import Path
from axilla.imaging.slides.tiling import plan_tiles
from axilla.imaging.slides.tile_pixels import read_tile, thumbnail
from axilla.config.sections import TilesSection
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
plan = plan_tiles(path, settings=TilesSection(), side_px=224)
tiles = [read_tile(path, tile, side_px=224) for tile in plan.tiles]
small = thumbnail(path, longest_px=1000)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(len(tiles), plan.candidates, small.shape[0], grown // 1024)
"""


@pytest.mark.slow
def test_a_slide_of_100_000_px_needs_little_memory(svs_rgb, make_endless, tmp_path):
    path = make_endless(tmp_path / "giant.tif", svs_rgb[1900:2156, 900:1156], side_px=GIANT_SIDE_PX)
    assert path.stat().st_size < 4_000_000
    command = [sys.executable, "-c", GIANT, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    tiles, candidates, side, mib = (float(word) for word in said.stdout.split())
    assert (tiles, candidates, side) == (64, (GIANT_SIDE_PX // 448) ** 2, 1000)
    assert mib < GIANT_MIB


@pytest.mark.parametrize("share", [0.002, 0.5, 0.999])
def test_a_truncated_dicom_slide_is_a_clear_error(share, dicom_slide, tmp_path):
    whole = dicom_slide.read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableImage, match=r"cut\.dcm"):
        plan_tiles(path, settings=TilesSection(), side_px=224)


def test_a_frame_table_that_points_elsewhere_is_an_error_not_a_crash(dicom_slide, tmp_path):
    whole = bytearray(dicom_slide.read_bytes())
    table = whole.index(b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff") + 20
    for entry, byte in ((0, 3), (77, 0), (129, 3)):
        damaged = bytearray(whole)
        damaged[table + 4 * entry + byte] ^= 0x9C  # OpenSlide 4.0.1 itself ends with SIGSEGV
        path = tmp_path / f"table-{entry}.dcm"
        path.write_bytes(damaged)
        with pytest.raises(UnreadableImage, match="damaged or truncated"):
            slide_size(path)
