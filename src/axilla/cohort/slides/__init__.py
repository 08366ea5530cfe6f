"""Whole slides: told from photographs, cut into tiles where there is tissue, read tile by tile."""

from axilla.cohort.slides.grid import SlidePlan, plan_microscope_tiles
from axilla.cohort.slides.identity import slide_digest
from axilla.cohort.slides.kinds import is_slide
from axilla.cohort.slides.plan import NoTissue, plan_tiles
from axilla.cohort.slides.resolution import magnification_remark
from axilla.cohort.slides.tiles import read_tile, slide_size, thumbnail

__all__ = [
    "NoTissue",
    "SlidePlan",
    "is_slide",
    "magnification_remark",
    "plan_microscope_tiles",
    "plan_tiles",
    "read_tile",
    "slide_digest",
    "slide_size",
    "thumbnail",
]
