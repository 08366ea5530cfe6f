import struct

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi_lut,
    convert_color_space,
)

from axilla.imaging.dicom.dicom_reader import read_dicom
from axilla.records.errors import UnreadableImage

RNG = np.random.default_rng(3)
DEEP = RNG.integers(0, 4096, (30, 40), dtype=np.uint16)
TWELVE = {"BitsStored": 12, "HighBit": 11}


def gray_of(make, tmp_path, dataset):
    pixels = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    assert np.array_equal(pixels[:, :, 0], pixels[:, :, 2])
    return pixels[:, :, 0]


def by_pydicom(pixels, dataset, *, top):
    """pydicom's modality and VOI transforms, whose outputs run from 0 to `top`."""
    shown = np.asarray(apply_voi_lut(apply_modality_lut(pixels, dataset), dataset), float)
    return np.rint(np.clip(shown, 0, top) * (255 / top))


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # pydicom's own
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(2048, 4096), (1000, 300), (40.5, 1.0), (3000, 2)])
def test_windows_match_pydicom(tmp_path, make, function, centre, width):
    dataset = make.ultrasound(
        DEEP, WindowCenter=centre, WindowWidth=width, VOILUTFunction=function, **TWELVE
    )
    found = gray_of(make, tmp_path, dataset)
    assert np.abs(found - by_pydicom(DEEP, dataset, top=4095)).max() <= 1


def test_rescale_shifts_the_window(tmp_path, make):
    dataset = make.ultrasound(DEEP, WindowCenter=0, WindowWidth=1000, **TWELVE)
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-1000"
    # Stored 1000 is -500, the window's lower end; stored 3000 is 500.
    found = gray_of(make, tmp_path, dataset).astype(float)
    expected = np.clip((DEEP * 0.5 - 1000 + 0.5) / 999 + 0.5, 0, 1) * 255
    assert np.abs(found - expected).max() <= 0.51


def test_signed_values(tmp_path, make):
    signed = DEEP.astype(np.int16) - 2048
    stored = (signed & 0x0FFF).astype(np.uint16)  # upper bits unused
    dataset = make.ultrasound(stored, PixelRepresentation=1, **TWELVE)
    dataset.WindowCenter, dataset.WindowWidth = -1000, 200
    found = gray_of(make, tmp_path, dataset)
    expected = np.clip((signed + 1000.5) / 199 + 0.5, 0, 1) * 255
    assert np.abs(found - expected).max() <= 0.51


def test_tables_match_pydicom(tmp_path, make):
    modality, voi = Dataset(), Dataset()
    modality.LUTDescriptor = [4096, 0, 16]
    modality.LUTData = (np.arange(4096, dtype="<u2") // 16).tobytes()
    voi.LUTDescriptor = [256, 0, 8]
    voi.LUTData = (255 - np.arange(256, dtype="<u2")).tobytes()
    for item in (modality, voi):
        item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    modality.ModalityLUTType = "US"
    dataset = make.ultrasound(DEEP, ModalityLUTSequence=[modality], VOILUTSequence=[voi], **TWELVE)
    found = gray_of(make, tmp_path, dataset)
    assert np.array_equal(found, by_pydicom(DEEP, dataset, top=255))
    assert found[DEEP < 16].min() == 255


def test_monochrome1_is_inverted(tmp_path, breast, make):
    dataset = make.ultrasound(breast, photometric="MONOCHROME1")
    assert np.array_equal(gray_of(make, tmp_path, dataset), 255 - breast)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 16])
def test_without_a_window_the_range_is_that_of_the_bits(tmp_path, make, bits):
    top = (1 << bits) - 1
    ramp = np.linspace(0, top, 1200).astype(np.uint16).reshape(30, 40)
    dataset = make.ultrasound(ramp, BitsStored=bits, HighBit=bits - 1)
    found = gray_of(make, tmp_path, dataset)
    assert np.array_equal(found, np.rint(ramp * (255 / top)))


def test_values_in_the_upper_bits(tmp_path, make):
    dataset = make.ultrasound(DEEP << 4, BitsStored=12, HighBit=15)
    assert np.array_equal(gray_of(make, tmp_path, dataset), np.rint(DEEP * (255 / 4095)))


