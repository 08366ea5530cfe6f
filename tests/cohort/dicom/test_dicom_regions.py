import numpy as np
import pytest

from axilla.imaging.dicom.dicom_reader import read_dicom


def read(make, tmp_path, pixels, *regions, **changes):
    if regions:
        changes["SequenceOfUltrasoundRegions"] = list(regions)
    return read_dicom(make.saved(make.ultrasound(pixels, **changes), tmp_path / "a.dcm"))


def codes(picture):
    return [code for code, _ in picture.remarks]


def test_pixels_outside_the_region_are_black(tmp_path, breast, make):
    picture = read(make, tmp_path, breast, make.region(20, 30, 219, 179))
    assert str(picture.region) == "20,30,200,150"
    assert picture.pixel_mm == pytest.approx(0.05)
    assert picture.remarks == ()
    expected = np.zeros_like(breast)
    expected[30:180, 20:220] = breast[30:180, 20:220]
    assert np.array_equal(picture.pixels[:, :, 1], expected)


def test_without_regions_the_whole_frame_stays(tmp_path, breast, make):
    picture = read(make, tmp_path, breast)
    assert picture.region is None
    assert picture.pixel_mm is None
    assert picture.remarks == ()
    assert np.array_equal(picture.pixels[:, :, 0], breast)


def test_a_split_screen(tmp_path, breast, make):
    picture = read(
        make, tmp_path, breast, make.region(0, 20, 149, 199), make.region(170, 20, 319, 199)
    )
    assert codes(picture) == ["split_screen"]
    assert str(picture.region) == "0,20,320,180"
    assert picture.pixel_mm == pytest.approx(0.05)
    assert not picture.pixels[:, 150:170].any()
    assert np.array_equal(picture.pixels[20:200, 170:, 0], breast[20:200, 170:])


def test_two_scales_are_not_averaged(tmp_path, breast, make):
    left = make.region(0, 20, 149, 199)
    picture = read(make, tmp_path, breast, left, make.region(170, 20, 319, 199, cm=0.006))
    assert codes(picture) == ["split_screen", "calibration"]
    assert picture.pixel_mm is None


def test_the_same_region_twice_is_no_split_screen(tmp_path, breast, make):
    picture = read(
        make, tmp_path, breast, make.region(0, 20, 149, 199), make.region(5, 25, 149, 199)
    )
    assert codes(picture) == []
    assert str(picture.region) == "0,20,150,180"


@pytest.mark.parametrize(
    ("spatial", "data", "word"),
    [(1, 2, "colour flow"), (2, 1, "M-mode"), (3, 3, "spectral Doppler"), (3, 4, "spectral")],
)
def test_doppler_is_noticed(tmp_path, breast, make, *, spatial, data, word):
    other = make.region(0, 200, 319, 239, spatial=spatial, data=data)
    picture = read(make, tmp_path, breast, make.region(20, 30, 219, 179), other)
    assert codes(picture) == ["doppler"]
    assert word in picture.remarks[0][1].found
    assert str(picture.region) == "20,30,200,150"


@pytest.mark.parametrize("data", [0xA, 0xB, 0xD, 0xE])
def test_other_regions_are_no_doppler(tmp_path, breast, make, data):
    bar = make.region(300, 0, 319, 100, spatial=5, data=data)
    picture = read(make, tmp_path, breast, make.region(20, 30, 219, 179), bar)
    assert codes(picture) == []


def test_colour_flow_alone_is_the_picture(tmp_path, breast, make):
    picture = read(make, tmp_path, breast, make.region(20, 30, 219, 179, data=2))
    assert codes(picture) == ["doppler"]
    assert str(picture.region) == "20,30,200,150"


