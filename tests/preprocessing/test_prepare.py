"""One image file into planes: against numpy slicing, torchvision and scikit-image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.exposure import equalize_hist
from torchvision.transforms.v2 import functional as transforms

from axilla.annotation.boxes import roi_from_mask, with_margin
from axilla.config.study import PreprocessingSection
from axilla.imaging.slides.tile_pixels import read_tile
from axilla.preprocessing.prepare import PixelSettings, prepare, resize_planes
from axilla.preprocessing.stain import normalise_stain
from axilla.records.errors import RoiError, UnreadableImage
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi

SVS = Path(__file__).parents[1] / "cohort" / "data" / "cmu_small_region.svs"
RNG = np.random.default_rng(11)
GREY = RNG.integers(0, 256, (60, 90), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (50, 40, 3), dtype=np.uint8)
PLAIN = PixelSettings(image_size_px=32, roi_margin=0.25, harmonise=False)


@pytest.fixture
def save(tmp_path):
    def write(pixels, name="image.png"):
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return write


def mask_of(roi, shape=GREY.shape):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[roi.top_px : roi.bottom_px, roi.left_px : roi.right_px] = 255
    return mask


def scaled(plane, side=32):
    tensor = torch.from_numpy(plane.astype(np.float32))[None]
    return transforms.resize(tensor, [side, side], antialias=True)[0]


def close(planes, expected):
    """Tell whether they differ by no more than the rounding to whole grey values."""
    return (planes.float() - expected).abs().max() <= 0.501


def test_pathology_is_resized_as_torchvision_resizes(save):
    planes = prepare(ImageFile(save(COLOUR)), "pathology", settings=PLAIN)
    assert planes.dtype == torch.uint8
    assert planes.shape == (3, 32, 32)
    for channel in range(3):
        assert close(planes[channel], scaled(COLOUR[:, :, channel]))


def test_pathology_heeds_neither_roi_nor_harmonising(save):
    path = save(COLOUR)
    harmonising = PixelSettings(image_size_px=32, roi_margin=0.25, harmonise=True)
    plain = prepare(ImageFile(path), "pathology", settings=PLAIN)
    other = prepare(ImageFile(path, roi=Roi(0, 0, 9, 9)), "pathology", settings=harmonising)
    assert torch.equal(plain, other)


def test_the_roi_is_cut_with_its_margin(save):
    roi = Roi(left_px=20, top_px=10, width_px=24, height_px=16)
    planes = prepare(ImageFile(save(GREY), roi=roi), "ultrasound", settings=PLAIN)
    assert planes.shape == (2, 32, 32)
    # A quarter of each side more: 6 px across, 4 px down.
    assert close(planes[0], scaled(GREY[6:30, 14:50]))
    assert close(planes[1], scaled(mask_of(roi)[6:30, 14:50]))


def test_the_margin_stops_at_the_image(save):
    roi = Roi(left_px=70, top_px=0, width_px=20, height_px=20)
    planes = prepare(ImageFile(save(GREY), roi=roi), "ultrasound", settings=PLAIN)
    assert close(planes[0], scaled(GREY[0:25, 65:90]))
    assert close(planes[1], scaled(mask_of(roi)[0:25, 65:90]))


def test_without_a_margin_the_roi_fills_the_mask_plane(save):
    tight = PixelSettings(image_size_px=32, roi_margin=0.0, harmonise=False)
    roi = Roi(left_px=5, top_px=7, width_px=33, height_px=21)
    planes = prepare(ImageFile(save(GREY), roi=roi), "ultrasound", settings=tight)
    assert close(planes[0], scaled(GREY[7:28, 5:38]))
    assert (planes[1] == 255).all()


def test_a_mask_brings_its_own_box_and_shape(save):
    mask = np.zeros(GREY.shape, dtype=np.uint8)
    rows, columns = np.ogrid[:60, :90]
    mask[(rows - 30) ** 2 + (columns - 40) ** 2 < 144] = 255
    file = ImageFile(save(GREY), mask=save(mask, "mask.png"))
    planes = prepare(file, "ultrasound", settings=PLAIN)
    box = with_margin(roi_from_mask(mask > 0), 0.25, width_px=90, height_px=60)
    window = np.s_[box.top_px : box.bottom_px, box.left_px : box.right_px]
    assert close(planes[0], scaled(GREY[window]))
    assert close(planes[1], scaled(mask[window]))


def test_a_given_roi_decides_the_window_and_the_mask_the_lesion(save):
    inner, outer = Roi(30, 20, 10, 10), Roi(20, 12, 40, 32)
    file = ImageFile(save(GREY), roi=outer, mask=save(mask_of(inner), "mask.png"))
    planes = prepare(file, "ultrasound", settings=PLAIN)
    assert close(planes[0], scaled(GREY[4:52, 10:70]))
    assert close(planes[1], scaled(mask_of(inner)[4:52, 10:70]))


def test_mask_and_image_planes_stay_aligned(save):
    roi = Roi(left_px=31, top_px=17, width_px=25, height_px=19)
    bright = mask_of(roi)
    file = ImageFile(save(bright), mask=save(bright, "mask.png"))
    planes = prepare(file, "ultrasound", settings=PLAIN)
    assert torch.equal(planes[0], planes[1])


def test_without_any_annotation_the_whole_image_is_the_lesion(save):
    planes = prepare(ImageFile(save(GREY)), "ultrasound", settings=PLAIN)
    assert close(planes[0], scaled(GREY))
    assert (planes[1] == 255).all()


def test_colour_ultrasound_becomes_luma_as_pillow_makes_it(save):
    planes = prepare(ImageFile(save(COLOUR)), "ultrasound", settings=PLAIN)
    luma = np.asarray(Image.fromarray(COLOUR).convert("L"))
    assert (planes[0].float() - scaled(luma)).abs().max() <= 1.5


def test_harmonising_comes_after_cut_and_scale(save):
    settings = PixelSettings(image_size_px=32, roi_margin=0.25, harmonise=True)
    roi = Roi(left_px=20, top_px=10, width_px=24, height_px=16)
    planes = prepare(ImageFile(save(GREY), roi=roi), "ultrasound", settings=settings)
    cut = scaled(GREY[6:30, 14:50]).numpy()
    expected = equalize_hist((cut - cut.mean()) / cut.std()) * 255
    assert np.abs(planes[0].numpy() - expected).max() <= 2
    assert close(planes[1], scaled(mask_of(roi)[6:30, 14:50]))


def test_a_blank_ultrasound_is_mid_grey(save):
    settings = PixelSettings(image_size_px=224, roi_margin=0.25, harmonise=True)
    blank = np.full((301, 173), 200, dtype=np.uint8)
    planes = prepare(ImageFile(save(blank)), "ultrasound", settings=settings)
    assert planes[0].unique().tolist() == [128]


@pytest.mark.parametrize("roi", [Roi(80, 0, 11, 5), Roi(-1, 0, 5, 5), Roi(0, 58, 5, 3)])
def test_an_roi_that_leaves_the_image_is_refused(save, roi):
    with pytest.raises(RoiError, match="a rectangle inside 90 x 60 px"):
        prepare(ImageFile(save(GREY), roi=roi), "ultrasound", settings=PLAIN)


def test_an_roi_beside_the_image_is_refused_with_a_mask_too(save):
    file = ImageFile(save(GREY), roi=Roi(200, 0, 5, 5), mask=save(GREY, "mask.png"))
    with pytest.raises(RoiError):
        prepare(file, "ultrasound", settings=PLAIN)


def test_a_mask_of_another_size_is_refused(save):
    file = ImageFile(save(GREY), mask=save(GREY.T.copy(), "mask.png"))
    with pytest.raises(UnreadableImage, match="60 x 90 px") as caught:
        prepare(file, "ultrasound", settings=PLAIN)
    assert caught.value.problems[0].place == "mask.png"
    assert "90 x 60 px" in caught.value.problems[0].expected


def test_an_empty_mask_is_refused(save):
    file = ImageFile(save(GREY), mask=save(np.zeros_like(GREY), "mask.png"))
    with pytest.raises(RoiError, match="no marked pixel"):
        prepare(file, "ultrasound", settings=PLAIN)


def test_stored_planes_are_brought_to_another_side():
    planes = torch.from_numpy(RNG.integers(0, 256, (3, 2, 40, 40), dtype=np.uint8))
    assert resize_planes(planes, 40) is planes
    small = resize_planes(planes, 24)
    assert small.dtype == torch.uint8
    expected = transforms.resize(planes.float(), [24, 24], antialias=True)
    assert (small.float() - expected).abs().max() <= 1.5


def test_pixel_settings_are_those_of_the_study():
    section = PreprocessingSection(image_size_px=96, roi_margin=0.1, harmonise=False)
    assert PixelSettings.of(section) == PixelSettings(96, roi_margin=0.1, harmonise=False)


def test_a_slides_tile_is_read_at_the_input_side():
    tile = Roi(998, 1147, 224, 224)
    settings = PixelSettings(image_size_px=112, roi_margin=0.25, harmonise=True)
    planes = prepare(ImageFile(SVS, tile=tile), "pathology", settings=settings)
    expected = read_tile(SVS, tile, side_px=112)
    assert np.array_equal(planes.permute(1, 2, 0).numpy(), expected)
    stained = prepare(
        ImageFile(SVS, tile=tile), "pathology", settings=replace(settings, stain="macenko")
    )
    assert np.array_equal(stained.permute(1, 2, 0).numpy(), normalise_stain(expected, "macenko"))
    assert not torch.equal(stained, planes)


def test_a_microscope_images_tile_is_that_rectangle(save):
    tile = Roi(5, 10, 20, 20)
    path = save(COLOUR)
    planes = prepare(ImageFile(path, tile=tile), "pathology", settings=PLAIN)
    cut = save(COLOUR[10:30, 5:25], "cut.png")
    assert torch.equal(planes, prepare(ImageFile(cut), "pathology", settings=PLAIN))
