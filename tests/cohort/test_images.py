import io

import numpy as np
import pytest
from PIL import Image
from skimage import io as skimage_io

from axilla.imaging import raster
from axilla.imaging.raster import decode, decode_mask, image_size
from axilla.records.errors import UnreadableImage

RNG = np.random.default_rng(7)
COLOUR = RNG.integers(0, 256, (5, 8, 3), dtype=np.uint8)
GRAY = COLOUR[:, :, 0]


def save(tmp_path, pixels, name, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.TIFF"])
def test_lossless_colour_is_exact(tmp_path, name):
    path = save(tmp_path, COLOUR, name)
    pixels = decode(path)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, COLOUR)
    assert image_size(path) == (8, 5)


@pytest.mark.parametrize("name", ["P002_us.jpg", "P002_he.jpg"])
def test_sample_images_match_another_reader(sample, name):
    pixels = decode(sample / "images" / name)
    other = skimage_io.imread(sample / "images" / name)
    other = np.repeat(other[:, :, None], 3, axis=2) if other.ndim == 2 else other
    assert np.array_equal(pixels, other)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_gray_fills_three_channels(tmp_path, name):
    pixels = decode(save(tmp_path, GRAY, name))
    assert np.array_equal(pixels, np.repeat(GRAY[:, :, None], 3, axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_rgb(tmp_path, mode):
    flat = Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode)
    suffix = "tif" if mode in ("CMYK", "YCbCr") else "png"
    pixels = decode(save(tmp_path, flat, f"a.{suffix}"))
    assert pixels.shape == (4, 6, 3)
    assert pixels.min() >= 254


def test_palette_and_transparency(tmp_path):
    palette = Image.fromarray(COLOUR).quantize(256)
    assert np.array_equal(
        decode(save(tmp_path, palette, "p.png")), np.array(palette.convert("RGB"))
    )
    clear = np.dstack([COLOUR, np.zeros((5, 8), np.uint8)])
    assert np.array_equal(decode(save(tmp_path, clear, "c.png")), COLOUR)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize(("top", "full"), [(200, 255), (4000, 4095), (60000, 65535)])
def test_sixteen_bits_scale_by_the_range_in_use(tmp_path, name, top, full):
    deep = np.array([[0, top // 2, top]], dtype=np.uint16)
    pixels = decode(save(tmp_path, deep, name))
    assert pixels[0, :, 1].tolist() == [round(int(v) * 255 / full) for v in deep[0]]


def test_sixteen_bit_colour(tmp_path):
    deep = COLOUR.astype(np.uint16) * 257
    skimage_io.imsave(tmp_path / "a.tif", deep, check_contrast=False)
    assert np.array_equal(decode(tmp_path / "a.tif"), COLOUR)


@pytest.mark.parametrize(
    ("name", "deep"),
    [("a.png", False), ("a.png", True), ("a.jpg", False), ("a.tif", False), ("a.tif", True)],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, *, name, deep, orientation):
    stored = np.zeros((20, 40), np.uint16 if deep else np.uint8)
    stored[:10, :20] = 255  # top left as stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, stored, name, exif=exif)
    upright = decode(path)[:, :, 0] > 127
    turn = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).T,
        8: np.rot90,
    }[orientation]
    assert np.array_equal(upright, turn(stored > 127))
    assert image_size(path) == upright.shape[::-1]
    assert np.array_equal(decode_mask(path), upright)


def test_masks(tmp_path):
    marked = np.zeros((30, 40), bool)
    marked[8:24, 16:32] = True
    for name, pixels in {
        "bit.png": Image.fromarray(marked),
        "label.png": marked.astype(np.uint8),
        "two.png": marked * RNG.integers(1, 3, marked.shape).astype(np.uint8),
        "deep.png": marked.astype(np.uint16),
        "gray.bmp": marked.astype(np.uint8) * 255,
        "lossy.jpg": marked.astype(np.uint8) * 255,
        "alpha.png": np.dstack([np.full((30, 40, 3), 255, np.uint8), marked * np.uint8(255)]),
    }.items():
        mask = decode_mask(save(tmp_path, pixels, name))
        assert mask.dtype == np.bool_
        assert np.array_equal(mask, marked), name


def test_size_reads_the_header_only(tmp_path):
    whole = save(tmp_path, RNG.integers(0, 256, (300, 200), dtype=np.uint8), "a.png").read_bytes()
    path = tmp_path / "cut.png"
    path.write_bytes(whole[:2000])
    assert image_size(path) == (200, 300)
    with pytest.raises(UnreadableImage, match=r"cut\.png: found a damaged or truncated file"):
        decode(path)


@pytest.mark.parametrize("read", [decode, decode_mask, image_size])
def test_unreadable_files(tmp_path, read):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path, COLOUR, "a.gif")
    for name in ("none.png", "empty.png", "text.jpg", "folder.png", "a.gif"):
        with pytest.raises(UnreadableImage) as caught:
            read(tmp_path / name)
        (problem,) = caught.value.problems
        assert problem.place == name
        assert problem.found
        assert problem.expected
        assert problem.remedy
        assert str(tmp_path) not in str(caught.value)


def test_floating_point_pixels_are_refused(tmp_path):
    path = save(tmp_path, np.ones((3, 3), np.float32), "a.tif")
    with pytest.raises(UnreadableImage, match="floating point"):
        decode(path)


def test_values_beyond_sixteen_bits_are_refused(tmp_path):
    path = save(tmp_path, np.array([[0, 70000]], np.int32), "a.tif")
    with pytest.raises(UnreadableImage, match="gray values from 0 to 70000"):
        decode(path)


def test_bombs_are_refused_by_their_header(tmp_path, monkeypatch):
    path = save(tmp_path, GRAY, "a.png")
    monkeypatch.setattr(raster, "MAX_PIXELS", 39)
    with pytest.raises(UnreadableImage, match="found 8 x 5 px; expected at most"):
        image_size(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UnreadableImage, match="megapixels"):
        decode(path)


@pytest.mark.filterwarnings("ignore::Warning:PIL")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_damaged_files_decode_or_say_so(tmp_path, kind, options):
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOUR).save(stream, kind, exif=exif, **options)
    whole, path = stream.getvalue(), tmp_path / "a.img"
    for _ in range(300):
        damaged = bytearray(whole)
        for position in RNG.integers(0, len(whole), 3):
            damaged[position] = RNG.integers(0, 256)
        path.write_bytes(damaged[: RNG.integers(1, len(whole) + 1)])
        for read in (decode, decode_mask, image_size):
            try:
                read(path)
            except UnreadableImage as error:
                assert error.problems  # noqa: PT017