@pytest.mark.parametrize(
    "changes",
    [
        {"PhysicalDeltaX": 0.00503, "PhysicalDeltaY": 0.00497, "plausible": True},
        {"PhysicalDeltaX": 0.0052},  # 4 % from square
        {"PhysicalDeltaX": 0.0, "PhysicalDeltaY": 0.0},
        {"PhysicalDeltaX": -0.005, "PhysicalDeltaY": -0.005},
        {"PhysicalDeltaY": -0.005},
        {"PhysicalDeltaX": 0.2, "PhysicalDeltaY": 0.2},
        {"PhysicalDeltaX": 0.0002, "PhysicalDeltaY": 0.0002},
        {"PhysicalDeltaX": 1e300, "PhysicalDeltaY": 1e300},
        {"PhysicalUnitsXDirection": 0},
        {"PhysicalUnitsYDirection": 4},  # seconds
    ],
)
def test_implausible_calibration_is_refused(tmp_path, breast, make, changes):
    plausible = changes.pop("plausible", False)
    picture = read(make, tmp_path, breast, make.region(20, 30, 219, 179, **changes))
    assert codes(picture) == ([] if plausible else ["calibration"])
    assert (picture.pixel_mm is not None) == plausible
    assert str(picture.region) == "20,30,200,150"


@pytest.mark.parametrize("tag", ["PixelSpacing", "ImagerPixelSpacing"])
@pytest.mark.parametrize(
    ("spacing", "side"), [([0.1, 0.1], 0.1), ([1, 1], None), ([0.1, 0.2], None), ([0, 0], None)]
)
def test_spacing_without_regions(tmp_path, breast, make, *, tag, spacing, side):
    picture = read(make, tmp_path, breast, **{tag: spacing})
    assert picture.pixel_mm == (None if side is None else pytest.approx(side))
    assert codes(picture) == ([] if side else ["calibration"])


def test_regions_beat_the_spacing(tmp_path, breast, make):
    picture = read(make, tmp_path, breast, make.region(20, 30, 219, 179), PixelSpacing=[0.2, 0.2])
    assert picture.pixel_mm == pytest.approx(0.05)


def test_the_last_column_may_be_one_too_far(tmp_path, breast, make):
    picture = read(make, tmp_path, breast, make.region(20, 30, 320, 240))
    assert str(picture.region) == "20,30,300,210"
    assert codes(picture) == []


def test_a_frame_cropped_below_keeps_its_scale(tmp_path, breast, make):
    picture = read(make, tmp_path, breast, make.region(20, 30, 319, 500))
    assert str(picture.region) == "20,30,300,210"
    assert picture.pixel_mm == pytest.approx(0.05)
    assert codes(picture) == ["calibration"]


@pytest.mark.parametrize("edges", [(60, 40, 560, 420), (60, 40, 250, 420)])
def test_a_frame_at_half_size_loses_its_scale(tmp_path, breast, make, edges):
    picture = read(make, tmp_path, breast, make.region(*edges))
    assert picture.pixel_mm is None
    assert codes(picture) == ["calibration"]
    region = picture.region
    assert (region.left_px, region.top_px) == (30, 20)
    # Where the picture lies at full size and at half size.
    assert region.right_px >= min(edges[2] // 2, 320)
    assert region.bottom_px >= edges[3] // 2


@pytest.mark.parametrize("edges", [(5000, 5000, 6000, 6000), (50, 50, 10, 10), (7, 7, 7, 7)])
def test_regions_without_area_are_left_out(tmp_path, breast, make, edges):
    picture = read(make, tmp_path, breast, make.region(*edges))
    assert picture.pixel_mm is None
    assert codes(picture) == ["calibration"]


def test_burned_in_text_by_the_files_own_word(tmp_path, breast, make):
    assert codes(read(make, tmp_path, breast, BurnedInAnnotation="YES")) == ["burned_in_text"]
    region = make.region(20, 30, 219, 179)
    assert codes(read(make, tmp_path, breast, region, BurnedInAnnotation="YES")) == []
    assert codes(read(make, tmp_path, breast, BurnedInAnnotation="NO")) == []
