"""Whole slides: told from photographs, cut into tiles where there is tissue, read tile by tile.

What takes SciPy stays in its modules, `plan` and `tiles`: most studies have no slide.
"""

from axilla.imaging.slides.content_digest import slide_digest
from axilla.imaging.slides.mpp import magnification_remark
from axilla.imaging.slides.slide_files import is_slide
from axilla.imaging.slides.tile_grid import NoTissue, SlidePlan, plan_microscope_tiles

__all__ = [
    "NoTissue",
    "SlidePlan",
    "is_slide",
    "magnification_remark",
    "plan_microscope_tiles",
    "slide_digest",
]
