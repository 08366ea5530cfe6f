import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from axilla.imaging.dicom import header, pixel_format
from axilla.imaging.dicom.codecs import unpacked_segments
from axilla.imaging.dicom.dicom_reader import dicom_size, frames_in, read_dicom
from axilla.records.errors import UnreadableImage

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
COMPRESSED = (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("reportsi.dcm", "Basic Text SR Storage"),
        ("rtplan.dcm", "RT Plan Storage"),
        ("rtstruct.dcm", "RT Structure Set Storage"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform Storage"),
        ("dicomdirtests/DICOMDIR", "Media Storage Directory Storage"),
        ("CT_small.dcm", "CT Image Storage"),
        ("MR_small.dcm", "MR Image Storage"),
        ("MR_truncated.dcm", "MR Image Storage"),
        ("liver_1frame.dcm", "Segmentation Storage"),
        ("README.txt", "no DICOM header"),
    ],
)
def test_other_objects_are_refused(name, found):
    for read in (read_dicom, dicom_size, frames_in):
        with pytest.raises(UnreadableImage, match=found) as caught:
            read(SHIPPED / name)
        (problem,) = caught.value.problems
        assert problem.place == Path(name).name
        assert problem.remedy


def test_slides_belong_in_the_pathology_column(tmp_path, colourful, make):
    dataset = make.ultrasound(colourful)
    dataset.SOPClassUID = uid.VLWholeSlideMicroscopyImageStorage
    dataset.Modality = "SM"
    with pytest.raises(UnreadableImage, match="Put it into the pathology column"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_missing_files_and_folders(tmp_path):
    (tmp_path / "folder.dcm").mkdir()
    for name in ("none.dcm", "folder.dcm"):
        with pytest.raises(UnreadableImage, match=f"{name}: found no such file"):
            read_dicom(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"Rows": 65535, "Columns": 65535}, "frames of 65535 x 65535 px"),
        ({"Rows": 0}, "320 x 0 px"),
        ({"Rows": 241}, "bytes of pixels where"),
        ({"NumberOfFrames": 2}, "bytes of pixels where"),
        ({"NumberOfFrames": 2_000_000_000}, "frames declared"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits per value"),
        ({"BitsStored": 12}, "12 bits stored up to bit 7 of 8"),
        ({"SamplesPerPixel": 3}, "3 values per pixel for MONOCHROME2"),
        ({"PhotometricInterpretation": "HSV"}, "colours in a form that is not read"),
        ({"PhotometricInterpretation": "RGB"}, "1 values per pixel for RGB"),
    ],
)
def test_contradictions_are_refused(tmp_path, breast, make, changes, found):
    path = make.saved(make.ultrasound(breast, **changes), tmp_path / "a.dcm")
    with pytest.raises(UnreadableImage, match=found):
        read_dicom(path)


