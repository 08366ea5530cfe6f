"""The measurements of one image, and how they are made from its pixels."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.checks.images.burned_in_text import TextLine, lines_in
from axilla.checks.images.image_measures import (
    coloured_share,
    flatness_of,
    seam_of,
    sharpness_of,
    tissue_share,
    uprightness_of,
)
from axilla.cohort.values.cells import Cell
from axilla.imaging.decoded_image import DecodedImage
from axilla.records.errors import Problem
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi, roi_around
from axilla.records.types import ImageModality

THUMBNAIL_PX = 128
VERSION = 2
"""Raised whenever a measure changes: what was kept of earlier looks is then not used."""
_TAILS = (0.5, 99.5)
# Larger images are measured at this size: what their blur hides there, a network never sees.
_SIDE_PX, _TISSUE_PX = 512, 256
# Lettering of larger images is looked for at this size, where letters have some 10 to 20 px.
_LETTERING_PX = 1024


@dataclass(frozen=True, slots=True)
class Measures:
    """What pixels tell, whoever's they are; None where a measure does not apply.

    `spread_levels` is how far the darkest and brightest 0.5 % of pixels are apart, of 255.
    `thumbnail` is the gray image stretched to a square of `THUMBNAIL_PX`, uint8. `pixel_mm`
    and `remarks` are the file's own (`DecodedImage`). The others are described where they are
    taken: `sharpness` of every image; `flatness`, `uprightness`, `seam`, `coloured_share` and
    `lines` of lettering (in pixels of the image) of ultrasound; `tissue_share` of pathology.
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
    lines: tuple[TextLine, ...] = ()
    pixel_mm: float | None = None
    remarks: tuple[tuple[str, Problem], ...] = ()


@dataclass(frozen=True, slots=True)
class MaskStats:
    """What a mask marks: the smallest rectangle around it, and the share of the image."""

    box: Roi
    share: float


@dataclass(frozen=True, slots=True)
class InspectedImage:
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
    marked: MaskStats | None = None

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


def measure(picture: DecodedImage, modality: ImageModality) -> Measures:
    """Return what a picture looks like; only the scanner's B-mode region counts where known."""
    height_px, width_px = picture.pixels.shape[:2]
    inside = _inside(picture)
    gray = gray_of(inside)
    low, high = np.percentile(gray, _TAILS)
    about = Measures(
        width_px=width_px,
        height_px=height_px,
        spread_levels=float(high - low),
        thumbnail=thumbnail_of(gray),
        sharpness=sharpness_of(shrink_to_side(gray, _SIDE_PX)),
        pixel_mm=picture.pixel_mm,
        remarks=picture.remarks,
    )
    if modality == "pathology":
        side_px = min(_TISSUE_PX, max(inside.shape) // 2)
        return replace(about, tissue_share=tissue_share(shrink_to_side(inside, max(side_px, 1))))
    small = shrink_to_side(gray, _SIDE_PX)
    return replace(
        about,
        flatness=flatness_of(small),
        uprightness=uprightness_of(small),
        seam=seam_of(small),
        coloured_share=coloured_share(_drop_rows_and_columns(inside)),
        lines=_lines(gray, picture.region),
    )


def measure_mask(mask: NDArray[np.bool_]) -> MaskStats | None:
    """Return what a mask (H, W) marks; None if that is nothing."""
    box = roi_around(mask)
    return MaskStats(box, float(mask.mean())) if box else None


def gray_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance (H, W) of RGB pixels (H, W, 3), by ITU-R 601."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _inside(picture: DecodedImage) -> NDArray[np.uint8]:
    region = picture.region
    if region is None:
        return picture.pixels
    rows = slice(region.top_px, region.bottom_px)
    return picture.pixels[rows, region.left_px : region.right_px]


def thumbnail_of(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a gray image, stretched to a square of `THUMBNAIL_PX`."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))


def shrink_to_side(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return an image whose longer side is at most `side_px`, by averaging."""
    factor = side_px / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = tuple(max(1, round(side * factor)) for side in pixels.shape[1::-1])
    return np.asarray(Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BOX))


def _drop_rows_and_columns(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out rows and columns: averaging would mix thin coloured lines with gray."""
    step = max(1, max(pixels.shape) // _SIDE_PX)
    return pixels[::step, ::step]


def _lines(gray: NDArray[np.uint8], region: Roi | None) -> tuple[TextLine, ...]:
    small = shrink_to_side(gray, _LETTERING_PX)
    factor = gray.shape[1] / small.shape[1]
    left, top = (region.left_px, region.top_px) if region else (0, 0)
    return tuple(
        TextLine(
            Roi(
                left + round(line.box.left_px * factor),
                top + round(line.box.top_px * factor),
                max(1, round(line.box.width_px * factor)),
                max(1, round(line.box.height_px * factor)),
            ),
            line.letters,
        )
        for line in lines_in(small)
    )
