"""Pixels of a slide: any rectangle at any size, averaged over areas, never the whole slide."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from axilla.imaging.slides.slide_pool import opened_slide
from axilla.records.roi_rectangle import Roi

if TYPE_CHECKING:
    import openslide

_STRIP_PIXELS = 2_000_000
_BLOCK_PX = 256
_WHITE = 255.0


def slide_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the full resolution in pixels; raise `UnreadableImage`."""
    with opened_slide(path) as slide:
        width_px, height_px = slide.dimensions
        return int(width_px), int(height_px)


def read_tile(path: Path, tile: Roi, *, side_px: int) -> NDArray[np.uint8]:
    """Return a rectangle of a slide as RGB (side_px, side_px, 3); raise `UnreadableImage`.

    `tile` is in pixels of the full resolution. Each pixel is the mean of the area it covers, on
    the coarsest level that still has its detail; what was not scanned is white.
    """
    with opened_slide(path) as slide:
        return read_area(slide, tile, width_px=side_px, height_px=side_px)


def thumbnail(path: Path, *, longest_px: int) -> NDArray[np.uint8]:
    """Return the whole slide as RGB (H, W, 3), its longer side `longest_px` at most.

    Raises `UnreadableImage`.
    """
    with opened_slide(path) as slide:
        width_px, height_px = slide.dimensions
        scale = min(1.0, longest_px / max(width_px, height_px))
        return read_overview(
            slide,
            Roi(0, 0, width_px, height_px),
            width_px=max(1, round(width_px * scale)),
            height_px=max(1, round(height_px * scale)),
        )


def read_overview(
    slide: "openslide.OpenSlide", area: Roi, *, width_px: int, height_px: int
) -> NDArray[np.uint8]:
    """Return a large area scaled down to (height_px, width_px, 3), read block by block."""
    image = np.empty((height_px, width_px, 3), dtype=np.uint8)
    for top in range(0, height_px, _BLOCK_PX):
        for left in range(0, width_px, _BLOCK_PX):
            rows = min(_BLOCK_PX, height_px - top)
            columns = min(_BLOCK_PX, width_px - left)
            x0, x1 = (area.width_px * x // width_px for x in (left, left + columns))
            y0, y1 = (area.height_px * y // height_px for y in (top, top + rows))
            block = Roi(area.left_px + x0, area.top_px + y0, max(1, x1 - x0), max(1, y1 - y0))
            image[top : top + rows, left : left + columns] = read_area(
                slide, block, width_px=columns, height_px=rows
            )
    return image


def read_area(
    slide: "openslide.OpenSlide", area: Roi, *, width_px: int, height_px: int
) -> NDArray[np.uint8]:
    """Return `area` (full-resolution pixels) as RGB (height_px, width_px, 3).

    Read in strips of 2 megapixels, so that even a huge area of a slide without levels fits.
    """
    wanted = min(area.width_px / width_px, area.height_px / height_px)
    level = slide.get_best_level_for_downsample(max(1.0, wanted * 1.01))
    step = slide.level_downsamples[level]
    columns = math.ceil(area.width_px / step)
    rows = math.ceil(area.height_px / step)
    across = _shares(width_px, span=area.width_px / step, pixels=columns)
    down = _shares(height_px, span=area.height_px / step, pixels=rows)
    total = np.zeros((height_px, columns * 3), dtype=np.float32)
    strip = max(1, _STRIP_PIXELS // columns)
    for top in range(0, rows, strip):
        size = (columns, min(strip, rows - top))
        corner = (area.left_px, area.top_px + round(top * step))
        seen = _on_white(np.asarray(slide.read_region(corner, level, size)))
        total += down[:, top : top + size[1]] @ seen.reshape(size[1], -1)
    turned = total.reshape(height_px, columns, 3).swapaxes(0, 1).reshape(columns, -1)
    mean = (across @ turned).reshape(width_px, height_px, 3).swapaxes(0, 1)
    return np.ascontiguousarray(np.rint(mean).clip(0, _WHITE), dtype=np.uint8)


def _shares(count: int, *, span: float, pixels: int) -> sparse.csr_array:
    """Return (count, pixels): the share of each output pixel that each input pixel covers.

    The output divides the first `span` input pixels evenly; each row sums to 1.
    """
    edges = np.linspace(0, min(span, pixels), count + 1)
    pixel = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares: NDArray[np.float32] = overlap.clip(0).astype(np.float32)
    shares /= shares.sum(axis=1, keepdims=True)
    return sparse.csr_array(shares)


def _on_white(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    rgb: NDArray[np.float32] = rgba[:, :, :3].astype(np.float32)
    if rgba[:, :, 3].min() < _WHITE:
        opacity = rgba[:, :, 3:] * np.float32(1 / _WHITE)
        rgb = rgb * opacity + _WHITE * (1 - opacity)
    return rgb
