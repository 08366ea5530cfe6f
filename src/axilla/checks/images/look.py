"""What an image looks like, in a few numbers: enough to judge it without decoding it again."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from axilla.checks.images.burned_in_text import Line
from axilla.cohort.values.cells import Cell
from axilla.records.errors import Problem
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality

THUMBNAIL_PX = 128


@dataclass(frozen=True, slots=True)
class Measures:
    """What pixels tell, whoever's they are; None where a measure does not apply.

    `spread_levels` is how far the darkest and brightest 0.5 % of pixels are apart, of 255.
    `thumbnail` is the gray image stretched to a square of `THUMBNAIL_PX`, uint8. `pixel_mm`
    and `remarks` are the file's own (`Picture`). The others are described where they are taken:
    `sharpness` of every image; `flatness`, `uprightness`, `seam`, `coloured_share` and `lines` of
    lettering (in pixels of the image) of ultrasound; `tissue_share` of pathology.
    """

    width_px: int
    height_px: int
    spread_levels: float
    thumbnail: NDArray[np.uint8] = field(compare=False, repr=False)
    sharpness: float
    flatness: float | None = None
    uprightness: float | None = None
    seam: float | None = None
    coloured_share: float | None = None
    tissue_share: float | None = None
    lines: tuple[Line, ...] = ()
    pixel_mm: float | None = None
    remarks: tuple[tuple[str, Problem], ...] = ()


@dataclass(frozen=True, slots=True)
class Marked:
    """What a mask marks: the smallest rectangle around it, and the share of the image."""

    box: Roi
    share: float


@dataclass(frozen=True, slots=True)
class Look:
    """One image of one patient, and what it looks like.

    `cell` is where the table lists it; `digest` names the bytes of the file; `modified` is the
    day on which the file was last changed; `marked` is what its mask marks.
    """

    patient_id: str
    group: str
    label: int | None
    split: Literal["development", "external"]
    modality: ImageModality
    file: ImageFile
    cell: Cell
    digest: str
    file_bytes: int
    modified: date
    measures: Measures
    marked: Marked | None = None

    @property
    def width_px(self) -> int:
        """Width of the upright image."""
        return self.measures.width_px

    @property
    def height_px(self) -> int:
        """Height of the upright image."""
        return self.measures.height_px

    @property
    def roi(self) -> Roi | None:
        """The rectangle that is used: the one given, or the smallest around the mask."""
        return self.file.roi or (self.marked.box if self.marked else None)
