import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut

from axilla.imaging.dicom.dicom_reader import dicom_size, frames_in, read_dicom
from axilla.imaging.dicom.frames import sharpest, sharpness
from axilla.imaging.dicom.signature import is_dicom
from axilla.records.errors import UnreadableImage

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
ULTRASOUND_CLASSES = ("1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1")


def shipped_ultrasound():
    found = []
    for path in sorted(SHIPPED.rglob("*")):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom ships malformed files too
                header = pydicom.dcmread(path, specific_tags=["Modality", "SOPClassUID"])
            classed = header.get("SOPClassUID") in ULTRASOUND_CLASSES
            if header.get("Modality") == "US" or classed:
                found.append(path)
    return found


def other_decoder(path, index):
    """RGB of a frame without axilla's code: direct bytes, or Pillow for JPEG and JPEG 2000."""
    dataset = pydicom.dcmread(path)
    shape = (dataset.Rows, dataset.Columns)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = int(dataset.get("NumberOfFrames", 1))
        stream = get_frame(dataset.PixelData, index, number_of_frames=frames)
        return np.asarray(Image.open(io.BytesIO(stream)).convert("RGB"))
    stored = np.frombuffer(dataset.PixelData, np.uint8)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return apply_color_lut(stored[: shape[0] * shape[1]].reshape(shape), dataset) >> 8
    planes = stored[: shape[0] * shape[1] * 3]
    if dataset.PlanarConfiguration == 1:
        return planes.reshape(3, *shape).transpose(1, 2, 0)
    return planes.reshape(*shape, 3)


def test_ultrasound_files_are_shipped():
    assert {"ExplVR_BigEnd.dcm", "examples_palette.dcm"} <= {p.name for p in shipped_ultrasound()}


@pytest.mark.parametrize("path", shipped_ultrasound(), ids=lambda path: path.name)
def test_every_shipped_ultrasound_file_matches_another_decoder(path):
    picture = read_dicom(path)
    assert picture.pixels.dtype == np.uint8
    assert is_dicom(path)
    assert dicom_size(path) == picture.pixels.shape[1::-1]
    other = other_decoder(path, int(picture.tags["Frame"]) - 1)
    inside = np.ones(other.shape[:2], bool)
    if region := picture.region:
        inside[:] = False
        inside[region.top_px : region.bottom_px, region.left_px : region.right_px] = True
    assert np.array_equal(picture.pixels[inside], other[inside])
    assert not picture.pixels[~inside].any()


def test_a_calibrated_region_of_a_cropped_frame():
    picture = read_dicom(SHIPPED / "examples_palette.dcm")
    assert str(picture.region) == "120,60,680,290"
    assert picture.pixel_mm == pytest.approx(0.2622878766)
    assert [code for code, _ in picture.remarks] == ["calibration"]
    assert picture.tags["TransducerType"] == "CURVED LINEAR"


def test_a_region_of_a_frame_at_half_size_keeps_the_picture_and_drops_the_name():
    path = SHIPPED / "examples_ybr_color.dcm"
    picture = read_dicom(path)
    assert picture.pixel_mm is None
    assert [code for code, _ in picture.remarks] == ["calibration"]
    other = other_decoder(path, int(picture.tags["Frame"]) - 1)
    assert other[:13, :40].max() > 100  # "PLA", the patient's name
    assert not picture.pixels[:13].any()
    assert np.array_equal(picture.pixels[16:200, 45:290], other[16:200, 45:290])


def test_the_frame_asked_for_or_the_sharpest():
    path = SHIPPED / "examples_ybr_color.dcm"
    assert frames_in(path) == 30
    region = read_dicom(path).region
    rows = slice(region.top_px, region.bottom_px)
    columns = slice(region.left_px, region.right_px)
    scores = []
    for number in range(1, 31):
        picture = read_dicom(path, frame=number)
        assert picture.tags["Frame"] == str(number)
        scores.append(sharpness(picture.pixels[rows, columns]))
    assert read_dicom(path).tags["Frame"] == str(int(np.argmax(scores)) + 1)
    for number in (0, -1, 31):
        with pytest.raises(UnreadableImage, match="expected a frame from 1 to 30"):
            read_dicom(path, frame=number)


