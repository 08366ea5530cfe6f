"""One file that becomes a patient's bag: the tiles of a slide, found once and then remembered."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from axilla.config.sections import TilesSection
from axilla.imaging.open_image import picture_size
from axilla.imaging.slides.content_digest import slide_digest
from axilla.imaging.slides.mpp import Remark, magnification_remark
from axilla.imaging.slides.slide_files import is_slide
from axilla.imaging.slides.tile_grid import plan_microscope_tiles
from axilla.records.digests import digest_of
from axilla.records.errors import Problem
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.records.run_folder import write_bytes

_VERSION = 1


def tiles_of(
    file: ImageFile, settings: TilesSection, *, side_px: int, kept: Path | None
) -> tuple[tuple[ImageFile, ...], tuple[Remark, ...]]:
    """Return the tiles that stand for a pathology file, and what is odd about it.

    A slide becomes at most `settings.per_slide` tiles; a microscope image of known resolution
    too, if the settings ask for it; any other image stays itself. The plan of a slide is kept in
    the folder `kept` by the slide's content and the settings. Raises `UnreadableImage`.
    """
    if is_slide(file.path):
        tiles, mpp, remarks = _slide(file, settings, side_px=side_px, kept=kept)
        return tuple(replace(file, tile=tile, mpp=mpp) for tile in tiles), remarks
    if settings.microscope and file.mpp is not None:
        size = picture_size(file.path)
        cut = plan_microscope_tiles(
            size, mpp=file.mpp, settings=settings, side_px=side_px, name=file.path.name
        )
        remark = magnification_remark(file.path.name, mpp=file.mpp, um_per_px=settings.um_per_px)
        return tuple(replace(file, tile=tile) for tile in cut), (remark,) if remark else ()
    return (file,), ()


def _slide(
    file: ImageFile, settings: TilesSection, *, side_px: int, kept: Path | None
) -> tuple[Sequence[Roi], float, tuple[Remark, ...]]:
    wishes = settings.model_dump()
    key = digest_of("tiles", _VERSION, slide_digest(file.path), wishes, side_px, file.mpp)
    path = kept / f"{key}.json" if kept else None
    if path is not None and (found := _read_kept_plan(path)) is not None:
        return found
    from axilla.imaging.slides.tiling import plan_tiles  # noqa: PLC0415 - SciPy, which is slow

    plan = plan_tiles(file.path, settings=settings, side_px=side_px, mpp=file.mpp)
    if path is not None:
        content = {
            "mpp": plan.mpp,
            "tiles": [list(tile.sides) for tile in plan.tiles],
            "remarks": [[code, p.place, p.found, p.expected, p.remedy] for code, p in plan.remarks],
        }
        write_bytes(path, json.dumps(content).encode())
    return plan.tiles, plan.mpp, plan.remarks


def _read_kept_plan(
    path: Path,
) -> tuple[tuple[Roi, ...], float, tuple[Remark, ...]] | None:
    """Return a kept plan; None if there is none, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tiles = tuple(Roi(*map(int, tile)) for tile in content["tiles"])
        remarks = tuple((str(code), Problem(*texts)) for code, *texts in content["remarks"])
        return tiles, float(content["mpp"]), remarks
    except (OSError, ValueError, KeyError, TypeError):
        return None