def modes():
    turned = Image.Exif()
    turned[0x0112] = 6
    alpha = np.dstack([COLOUR, RNG.integers(0, 2, (5, 8), dtype=np.uint8)])
    return {
        "gray.png": (GRAY, {}),
        "colour.jpg": (COLOUR, {}),
        "alpha.png": (alpha, {}),
        "palette.png": (Image.fromarray(COLOUR).quantize(9), {"transparency": 2}),
        "bit.png": (GRAY > 99, {}),
        "deep.png": (GRAY.astype(np.uint16) * 200, {}),
        "turned.tif": (COLOUR, {"exif": turned}),
        "turned.png": (COLOUR, {"exif": turned}),
    }


@pytest.mark.parametrize("name", modes())
def test_strips_join_without_a_seam(tmp_path, monkeypatch, name):
    pixels, options = modes()[name]
    path = save(tmp_path, pixels, name, **options)
    whole, mask = decode(path), decode_mask(path)
    monkeypatch.setattr(raster, "_STRIP_PIXELS", 9)
    assert np.array_equal(decode(path), whole)
    assert np.array_equal(decode_mask(path), mask)


@pytest.mark.parametrize("size", [(70_000, 1), (1, 70_000)])
def test_a_side_that_no_image_has_is_refused(tmp_path, size):
    path = save(tmp_path, Image.new("L", size), "a.png")
    with pytest.raises(UnreadableImage, match="65535 px a side"):
        image_size(path)


def test_endless_jpeg_scans_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path, COLOUR, "a.jpg", progressive=True)
    scans = path.read_bytes().count(b"\xff\xda")
    assert scans > 3
    monkeypatch.setattr(raster, "_MAX_SCAN_PIXELS", scans * GRAY.size)
    monkeypatch.setattr(raster, "_CHUNK_BYTES", 2)  # markers fall between chunks
    decode(path)
    monkeypatch.setattr(raster, "_MAX_SCAN_PIXELS", scans * GRAY.size - 1)
    with pytest.raises(UnreadableImage, match=f"a JPEG of {scans} scans"):
        decode(path)
    assert image_size(path) == (8, 5)
