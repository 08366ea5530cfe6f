from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage.measure import regionprops

from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.raster import decode_mask
from axilla.records.errors import Problem
from axilla.records.roi_rectangle import Roi
from axilla.records.types import IMAGE_MODALITIES


@pytest.fixture
def cases(sample_cases):
    return sample_cases(12)


def found(inspection, patient_id=None):
    """Return (code, severity) of what concerns a patient, or of everything."""
    return [
        (f.code, f.severity)
        for f in inspection.findings
        if patient_id is None or patient_id in f.patients
    ]


def one(inspection, code):
    (finding,) = [f for f in inspection.findings if f.code == code]
    return finding


def test_looks_say_what_each_image_is(cases):
    looks = cases.inspect().looks
    assert [(look.patient_id, look.modality) for look in looks] == [
        (p.patient_id, m) for p in cases.patients for m in IMAGE_MODALITIES
    ]
    for look in looks:
        with Image.open(look.file.path) as image:
            assert (look.width_px, look.height_px) == image.size
        about = look.file.path.stat()
        assert look.file_bytes == about.st_size
        assert look.cell.text == look.file.path.name
        if look.modality == "ultrasound":
            (region,) = regionprops(decode_mask(look.file.mask).astype(np.uint8))
            top, left, bottom, right = region.bbox
            box = look.marked.box
            assert (box.top_px, box.left_px) == (top, left)
            assert (box.bottom_px, box.right_px) == (bottom, right)
            assert look.marked.share == pytest.approx(region.area / look.width_px / look.height_px)


def test_unreadable_files_and_empty_masks_are_errors(cases):
    whole = cases.patient("P001").pathology[0].path.read_bytes()
    cut = cases.folder / "cut.jpg"
    cut.write_bytes(whole[:-400])
    cases.change("P001", "pathology", path=cut)
    empty = np.zeros(cases.pixels("P002").shape[:2], np.uint8)
    cases.change("P002", mask=empty)
    inspection = cases.inspect()
    assert found(inspection, "P001")[0] == ("image_unreadable", "error")
    assert found(inspection, "P002")[0] == ("mask_empty", "error")
    assert one(inspection, "mask_empty").problem.found == (
        "'P002_ultrasound_mask.png', no marked pixel"
    )
    assert not any(look.file.path == cut for look in inspection.looks)


def test_a_file_that_is_gone_is_an_error(cases):
    path = cases.save(cases.pixels("P003", "pathology"), "gone.png")
    cases.change("P003", "pathology", path=path)
    path.unlink()
    path.mkdir()
    assert ("image_unreadable", "error") in found(cases.inspect(), "P003")


def test_a_blank_image_is_an_error(cases):
    gray = np.random.default_rng(3).integers(98, 103, (300, 400), dtype=np.uint8)
    cases.change("P003", path=gray, mask=None)
    assert ("image_blank", "error") in found(cases.inspect(), "P003")
    assert "4 of 255 levels" in one(cases.inspect(), "image_blank").problem.found


@pytest.mark.parametrize(("side", "severity"), [(31, "error"), (60, "warning"), (64, None)])
def test_tiny_images(cases, side, severity):
    image = Image.fromarray(cases.pixels("P004", "pathology")).resize((100, side))
    cases.change("P004", "pathology", path=image)
    tiny = [s for code, s in found(cases.inspect(), "P004") if code == "image_tiny"]
    assert tiny == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("roi", "pixel_mm", "code"),
    [
        (Roi(10, 10, 20, 20), None, "roi_small"),
        (Roi(10, 10, 200, 12), None, "roi_small"),
        (Roi(10, 10, 100, 100), 0.02, "roi_small"),
        (Roi(0, 0, 545, 530), None, "roi_large"),
        (Roi(10, 10, 300, 100), 0.3, "roi_large"),
        (Roi(10, 10, 300, 100), 0.1, None),
    ],
)
def test_implausible_rois(cases, roi, pixel_mm, code):
    cases.change("P002", roi=roi, mask=None, pixel_mm=pixel_mm)
    regions = [c for c, _ in found(cases.inspect(), "P002") if c.startswith("roi")]
    assert regions == ([code] if code else [])