def test_no_pixels(tmp_path, breast, make):
    dataset = make.ultrasound(breast)
    del dataset.PixelData
    with pytest.raises(UnreadableImage, match="no pixels"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_video_is_refused_by_name(tmp_path, colourful, make):
    dataset = make.ultrasound(colourful)
    make.compressed(dataset, uid.MPEG4HP41, [b"\0\0\0\1abcd"])
    with pytest.raises(UnreadableImage, match="MPEG-4"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_codestream_of_another_size_is_refused(tmp_path, breast, make, syntax):
    small = make.ultrasound(breast[:100])
    small.compress(syntax, generate_instance_uid=False)
    dataset = make.ultrasound(breast)
    stream = get_frame(small.PixelData, 0, number_of_frames=1)
    make.compressed(dataset, syntax, [stream])
    found = "fewer pixels" if syntax == uid.RLELossless else "compressed pixels of 320 x 100 x 1"
    with pytest.raises(UnreadableImage, match=found):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_a_tiny_tile_size_is_refused(tmp_path, breast, make):
    dataset = make.ultrasound(breast)
    dataset.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    stream = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    stream[24:32] = struct.pack(">II", 1, 1)
    dataset.PixelData = encapsulate([bytes(stream)])
    with pytest.raises(UnreadableImage, match="76800 JPEG 2000 tiles"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_frames_that_are_missing(tmp_path, breast, make):
    streams = [make.jpeg(breast)] * 2
    dataset = make.ultrasound(np.stack([breast] * 3), frames=3)
    make.compressed(dataset, uid.JPEGBaseline8Bit, streams)
    with pytest.raises(UnreadableImage, match="2 compressed frames where 3 are declared"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_many_scans_are_refused(tmp_path, breast, make):
    stream = make.jpeg(breast)
    scan = stream.index(b"\xff\xda")
    dataset = make.ultrasound(breast)
    make.compressed(dataset, uid.JPEGBaseline8Bit, [stream[:-2] + stream[scan:-2] * 9])
    with pytest.raises(UnreadableImage, match="10 JPEG scans"):
        read_dicom(make.saved(dataset, tmp_path / "a.dcm"))


def test_an_open_end_of_jpeg_ls_is_refused(tmp_path, breast, make):
    dataset = make.ultrasound(breast)
    dataset.compress(uid.JPEGLSLossless, generate_instance_uid=False)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    end = stream.rindex(b"\xff\xd9")
    for cut in (stream[:end], stream[: end // 2], stream[: end + 2] + b"\1\1"):
        dataset.PixelData = encapsulate([cut])
        with pytest.raises(UnreadableImage, match="truncated JPEG-LS data"):
            read_dicom(make.saved(dataset, tmp_path / "a.dcm"))
    dataset.PixelData = encapsulate([stream + b"\0\0"])
    assert np.array_equal(
        read_dicom(make.saved(dataset, tmp_path / "a.dcm")).pixels[:, :, 0], breast
    )


def test_deflated_bombs_are_refused(tmp_path, breast, make, monkeypatch):
    dataset = make.ultrasound(breast)
    dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    path = make.saved(dataset, tmp_path / "a.dcm")
    start = path.read_bytes()[:400].index(b"1.2.840.10008.1.2.1.99")
    meta = struct.unpack_from("<I", path.read_bytes(), 140)[0] + 144
    assert start < meta
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join([packer.compress(b"\0" * (1 << 20)) for _ in range(40)] + [packer.flush()])
    path.write_bytes(path.read_bytes()[:meta] + bomb)
    monkeypatch.setattr(header, "_MAX_INFLATED_BYTES", 32 << 20)
    with pytest.raises(UnreadableImage, match="more than 32 MiB in deflated form"):
        read_dicom(path)


def test_deep_nesting_ends(tmp_path, breast, make):
    whole = make.saved(make.ultrasound(breast), tmp_path / "a.dcm").read_bytes()
    level = b"\x18\x00\x11\x60SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    start = whole.index(b"\x28\x00\x02\x00US")
    path = tmp_path / "deep.dcm"
    path.write_bytes(whole[:start] + level * 50_000 + whole[start:])
    with pytest.raises(UnreadableImage, match="a damaged header"):
        read_dicom(path)


def test_endless_headers_end(tmp_path, breast, make, monkeypatch):
    whole = make.saved(make.ultrasound(breast), tmp_path / "a.dcm").read_bytes()
    start = whole.index(b"\x28\x00\x02\x00US")
    element = b"\x19\x00\x01\x10SH\x02\x00AB"
    path = tmp_path / "long.dcm"
    path.write_bytes(whole[:start] + element * 3000 + whole[start:])
    assert dicom_size(path) == (320, 240)
    monkeypatch.setattr(header, "_MAX_READS", 1000)
    with pytest.raises(UnreadableImage, match="a damaged header"):
        dicom_size(path)


def test_size_needs_no_pixels(tmp_path, breast, make):
    path = make.saved(make.ultrasound(np.stack([breast] * 2), frames=2), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:2000])
    assert dicom_size(path) == (320, 240)
    assert frames_in(path) == 2
    with pytest.raises(UnreadableImage, match="bytes of pixels where"):
        read_dicom(path)


def test_frames_are_smaller_than_the_limit_of_images():
    assert pixel_format.MAX_FRAME_PIXELS < pixel_format.MAX_PIXELS


@pytest.mark.parametrize("quick", [True, False])
def test_runs(monkeypatch, quick):
    if not quick:
        monkeypatch.setattr("axilla.imaging.dicom.codecs._MAX_QUICK_BYTES", 0)
    body = b"\x02abc\xfdZ\x80"
    stream = struct.pack("<16I", 1, 64, *[0] * 14) + body
    assert unpacked_segments(stream, segments=1, count=7).tobytes() == b"abcZZZZ"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, breast, colourful, make):
    """Small files of every kind of decoder."""
    folder = tmp_path_factory.mktemp("corpus")
    gray, colour = breast[:40, :48], np.ascontiguousarray(colourful[:40, :48])
    region = [make.region(2, 3, 40, 35)]
    plain = make.saved(
        make.ultrasound(gray, SequenceOfUltrasoundRegions=region), folder / "plain.dcm"
    )
    make.jpeg_lossless(plain, folder / "lossless.dcm")
    for syntax in COMPRESSED:
        dataset = make.ultrasound(colour, SequenceOfUltrasoundRegions=region)
        dataset.compress(syntax, generate_instance_uid=False)
        make.saved(dataset, folder / f"{syntax.keyword}.dcm")
    for name, syntax in (("deflated", uid.DeflatedExplicitVRLittleEndian), ("jpeg", None)):
        dataset = make.ultrasound(colour, SequenceOfUltrasoundRegions=region)
        if syntax:
            dataset.file_meta.TransferSyntaxUID = syntax
        else:
            make.compressed(dataset, uid.JPEGBaseline8Bit, [make.jpeg(colour)])
        make.saved(dataset, folder / f"{name}.dcm")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@given(data=st.data())
@settings(
    max_examples=300,
    deadline=5000,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_files_are_read_or_refused(tmp_path, corpus, data):
    damaged = bytearray(data.draw(st.sampled_from(corpus)))
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=4))
        damaged[position : position + data.draw(st.integers(0, 4))] = patch
    path = tmp_path / "a.dcm"
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))])
    try:
        picture = read_dicom(path)
    except UnreadableImage as error:
        assert error.problems[0].place == "a.dcm"  # noqa: PT017
    else:
        assert picture.pixels.dtype == np.uint8
        assert dicom_size(path) == picture.pixels.shape[1::-1]
