"""Tiles of a slide: on tissue, off ink, in focus, evenly spread, always the same."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from axilla.config.sections import TilesSection
from axilla.imaging.slides import NoTissue, plan_microscope_tiles
from axilla.imaging.slides.tile_grid import Grid, hilbert_position, strata
from axilla.imaging.slides.tiling import plan_tiles
from axilla.imaging.slides.tissue_mask import find_tissue
from axilla.records.errors import UnreadableImage
from axilla.records.roi_rectangle import Roi

TILES = TilesSection()
INKS = {
    "dark blue": (50, 60, 190),
    "blue": (60, 130, 210),
    "green": (30, 150, 90),
    "red": (215, 40, 60),
    "black": (45, 45, 50),
}


def is_glass(rgb):
    """Bare glass by a criterion of its own: bright, and grey."""
    return (rgb.min(axis=2) > 225) & (np.ptp(rgb.astype(int), axis=2) < 12)


def test_tiles_of_a_real_slide_lie_on_tissue(svs, svs_rgb):
    plan = plan_tiles(svs, settings=TILES, side_px=224)
    assert plan.mpp == pytest.approx(0.499)
    assert plan.candidates == (2220 // 224) * (2967 // 224)
    assert len(plan.tiles) == 43
    assert not plan.remarks
    glass = [is_glass(svs_rgb[t.top_px : t.bottom_px, t.left_px : t.right_px]) for t in plan.tiles]
    assert max(g.mean() for g in glass) < 0.55
    assert all(t.inside(width_px=2220, height_px=2967) for t in plan.tiles)
    taken = len(plan.tiles) + plan.rejected_tissue + plan.rejected_pen + plan.rejected_blur
    assert taken == plan.candidates
    assert plan == plan_tiles(svs, settings=TILES, side_px=224)


def test_the_tissue_mask_agrees_with_what_is_not_glass(svs_rgb):
    overview = np.asarray(Image.fromarray(svs_rgb).reduce(16))
    tissue, ink = find_tissue(overview, mpp=0.499 * 16)
    expected = ~is_glass(overview)
    assert (tissue & expected).sum() / (tissue | expected).sum() > 0.85
    assert not ink.any()


def test_a_tile_covers_the_resolution_asked_for(svs):
    coarse = plan_tiles(svs, settings=TilesSection(um_per_px=1.0), side_px=224)
    assert {(t.width_px, t.height_px) for t in coarse.tiles} == {(449, 449)}


def test_a_few_tiles_are_spread_over_the_tissue(svs):
    every = plan_tiles(svs, settings=TilesSection(per_slide=1000), side_px=112)
    few = plan_tiles(svs, settings=TilesSection(per_slide=12), side_px=112)
    assert len(few.tiles) == 12
    assert set(few.tiles) < set(every.tiles)
    for axis in ("left_px", "top_px"):
        everywhere = np.array([getattr(t, axis) for t in every.tiles])
        chosen = np.array([getattr(t, axis) for t in few.tiles])
        assert abs(np.median(chosen) - np.median(everywhere)) < 0.25 * np.ptp(everywhere)
        assert np.ptp(chosen) > 0.5 * np.ptp(everywhere)


@pytest.mark.parametrize(
    "colour", [pytest.param(ink, marks=[] if ink == "blue" else pytest.mark.slow) for ink in INKS]
)
def test_ink_is_avoided(colour, svs, svs_rgb, make_tiff, tmp_path):
    height, width, _ = svs_rgb.shape
    stroke = Image.new("L", (width, height), 0)
    line = [(900, 800), (1250, 1400), (900, 2100), (1400, 2600)]
    ImageDraw.Draw(stroke).line(line, fill=255, width=160)
    share = (
        np.asarray(stroke.filter(ImageFilter.GaussianBlur(4)), dtype=np.float32)[..., None] / 255
    )
    ink = np.array(INKS[colour], dtype=np.float32) / 255  # as transmitted light is dimmed twice
    marked = (svs_rgb * (1 - share + share * ink)).astype(np.uint8)
    path = make_tiff(tmp_path / "marked.tif", marked, mpp=0.499, halvings=3)
    plan = plan_tiles(path, settings=TILES, side_px=224)
    touched = np.asarray(stroke) > 0
    under_ink = [touched[t.top_px : t.bottom_px, t.left_px : t.right_px].mean() for t in plan.tiles]
    assert max(under_ink) < 0.01
    assert plan.rejected_pen > 10
    assert len(plan.tiles) > 12
    assert set(plan.tiles) <= set(plan_tiles(svs, settings=TILES, side_px=224).tiles)


def test_tiles_out_of_focus_are_avoided(svs, svs_rgb, make_tiff, tmp_path):
    blurred = svs_rgb.copy()
    blurred[1800:] = ndimage.gaussian_filter(svs_rgb[1800:], (2, 2, 0))
    path = make_tiff(tmp_path / "focus.tif", blurred, mpp=0.499, halvings=2)
    plan = plan_tiles(path, settings=TilesSection(per_slide=500), side_px=112)
    sharp = plan_tiles(svs, settings=TilesSection(per_slide=500), side_px=112)
    assert not any(t.top_px >= 1800 for t in plan.tiles)
    kept = {t for t in sharp.tiles if t.bottom_px <= 1800}
    assert len(kept & set(plan.tiles)) > 0.95 * len(kept)
    assert plan.rejected_blur > 0.3 * len(sharp.tiles)


def test_a_slide_without_tissue_says_so(svs_rgb, make_tiff, tmp_path):
    glass = np.tile(svs_rgb[200:456, 1800:2056], (6, 6, 1))
    path = make_tiff(tmp_path / "glass.tif", glass, mpp=0.5, halvings=1)
    with pytest.raises(NoTissue, match=r"glass\.tif.*no tile with enough tissue"):
        plan_tiles(path, settings=TILES, side_px=224)


def test_little_tissue_is_remarked(svs_rgb, make_tiff, tmp_path):
    rgb = np.full((1200, 1200, 3), 243, dtype=np.uint8)
    rgb[500:820, 500:820] = svs_rgb[1900:2220, 1000:1320]
    path = make_tiff(tmp_path / "scrap.tif", rgb, mpp=0.5, halvings=1)
    plan = plan_tiles(path, settings=TILES, side_px=224)
    assert len(plan.tiles) in (1, 2, 3)
    assert [code for code, _ in plan.remarks] == ["low_tissue"]


def test_the_resolution_comes_from_the_slide_or_the_table(svs, svs_rgb, make_tiff, tmp_path):
    path = make_tiff(tmp_path / "unknown.tif", svs_rgb, halvings=1)
    with pytest.raises(UnreadableImage, match="pathology_mpp"):
        plan_tiles(path, settings=TILES, side_px=224)
    told = plan_tiles(path, settings=TILES, side_px=224, mpp=0.499)
    own = plan_tiles(svs, settings=TILES, side_px=224)
    assert told.mpp == 0.499
    assert len(set(told.tiles) & set(own.tiles)) > 0.9 * len(own.tiles)
    conflict = plan_tiles(svs, settings=TILES, side_px=224, mpp=0.25)
    assert conflict.mpp == pytest.approx(0.499)
    assert [code for code, _ in conflict.remarks] == ["magnification"]


def test_a_resolution_finer_than_the_scan_is_remarked_or_refused(svs):
    plan = plan_tiles(svs, settings=TilesSection(um_per_px=0.25), side_px=224)
    assert [code for code, _ in plan.remarks] == ["magnification"]
    assert plan_tiles(svs, settings=TilesSection(um_per_px=0.4), side_px=224).remarks == ()
    with pytest.raises(UnreadableImage, match="um_per_px"):
        plan_tiles(svs, settings=TilesSection(um_per_px=0.1), side_px=224)


def test_a_slide_smaller_than_a_tile_is_refused(svs):
    with pytest.raises(UnreadableImage, match="smaller than a tile"):
        plan_tiles(svs, settings=TilesSection(um_per_px=10), side_px=224)


def test_a_slide_of_absurd_size_is_refused(svs_rgb, make_endless, tmp_path):
    path = make_endless(tmp_path / "absurd.tif", svs_rgb[:256, :256], side_px=70_000)
    with pytest.raises(UnreadableImage, match="4000000 tiles or more"):
        plan_tiles(path, settings=TilesSection(um_per_px=0.25), side_px=32)


def test_the_hilbert_curve_visits_every_cell_by_single_steps():
    cells = np.stack(np.meshgrid(range(32), range(32)), axis=-1).reshape(-1, 2)
    position = hilbert_position(cells)
    assert sorted(position) == list(range(1024))
    steps = np.abs(np.diff(cells[np.argsort(position)], axis=0)).sum(axis=1)
    assert (steps == 1).all()


def test_strata_hold_every_cell_once_and_start_in_their_middle():
    cells = Grid.over(700, 500, side_px=10).cells()
    groups = strata(cells, 30)
    assert len(groups) == 30
    assert {len(group) for group in groups} == {116, 117}
    assert len({tuple(cell) for group in groups for cell in group}) == 3500
    # Compact: a group is hardly longer than a square of as many cells would be.
    assert np.median([np.ptp(group, axis=0).max() for group in groups]) < 2 * 117**0.5
    position = hilbert_position(groups[4])
    assert abs(position[0] - np.median(position)) <= abs(position - np.median(position)).min() + 1


def test_microscope_images_are_cut_at_the_resolution():
    tiles = plan_microscope_tiles((2048, 1536), mpp=0.25, settings=TILES, side_px=224)
    assert len(tiles) == 4 * 3
    assert {(t.width_px, t.height_px) for t in tiles} == {(448, 448)}
    assert (tiles[0].left_px, tiles[0].top_px) == (128, 96)
    assert all(t.inside(width_px=2048, height_px=1536) for t in tiles)
    assert not any(_overlap(a, b) for a in tiles for b in tiles if a != b)
    few = plan_microscope_tiles(
        (2048, 1536), mpp=0.25, settings=TilesSection(per_slide=5), side_px=224
    )
    assert len(few) == 5
    assert set(few) < set(tiles)


def test_a_microscope_image_smaller_than_a_tile_is_one():
    tiles = plan_microscope_tiles((700, 460), mpp=0.2, settings=TILES, side_px=224)
    assert tiles == (Roi(0, 0, 700, 460),)
    with pytest.raises(UnreadableImage, match="um_per_px"):
        plan_microscope_tiles((700, 460), mpp=3.0, settings=TILES, side_px=224)


def _overlap(a, b):
    across = min(a.right_px, b.right_px) - max(a.left_px, b.left_px)
    down = min(a.bottom_px, b.bottom_px) - max(a.top_px, b.top_px)
    return across > 0 and down > 0
