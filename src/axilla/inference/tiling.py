"""Slides of one case, cut into tiles as the bundle's training cut them."""

from collections.abc import Sequence

from axilla.imaging.slides.slide_bags import tiles_of
from axilla.inference.manifest import Manifest
from axilla.records.patients import ImageFile


def in_tiles(
    files: Sequence[ImageFile], manifest: Manifest
) -> tuple[tuple[ImageFile, ...], tuple[str, ...]]:
    """Cut slides into tiles as in training; return them, and what is odd about a slide."""
    settings = manifest.preprocessing
    cut = [
        tiles_of(file, settings.tiles, side_px=settings.image_size_px, kept=None) for file in files
    ]
    return (
        tuple(tile for tiles, _ in cut for tile in tiles),
        tuple(f"{p.place}: {p.found}. {p.remedy}" for _, remarks in cut for _, p in remarks),
    )