def test_blur_lowers_sharpness(breast):
    blurred = (breast[:-1].astype(int) + breast[1:]) // 2
    assert sharpness(blurred.astype(np.uint8)) < 0.7 * sharpness(breast)
    colour = np.repeat(breast[:, :, None], 3, axis=2)
    assert sharpness(colour) == pytest.approx(sharpness(breast), rel=1e-4)


@pytest.mark.parametrize("clearest", [0, 7, 24, 40])
def test_long_clips_are_searched_in_steps(monkeypatch, breast, clearest):
    blurred = [breast]
    for _ in range(41):
        last = blurred[-1].astype(int)
        blurred.append(((last[:, :-2] + 2 * last[:, 1:-1] + last[:, 2:]) // 4).astype(np.uint8))
    asked = []

    def frame(index):
        asked.append(index)
        return blurred[abs(index - clearest)][:, :200]

    monkeypatch.setattr("axilla.imaging.dicom.frames._MAX_COMPARED_PIXELS", 240 * 200 * 10)
    index, pixels = sharpest(frame, 41, parts=())
    assert index == clearest
    assert np.array_equal(pixels, breast[:, :200])
    assert len(asked) == len(set(asked)) < 20


def test_a_clip_without_compression(tmp_path, breast, make):
    clip = np.stack([breast // 4, breast // 2, breast, breast // 3])
    path = make.saved(make.ultrasound(clip, frames=4), tmp_path / "a.dcm")
    picture = read_dicom(path)
    assert picture.tags["Frame"] == "3"
    assert np.array_equal(picture.pixels[:, :, 0], breast)
    assert np.array_equal(read_dicom(path, frame=2).pixels[:, :, 1], breast // 2)


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_clip_in_fragments(tmp_path, breast, make, *, offsets, pieces):
    streams = [make.jpeg(breast // part) for part in (3, 1, 2)]
    dataset = make.ultrasound(np.stack([breast] * 3), frames=3)
    make.compressed(dataset, uid.JPEGBaseline8Bit, streams, offsets=offsets)
    dataset.PixelData = pydicom.encaps.encapsulate(
        streams, fragments_per_frame=pieces, has_bot=offsets
    )
    path = make.saved(dataset, tmp_path / "a.dcm")
    for number, stream in enumerate(streams, start=1):
        other = np.asarray(Image.open(io.BytesIO(stream)))
        assert np.array_equal(read_dicom(path, frame=number).pixels[:, :, 0], other)


SYNTAXES = {
    "explicit": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "rle": uid.RLELossless,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg 2000": uid.JPEG2000Lossless,
    "jpeg lossless": uid.JPEGLosslessSV1,
}


def in_syntax(make, pixels, syntax, tmp_path, **changes):
    dataset = make.ultrasound(pixels, **changes)
    path = tmp_path / f"{syntax.keyword}.dcm"
    if syntax == uid.JPEGLosslessSV1:
        return make.jpeg_lossless(make.saved(dataset, tmp_path / "plain.dcm"), path)
    if syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    elif syntax == uid.ExplicitVRBigEndian:
        plain = dataset.PixelData
        if pixels.dtype.itemsize == 2:
            dataset.PixelData = np.frombuffer(plain, "<u2").astype(">u2").tobytes()
        dataset.set_original_encoding(False, False)  # noqa: FBT003
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_every_lossless_syntax_gives_the_same_gray_pixels(tmp_path, breast, make, syntax):
    path = in_syntax(make, breast, syntax, tmp_path)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    picture = read_dicom(path)
    assert np.array_equal(picture.pixels, np.repeat(breast[:, :, None], 3, axis=2))
    assert picture.tags["TransferSyntax"] == syntax.name


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_every_lossless_syntax_gives_the_same_colours(tmp_path, colourful, make, syntax):
    path = in_syntax(make, colourful, syntax, tmp_path)
    assert np.array_equal(read_dicom(path).pixels, colourful)


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_every_lossless_syntax_gives_the_same_deep_pixels(tmp_path, breast, make, syntax):
    deep = breast.astype(np.uint16) * 16 + 15 - breast % 16
    path = in_syntax(make, deep, syntax, tmp_path, BitsStored=12, HighBit=11)
    expected = np.rint(deep * (255 / 4095)).astype(np.uint8)
    assert np.array_equal(read_dicom(path).pixels[:, :, 2], expected)


def test_colour_by_plane(tmp_path, colourful, make):
    dataset = make.ultrasound(colourful, PlanarConfiguration=1)
    dataset.PixelData = np.ascontiguousarray(colourful.transpose(2, 0, 1)).tobytes()
    assert np.array_equal(read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels, colourful)


@pytest.mark.parametrize(
    ("photometric", "subsampling"), [("YBR_FULL_422", 0), ("YBR_FULL_422", 1), ("RGB", 0)]
)
def test_jpeg_in_colour(tmp_path, colourful, make, *, photometric, subsampling):
    keep = photometric == "RGB"
    stream = make.jpeg(colourful, quality=95, subsampling=subsampling, keep_rgb=keep)
    dataset = make.ultrasound(colourful)
    make.compressed(dataset, uid.JPEGBaseline8Bit, [stream], PhotometricInterpretation=photometric)
    other = np.asarray(Image.open(io.BytesIO(stream)))
    assert np.array_equal(read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels, other)


def test_jpeg_in_rgb_without_any_marker(tmp_path, colourful, make):
    stream = make.jpeg(colourful, quality=100, subsampling=0, keep_rgb=True)
    # Take the Adobe marker out, and the names R, G, B.
    start = stream.index(b"\xff\xee")
    bare = stream[:start] + stream[start + 2 + int.from_bytes(stream[start + 2 : start + 4]) :]
    frame, scan = bare.index(b"\xff\xc0"), bare.index(b"\xff\xda")
    named = bytearray(bare)
    for part in range(3):
        named[frame + 10 + 3 * part] = named[scan + 5 + 2 * part] = part + 1
    dataset = make.ultrasound(colourful)
    make.compressed(dataset, uid.JPEGBaseline8Bit, [bytes(named)])
    pixels = read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels
    assert np.abs(pixels.astype(int) - colourful).max() <= 6


def test_twelve_bit_jpeg():
    """Values that the JPEG reference software gives for this frame (420, 140 and 230, 120)."""
    from axilla.imaging.dicom.codecs import decoder_of  # noqa: PLC0415
    from axilla.imaging.dicom.header import read_header  # noqa: PLC0415
    from axilla.imaging.dicom.pixel_format import layout_of  # noqa: PLC0415

    path = SHIPPED / "JPGExtended.dcm"
    with path.open("rb") as stream:
        header = read_header(stream)
    layout = layout_of(header.attributes)
    frame = get_frame(pydicom.dcmread(path).PixelData, 0, number_of_frames=1)
    decoded = decoder_of(header.syntax)(frame, layout)
    assert decoded.bits == 12
    assert (decoded.values[420, 140], decoded.values[230, 120]) == (244, 95)


def test_files_without_preamble(tmp_path, breast, make):
    whole = make.saved(make.ultrasound(breast), tmp_path / "a.dcm").read_bytes()
    meta = make.saved(make.ultrasound(breast), tmp_path / "a.dcm")
    bare = tmp_path / "bare"
    bare.write_bytes(whole[132:])
    assert is_dicom(bare)
    assert np.array_equal(read_dicom(bare).pixels, read_dicom(meta).pixels)
    start = whole.index(b"\x08\x00\x16\x00UI")
    bare.write_bytes(whole[start:])
    assert is_dicom(bare)
    assert np.array_equal(read_dicom(bare).pixels, read_dicom(meta).pixels)


def test_implicit_files_without_any_header(tmp_path, breast, make):
    whole = in_syntax(make, breast, uid.ImplicitVRLittleEndian, tmp_path).read_bytes()
    bare = tmp_path / "bare"
    bare.write_bytes(whole[whole.index(b"\x08\x00\x16\x00\x1c\0\0\0") :])
    assert is_dicom(bare)
    assert np.array_equal(read_dicom(bare).pixels[:, :, 0], breast)


def test_what_is_not_dicom(tmp_path, breast, sample):
    Image.fromarray(breast).save(tmp_path / "a.png")
    Image.fromarray(breast).save(tmp_path / "a.tif")
    (tmp_path / "a.csv").write_text("patient_id;age\n1;2\n")
    (tmp_path / "empty").touch()
    for path in (*tmp_path.iterdir(), sample / "images" / "P002_us.jpg", tmp_path / "none"):
        assert not is_dicom(path), path
    assert is_dicom(tmp_path / "missing.dcm")
