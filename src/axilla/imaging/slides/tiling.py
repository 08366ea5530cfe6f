"""Which tiles of a slide are used: tissue, no pen marks, in focus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from axilla.config.sections import TilesSection
from axilla.imaging.decoded_image import LUMA
from axilla.imaging.slides.mpp import Remark, magnification_remark, scan_resolution
from axilla.imaging.slides.slide_pool import opened_slide, unreadable_slide
from axilla.imaging.slides.tile_grid import (
    Cells,
    Grid,
    NoTissue,
    SlidePlan,
    in_reading_order,
    strata,
    tile_side,
)
from axilla.imaging.slides.tile_pixels import read_area, read_overview
from axilla.imaging.slides.tissue_mask import find_tissue
from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi

if TYPE_CHECKING:
    import openslide


_FINE_PX, _COARSE_PX = 1.0, 3.0
_FLAT = 1.0
_LARGEST_OVERVIEW_PX = 2400
_PARTS = (16, 8, 4)
"""Overview pixels along a tile: the most that keep the overview small."""
_MOST_SQUARES = 4_000_000
_MOST_INK = 0.02
_SHARPEST, _BLURRED = 90, 0.5
_BLURRED_ALL = 0.35
_LOOKS = 4
_FEW_TILES = 4


def sharpness(rgb: NDArray[np.uint8]) -> float:
    """Return the contrast of detail near one pixel over that near three (unitless, >= 0).

    Defocus takes the fine detail first, while both follow how much there is to see: so tiles of
    cells and of plain stroma compare. A tile without contrast (below 1 grey value) is 0.
    """
    grey = rgb.astype(np.float32) @ LUMA
    smooth = ndimage.gaussian_filter(grey, _FINE_PX)
    coarse = ndimage.gaussian_filter(grey, _COARSE_PX)
    medium = float((smooth - coarse).std())
    return float((grey - smooth).std()) / medium if medium > _FLAT else 0.0


@dataclass(frozen=True, slots=True)
class _Shares:
    """Of every square of a grid (rows, columns): the share that is tissue, that is ink."""

    tissue: NDArray[np.float64]
    ink: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Focus:
    """Tiles in focus, how many were looked at that are not, and the slide's own sharpness."""

    tiles: tuple[Roi, ...]
    blurred: int
    sharpest: float


def plan_tiles(
    path: Path, *, settings: TilesSection, side_px: int, mpp: float | None = None
) -> SlidePlan:
    """Choose at most `settings.per_slide` tiles of a slide, each `side_px` px of `um_per_px`.

    `mpp` (um per pixel) stands in where the slide does not state its own. The tiles are the same
    each time: squares of a grid whose tissue share is at least `min_tissue` and that touch no
    ink, divided into `per_slide` compact groups; of each group the first in focus, at most 4
    looked at. Raises `NoTissue` if there is none, `UnreadableImage` if the slide cannot be read,
    does not know its resolution, or is smaller than a tile.
    """
    with opened_slide(path) as slide:
        scan, remarks = scan_resolution(slide.properties, path=path, mpp=mpp)
        grid = _grid(
            slide,
            path=path,
            tile_px=tile_side(path.name, mpp=scan, settings=settings, side_px=side_px),
        )
        shares = _look(slide, grid, mpp=scan)
        tissue = shares.tissue >= max(settings.min_tissue, 1e-9)
        clean = shares.ink <= _MOST_INK
        usable = grid.cells()[(tissue & clean).ravel()]
        if not len(usable):
            raise _no_tissue(path, shares, settings=settings)
        focus = _in_focus(slide, grid, groups=strata(usable, settings.per_slide), side_px=side_px)
    finer = magnification_remark(path.name, mpp=scan, um_per_px=settings.um_per_px)
    return SlidePlan(
        tiles=in_reading_order(focus.tiles),
        mpp=scan,
        tissue_share=float(shares.tissue.mean()),
        candidates=grid.columns * grid.rows,
        rejected_tissue=int((~tissue & clean).sum()),
        rejected_pen=int((~clean).sum()),
        rejected_blur=focus.blurred,
        remarks=(
            *remarks,
            *([finer] if finer else []),
            *_remarks_on(path, focus, settings=settings),
        ),
    )