def test_an_roi_beside_its_mask(cases):
    old = cases.patient("P002").ultrasound[0].roi
    near = replace(old, left_px=old.left_px + old.width_px // 4)
    assert "roi_conflict" not in dict(found(cases.change("P002", roi=near).inspect(), "P002"))
    far = replace(old, left_px=old.left_px + old.width_px // 2)
    conflict = one(cases.change("P002", roi=far).inspect(), "roi_conflict")
    assert "share 34% of their area" in conflict.problem.found
    assert conflict.problem.place == "cohort.csv, row 3, column ultrasound"


@pytest.mark.parametrize(("file_mm", "conflicts"), [(0.0715, False), (0.08, True)])
def test_two_sizes_of_a_pixel(cases, open_sample, file_mm, conflicts):
    def open_with_scale(file):
        return replace(open_sample(file), pixel_mm=file_mm)

    codes = dict(found(cases.inspect(open_picture=open_with_scale), "P002"))  # 0.06944 in the table
    assert ("pixel_mm_conflict" in codes) == conflicts


def test_magnification_is_compared_with_the_cohort(cases):
    for patient in list(cases.patients):
        cases.change(patient.patient_id, "pathology", mpp=0.5)
    cases.change("P005", "pathology", mpp=0.7).change("P006", "pathology", mpp=0.25)
    cases.change("P007", "pathology", mpp=1.0, tile=Roi(0, 0, 224, 224))
    finding = one(cases.inspect(), "magnification")
    assert finding.patients == ("P006",)


def test_what_the_decoder_says_is_a_finding(cases, open_sample):
    remark = ("doppler", Problem("x.dcm", "a colour region", "B-mode only", "Use another frame."))

    def open_with_remark(file):
        return replace(open_sample(file), remarks=(remark,) if "P003_us" in file.path.name else ())

    finding = one(cases.inspect(open_picture=open_with_remark), "doppler")
    assert (finding.severity, finding.patients) == ("warning", ("P003",))
    assert finding.problem.place == "cohort.csv, row 4, column ultrasound"
    assert finding.problem.found == "'P003_us.jpg', a colour region"


def test_a_second_look_decodes_nothing(cases, open_sample, tmp_path):
    opened = []

    def open_counting(file):
        opened.append(file.path.name)
        return replace(open_sample(file), remarks=(("doppler", Problem("a", "b", "c", "d")),))

    first = cases.inspect(open_picture=open_counting, cache=tmp_path / "cache")
    assert sorted(opened) == sorted(look.file.path.name for look in first.looks)
    cases.change("P001", path=cases.pixels("P001")[:-9], mask=None)
    opened.clear()
    second = cases.inspect(open_picture=open_counting, cache=tmp_path / "cache")
    assert opened == ["P001_ultrasound_path.png"]
    for one_look, other in zip(first.looks[1:], second.looks[1:], strict=True):
        assert np.array_equal(one_look.measures.thumbnail, other.measures.thumbnail)
        assert other.measures == one_look.measures
        assert one_look.marked == other.marked


@pytest.mark.parametrize(
    "damage",
    [b"PK nothing", *(pytest.param(x, marks=pytest.mark.slow) for x in (b"", b"\x00" * 900))],
)
def test_a_damaged_store_is_as_good_as_none(cases, tmp_path, damage):
    cases.inspect(cache=tmp_path)
    store = tmp_path / "looks" / "looks.npz"
    store.write_bytes(damage)
    assert len(cases.inspect(cache=tmp_path).looks) == 24
    assert store.stat().st_size > 1000


def test_only_the_first_tile_of_a_slide_is_looked_at(cases, open_sample):
    opened = []

    def open_tile(file):
        opened.append(file)
        return DecodedImage(open_sample(file).pixels)

    old = cases.patient("P001")
    tiles = tuple(replace(old.pathology[0], tile=Roi(x, 0, 64, 64)) for x in (0, 64, 128))
    cases.patients = [replace(old, pathology=tiles)]
    inspection = cases.inspect(open_picture=open_tile)
    assert [f.tile for f in opened if f.tile] == [tiles[0].tile]
    assert len(inspection.looks) == 2
