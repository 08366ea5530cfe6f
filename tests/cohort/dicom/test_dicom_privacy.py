import logging
import traceback
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.datadict import DicomDictionary, dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset

from axilla.imaging.dicom.dicom_reader import read_dicom
from axilla.records.errors import UnreadableImage

MARKER = "SECRETMARIA"
VALUES = {
    "PN": f"{MARKER}^{MARKER}",
    "UI": "1.2.3.777777777",
    "DA": "19771107",
    "TM": "117711",
    "DT": "19771107117711",
    "AS": "077Y",
    "DS": "7777.7",
    "IS": "77777",
    "CS": MARKER,
    "AE": MARKER,
    "LO": MARKER,
    "SH": MARKER,
    "ST": MARKER,
    "LT": MARKER,
    "UT": MARKER,
    "UC": MARKER,
    "UR": MARKER,
    "OB": MARKER.encode(),
    "UN": MARKER.encode(),
}
LEAKS = (MARKER, "777777777", "19771107", "117711", "077Y", "7777.7", "77777")
# What the reader may show or needs to decode; everything else is filled.
KEPT = {
    "SOPClassUID",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "TransducerType",
    "TransducerFrequency",
    "BurnedInAnnotation",
    "LossyImageCompression",
    "PhotometricInterpretation",
    "SpecificCharacterSet",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
}


def identified(make, pixels):
    """A data set in which every other attribute of the dictionary, and private ones, identify."""
    dataset = make.ultrasound(pixels, Manufacturer="ACME", ManufacturerModelName="Sono 1")
    filled = 0
    for tag in DicomDictionary:
        keyword, vr = keyword_for_tag(tag), dictionary_VR(tag)
        if 8 <= tag >> 16 < 0x7FE0 and vr in VALUES and keyword and keyword not in KEPT:
            dataset.add_new(tag, vr, VALUES[vr])
            filled += 1
    assert filled > 1500
    block = dataset.private_block(0x0009, "ACME PRIVATE", create=True)
    for offset, vr in enumerate(VALUES):
        block.add_new(offset, vr, VALUES[vr])
    person = Dataset()
    person.PersonName, person.InstitutionName = MARKER, MARKER
    dataset.OperatorIdentificationSequence = [person]
    dataset.ReferencedPatientSequence = [person]
    region = make.region(2, 2, 30, 30)
    region.add_new(0x00204000, "LT", MARKER)
    dataset.SequenceOfUltrasoundRegions = [region]
    return dataset


def said(picture):
    return f"{picture.region} {picture.pixel_mm} {dict(picture.tags)} {picture.remarks}"


@pytest.fixture
def listened(caplog):
    """All that goes to logs while a test runs, down to debugging."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("pydicom").setLevel(logging.DEBUG)
    yield caplog
    logging.getLogger("pydicom").setLevel(logging.NOTSET)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_nothing_identifying_leaves_the_reader(tmp_path, breast, make, listened, syntax):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the values are not all valid
        dataset = identified(make, breast)
        dataset.file_meta.TransferSyntaxUID = syntax
        path = make.saved(dataset, tmp_path / "a.dcm")
    listened.clear()
    for name in ("SECRETMARIA", "777777777", "19771107"):
        assert name.encode() in path.read_bytes()
    picture = read_dicom(path)
    assert set(picture.tags) == {
        "Manufacturer",
        "ManufacturerModelName",
        "Modality",
        "TransferSyntax",
        "PhotometricInterpretation",
        "Rows",
        "Columns",
        "NumberOfFrames",
        "BitsStored",
        "Frame",
    }
    for leak in LEAKS:
        assert leak not in said(picture)
        assert leak not in listened.text


@pytest.mark.filterwarnings("error")
def test_errors_and_warnings_do_not_quote_the_file(tmp_path, breast, make, listened):
    """Cut the file anywhere, and replace lengths and representations: no message quotes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = make.saved(identified(make, breast), tmp_path / "a.dcm").read_bytes()
    listened.clear()
    path, refused = tmp_path / "b.dcm", 0
    damages = [whole[:end] for end in range(140, len(whole) - 80000, 997)]
    for keyword in ("Rows", "SequenceOfUltrasoundRegions", "PatientName", "Modality"):
        tag = pydicom.tag.Tag(keyword)
        start = whole.index(tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little"))
        kinds = (b"SQ", b"PN", b"DS", b"IS", b"US", b"FD", b"QQ", b"UN")
        damages += [whole[: start + 4] + kind + whole[start + 6 :] for kind in kinds]
        damages.append(whole[: start + 6] + b"\xff\x7f" + whole[start + 8 :])
    for damage in damages:
        path.write_bytes(damage)
        try:
            text = said(read_dicom(path))
        except UnreadableImage as error:
            refused += 1
            text = "".join(traceback.format_exception(error))
            message = str(error)
            assert message.startswith("b.dcm: found ")
            assert str(tmp_path) not in message
        for leak in LEAKS:
            assert leak not in text
            assert leak not in listened.text
    assert refused > 20


def test_tags_are_printable_and_short(tmp_path, breast, make):
    name = "AC\x1b[31mME\u202e\x07" + "x" * 200
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = make.ultrasound(breast, Manufacturer=name, SpecificCharacterSet="ISO_IR 192")
        dataset.TransducerType = "Maria's probe"
        path = make.saved(dataset, tmp_path / "a.dcm")
    tags = read_dicom(path).tags
    assert tags["Manufacturer"].isprintable()
    assert tags["Manufacturer"].startswith("AC [31mME")
    assert len(tags["Manufacturer"]) <= 64
    assert "TransducerType" not in tags


def test_warnings_and_logs_of_others_come_back():
    before = list(warnings.filters)
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        try:
            read_dicom(path)
        except UnreadableImage as error:
            assert error.problems  # noqa: PT017
    assert warnings.filters == before
    assert not logging.getLogger("pydicom").disabled
