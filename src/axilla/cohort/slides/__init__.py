"""Whole slides: told from photographs, cut into tiles where there is tissue, read tile by tile.

What takes SciPy stays in its modules, `plan` and `tiles`: most studies have no slide.
"""

from axilla.cohort.slides.grid import NoTissue, SlidePlan, plan_microscope_tiles
from axilla.cohort.slides.identity import slide_digest
from axilla.cohort.slides.kinds import is_slide
from axilla.cohort.slides.resolution import magnification_remark

__all__ = [
    "NoTissue",
    "SlidePlan",
    "is_slide",
    "magnification_remark",
    "plan_microscope_tiles",
    "slide_digest",
]