@pytest.mark.parametrize("width", [40, 41])
def test_ybr_matches_pydicom(tmp_path, make, width):
    ybr = RNG.integers(0, 256, (30, width, 3), dtype=np.uint8)
    dataset = make.ultrasound(ybr, photometric="YBR_FULL")
    found = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    assert np.abs(found.astype(int) - convert_color_space(ybr, "YBR_FULL", "RGB")).max() <= 1


@pytest.mark.parametrize("wide", [False, True])
def test_ybr_422_in_pairs_or_with_a_value_for_each_pixel(tmp_path, make, wide):
    ybr = np.repeat(RNG.integers(0, 256, (30, 20, 3), dtype=np.uint8), 2, axis=1)
    ybr[:, :, 0] = RNG.integers(0, 256, (30, 40))
    dataset = make.ultrasound(ybr, photometric="YBR_FULL_422")
    if not wide:
        pairs = np.stack(
            [ybr[:, 0::2, 0], ybr[:, 1::2, 0], ybr[:, 0::2, 1], ybr[:, 0::2, 2]], axis=2
        )
        dataset.PixelData = pairs.tobytes()
    found = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    assert np.abs(found.astype(int) - convert_color_space(ybr, "YBR_FULL", "RGB")).max() <= 1


def with_palette(make, tables, *, first=0, depth=16, count=256, segmented=False):
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    dataset = make.ultrasound(indices, photometric="PALETTE COLOR")
    for channel, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        name = f"{channel}PaletteColorLookupTable"
        setattr(dataset, f"{name}Descriptor", [count, first, depth])
        dataset[f"{name}Descriptor"].VR = "US"
        setattr(dataset, f"Segmented{name}Data" if segmented else f"{name}Data", table)
    return indices, dataset


@pytest.mark.parametrize(("first", "count"), [(0, 256), (20, 100)])
def test_palettes_match_pydicom(tmp_path, make, first, count):
    tables = [RNG.integers(0, 65536, count, dtype=np.uint16) for _ in range(3)]
    indices, dataset = with_palette(
        make, [table.tobytes() for table in tables], first=first, count=count
    )
    found = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    assert np.array_equal(found, apply_color_lut(indices, dataset) >> 8)


def test_eight_bit_palettes(tmp_path, make):
    tables = [RNG.integers(0, 256, 256, dtype=np.uint8) for _ in range(3)]
    indices, dataset = with_palette(make, [table.tobytes() for table in tables], depth=8)
    found = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    assert np.array_equal(found, np.stack([table[indices] for table in tables], axis=2))
    # The same colours in 16-bit words, declared as 16 bits deep, as some scanners do.
    words = [table.astype("<u2").tobytes() for table in tables]
    _, dataset = with_palette(make, words)
    assert np.array_equal(read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels, found)


def test_segmented_palettes_match_pydicom(tmp_path, make):
    # Four values, a line of 100 to 60000, the line again (by reference), then a line down.
    segments = [0, 4, 5, 600, 7000, 100, 1, 100, 60000, 2, 1, 6, 0, 1, 52, 0]
    table = struct.pack("<16H", *segments)
    indices, dataset = with_palette(make, [table] * 3, segmented=True)
    found = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    other = (apply_color_lut(indices, dataset) >> 8).astype(int)
    assert np.abs(found - other).max() <= 1


@pytest.mark.parametrize(
    "segments",
    [
        [2, 1, 0, 0],  # refers to itself
        [1, 5, 100],  # a line from nowhere
        [0, 200, 1, 2, 3],  # cut short
        [7, 1, 1],  # unknown
        [0, 1, 9, 2, 65535, 0, 0],  # too short in the end
    ],
)
def test_broken_segments_are_refused(tmp_path, make, segments):
    table = struct.pack(f"<{len(segments)}H", *segments)
    _, dataset = with_palette(make, [table] * 3, segmented=True)
    with pytest.raises(UnreadableImage, match="a damaged palette"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_short_palettes_are_refused(tmp_path, make):
    _, dataset = with_palette(make, [b"\0" * 100] * 3)
    with pytest.raises(UnreadableImage, match="a damaged palette"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))
