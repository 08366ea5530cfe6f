"""Stain normalisation: two stainings of one tile come closer, and what has no stain stays."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import hed2rgb, rgb2hed, rgb2lab

import axilla
from axilla.imaging.slides.tile_pixels import read_tile
from axilla.preprocessing.stain import normalise_stain
from axilla.records.roi_rectangle import Roi

SVS = Path(__file__).parents[1] / "cohort" / "data" / "cmu_small_region.svs"
SAMPLE = Path(axilla.__file__).parent / "sample" / "images"
METHODS = ("macenko", "reinhard")


@pytest.fixture(scope="module")
def tile():
    return read_tile(SVS, Roi(998, 1819, 448, 448), side_px=224)


def stained(rgb, *, haematoxylin, eosin):
    """Stain a tile again, weaker or stronger, by Ruifrok's separation in scikit-image."""
    hed = rgb2hed(rgb) * (haematoxylin, eosin, 1)
    return (hed2rgb(hed).clip(0, 1) * 255).astype(np.uint8)


def distance(a, b):
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.mark.parametrize("method", METHODS)
def test_two_stainings_of_a_tile_come_closer(method, tile):
    pale = stained(tile, haematoxylin=0.7, eosin=0.6)
    strong = stained(tile, haematoxylin=1.2, eosin=1.2)
    before = distance(pale, strong)
    after = distance(normalise_stain(pale, method), normalise_stain(strong, method))
    assert before > 20
    assert after < before / 3


@pytest.mark.parametrize("method", METHODS)
def test_the_tissue_moves_to_the_reference(method, tile):
    tissue = tile.min(axis=2) < 220
    lab = rgb2lab(normalise_stain(tile, method))[tissue]
    assert np.abs(lab.mean(axis=0) - (65.5, 20, -8)).max() < (2 if method == "reinhard" else 10)


def test_reinhard_leaves_glass_and_macenko_hardly_changes_it(tile):
    half = tile.copy()
    half[:, 112:] = 243
    assert (normalise_stain(half, "reinhard")[:, 112:] == 243).all()
    assert np.abs(normalise_stain(half, "macenko")[:, 112:].astype(int) - 243).max() < 10


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "rgb",
    [
        np.full((64, 64, 3), 255, dtype=np.uint8),
        np.full((64, 64, 3), 243, dtype=np.uint8),
        np.zeros((64, 64, 3), dtype=np.uint8),
        np.full((64, 64, 3), (180, 120, 170), dtype=np.uint8),
        np.repeat(np.arange(192, dtype=np.uint8).reshape(12, 16, 1), 3, axis=2),
        np.full((1, 1, 3), 90, dtype=np.uint8),
    ],
    ids=["white", "glass", "black", "one colour", "grey", "one pixel"],
)
def test_what_has_no_two_stains_is_unchanged(rgb, method):
    assert normalise_stain(rgb, method) is rgb


@pytest.mark.parametrize("method", METHODS)
def test_a_few_coloured_pixels_are_no_tissue(method):
    rgb = np.full((64, 64, 3), 250, dtype=np.uint8)
    rgb[3, 3], rgb[40, 40] = (90, 40, 120), (200, 90, 150)
    assert normalise_stain(rgb, method) is rgb


@pytest.mark.parametrize("method", METHODS)
def test_light_stays_light_on_photographs_of_any_stain(method):
    for path in sorted(SAMPLE.glob("P0*_he.jpg"))[:40]:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        changed = normalise_stain(rgb, method)
        assert changed.shape == rgb.shape
        assert changed.dtype == np.uint8
        before, after = rgb.mean(axis=2).ravel(), changed.mean(axis=2).ravel()
        assert np.corrcoef(before, after)[0, 1] > 0.7, path.name


def test_none_changes_nothing(tile):
    assert normalise_stain(tile, "none") is tile
