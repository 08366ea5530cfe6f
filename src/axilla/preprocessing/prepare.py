"""Cut, scale and harmonise one image file into the uint8 planes that are stored and served."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from axilla.annotation.boxes import roi_from_mask, with_margin
from axilla.config.study import PreprocessingSection
from axilla.imaging.decoded_image import LUMA, DecodedImage
from axilla.imaging.open_image import open_picture
from axilla.imaging.raster import decode_mask
from axilla.imaging.slides import is_slide
from axilla.preprocessing.normalise import harmonise, resize
from axilla.preprocessing.stain import StainMethod, normalise_stain
from axilla.records.errors import Problem, RoiError, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality

_STRIP_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class PixelSettings:
    """The settings that decide stored pixels; two studies that agree on them share a cache."""

    image_size_px: int
    roi_margin: float
    harmonise: bool
    stain: StainMethod = "none"

    @classmethod
    def of(cls, section: PreprocessingSection) -> "PixelSettings":
        """Take what concerns pixels from a study's [preprocessing]."""
        return cls(
            image_size_px=section.image_size_px,
            roi_margin=section.roi_margin,
            harmonise=section.harmonise,
            stain=section.stain,
        )


def prepare(file: ImageFile, modality: ImageModality, *, settings: PixelSettings) -> torch.Tensor:
    """Read one image file into uint8 planes (C, S, S), the same in training and serving.

    Ultrasound: two planes, harmonised grey and lesion mask, cut to the ROI with its margin.
    Pathology: red, green, blue, of a slide or microscope image the rectangle `file.tile`.
    Raises `UnreadableImage` or `RoiError`.
    """
    if modality == "pathology":
        return _prepare_pathology(file, settings)
    return _prepare_ultrasound(file, settings)


def window_of(file: ImageFile, modality: ImageModality, *, settings: PixelSettings) -> Roi:
    """Return what `prepare` shows of the file, in pixels of what `open_picture` returns of it.

    Of a slide's tile that is the tile itself. Raises as `prepare` does.
    """
    picture = open_picture(file)
    height_px, width_px = picture.pixels.shape[:2]
    if modality == "pathology":
        return Roi(0, 0, width_px, height_px)
    _, box = _lesion(file, picture)
    return _around(box, picture, settings)


def resize_planes(planes: torch.Tensor, side_px: int) -> torch.Tensor:
    """Bring stored planes (B, C, S, S) to a network's own input side, uint8 again."""
    return planes if planes.shape[-1] == side_px else resize(planes, side_px)


def _prepare_pathology(file: ImageFile, settings: PixelSettings) -> torch.Tensor:
    side_px = settings.image_size_px
    if file.tile is not None and is_slide(file.path):
        from axilla.imaging.slides.tile_pixels import read_tile  # noqa: PLC0415 - SciPy, which is slow

        planes = _planes(read_tile(file.path, file.tile, side_px=side_px))
    else:
        pixels = open_picture(file).pixels
        # One colour at a time: as floats all of them would take four times the image.
        colours = [resize(_planes(pixels[:, :, c : c + 1]), side_px) for c in range(3)]
        planes = torch.cat(colours).round()
    stored = planes.to(torch.uint8)
    if settings.stain == "none":
        return stored
    rgb = np.ascontiguousarray(stored.permute(1, 2, 0).numpy())
    return torch.from_numpy(normalise_stain(rgb, settings.stain)).permute(2, 0, 1).contiguous()


def _prepare_ultrasound(file: ImageFile, settings: PixelSettings) -> torch.Tensor:
    picture = open_picture(file)
    lesion, box = _lesion(file, picture)
    cut = _around(box, picture, settings)
    window = np.s_[cut.top_px : cut.bottom_px, cut.left_px : cut.right_px]
    side_px = settings.image_size_px
    planes = torch.cat(
        [
            resize(torch.from_numpy(_grey(picture.pixels, cut))[None], side_px),
            resize(torch.from_numpy(lesion[window] * np.float32(255))[None], side_px),
        ]
    )
    if settings.harmonise:
        planes[0] = torch.from_numpy(harmonise(planes[0].numpy())) * 255
    return planes.round().clamp(0, 255).to(torch.uint8)


def _grey(pixels: NDArray[np.uint8], cut: Roi) -> NDArray[np.float32]:
    """Return the luma of a rectangle, strip by strip: in one go it takes 20 bytes per pixel."""
    grey = np.empty((cut.height_px, cut.width_px), dtype=np.float32)
    height = max(1, _STRIP_PIXELS // pixels.shape[1])
    for top in range(0, cut.height_px, height):
        rows = slice(cut.top_px + top, min(cut.top_px + top + height, cut.bottom_px))
        luma = pixels[rows].astype(np.float32) @ LUMA
        grey[top : top + height] = luma[:, cut.left_px : cut.right_px]
    return grey


def _around(box: Roi, picture: DecodedImage, settings: PixelSettings) -> Roi:
    """Return the lesion's box with its margin, as far as the image and its region go."""
    height_px, width_px = picture.pixels.shape[:2]
    cut = with_margin(box, settings.roi_margin, width_px=width_px, height_px=height_px)
    return (cut.overlap(picture.region) or cut) if picture.region else cut


def _lesion(file: ImageFile, picture: DecodedImage) -> tuple[NDArray[np.bool_], Roi]:
    """Return where the lesion is, and its box.

    Without any annotation that is the whole image, or its B-mode region where the file says so.
    """
    height_px, width_px = picture.pixels.shape[:2]
    if file.mask is not None:
        mask = decode_mask(file.mask)
        if mask.shape != (height_px, width_px):
            raise UnreadableImage(
                Problem(
                    file.mask.name,
                    f"a mask of {mask.shape[1]} x {mask.shape[0]} px",
                    f"{width_px} x {height_px} px, as its image {file.path.name}",
                    "Export the mask at the image's own size.",
                )
            )
        return mask, file.roi or roi_from_mask(mask)
    box = file.roi or picture.region or Roi(0, 0, width_px, height_px)
    if not box.inside(width_px=width_px, height_px=height_px):
        raise RoiError(
            Problem(
                file.path.name,
                f"ROI {box}",
                f"a rectangle inside {width_px} x {height_px} px",
                "Give left,top,width,height in pixels of the original image.",
            )
        )
    lesion = np.zeros((height_px, width_px), dtype=np.bool_)
    lesion[box.top_px : box.bottom_px, box.left_px : box.right_px] = True
    return lesion, box


def _planes(rgb: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)