def _grid(slide: "openslide.OpenSlide", *, path: Path, tile_px: int) -> Grid:
    width_px, height_px = slide.dimensions
    grid = Grid.over(width_px, height_px, side_px=tile_px)
    if not (grid.columns and grid.rows):
        raise unreadable_slide(
            path,
            f"a slide of {width_px} x {height_px} px, smaller than a tile of {tile_px} px",
            remedy="Lower tiles.um_per_px.",
        )
    if grid.columns * grid.rows > _MOST_SQUARES:
        found = f"a slide of {width_px} x {height_px} px, {_MOST_SQUARES} tiles or more"
        raise unreadable_slide(path, found, remedy="Raise tiles.um_per_px, if its size is right.")
    return grid


def _look(slide: "openslide.OpenSlide", grid: Grid, *, mpp: float) -> _Shares:
    """Measure each square on one overview, in which a square is a whole number of pixels."""
    longest = max(grid.columns, grid.rows)
    wanted = next((p for p in _PARTS if longest * p <= _LARGEST_OVERVIEW_PX), _PARTS[-1])
    parts = min(wanted, grid.side_px)
    overview = read_overview(
        slide, grid.area, width_px=grid.columns * parts, height_px=grid.rows * parts
    )
    tissue, ink = find_tissue(overview, mpp=mpp * grid.side_px / parts)
    blocks = (grid.rows, parts, grid.columns, parts)
    return _Shares(
        tissue.reshape(blocks).mean(axis=(1, 3)),
        ink.reshape(blocks).mean(axis=(1, 3)),
    )


def _in_focus(
    slide: "openslide.OpenSlide", grid: Grid, *, groups: Sequence[Cells], side_px: int
) -> _Focus:
    """Choose one tile of each group; a group without a sharp tile gives none.

    Sharp enough is half the 90th percentile of the groups' first tiles, so a slide is judged by
    its own scanner and tissue, also where most of it is out of focus. On OpenSlide's CMU-1 all
    tiles have at least 0.6 of that, and none after a Gaussian blur of 1.5 px at their resolution.
    """

    def measure(tile: Roi) -> float:
        return sharpness(read_area(slide, tile, width_px=side_px, height_px=side_px))

    firsts = [grid.square(group[0]) for group in groups]
    measured = [measure(tile) for tile in firsts]
    sharpest = float(np.percentile(measured, _SHARPEST))
    enough = _BLURRED * sharpest
    chosen: list[Roi] = []
    blurred = 0
    for group, first, value in zip(groups, firsts, measured, strict=True):
        if value >= enough:
            chosen.append(first)
            continue
        blurred += 1
        for cell in group[1:_LOOKS]:
            tile = grid.square(cell)
            if measure(tile) >= enough:
                chosen.append(tile)
                break
            blurred += 1
    return _Focus(tuple(chosen), blurred=blurred, sharpest=sharpest)


def _remarks_on(path: Path, focus: _Focus, *, settings: TilesSection) -> Iterator[Remark]:
    if focus.sharpest < _BLURRED_ALL:
        found = f"a sharpness of {focus.sharpest:.2f} even where the slide is sharpest"
        expected = f"at least {_BLURRED_ALL}; cells have sharp outlines"
        yield "image_blurred", Problem(path.name, found, expected, "Scan the slide again.")
    if len(focus.tiles) < min(_FEW_TILES, settings.per_slide):
        found = f"tissue for {len(focus.tiles)} tiles only"
        remedy = "Look at the slide; a smaller tiles.min_tissue takes tiles with more background."
        expected = f"at least {_FEW_TILES} tiles"
        yield "low_tissue", Problem(path.name, found, expected, remedy)


def _no_tissue(path: Path, shares: _Shares, *, settings: TilesSection) -> NoTissue:
    inked = ", the rest under ink" if (shares.ink > _MOST_INK).any() else ""
    return NoTissue(
        Problem(
            path.name,
            f"no tile with enough tissue (at most {shares.tissue.max():.0%} of a tile{inked})",
            f"tiles of at least {settings.min_tissue:.0%} tissue",
            "Look at the slide: is it the right one? If it is, lower tiles.min_tissue.",
        )
    )
