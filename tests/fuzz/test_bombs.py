"""Files made by hand that unpack to far more than they are, or never end: all are refused."""

import struct
import zipfile

import pytest
from fuzz.formats import FORMATS
from fuzz.hunt import Asked, Limits, Worker

from fuzz import bombs, dicom, jpeg, png, text, zips

MIB = 1 << 20
LIMITS = Limits(cpu_seconds=5, peak_mib=300)
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
SPREADSHEET = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TENSOR = b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4398046511104]}}'
VAST = struct.pack("<Q", len(TENSOR)) + TENSOR
LAUGHS = text.many_laughs(30)


def seed(form, name):
    return FORMATS[form].seeds[name]


def small_png(*more):
    header, *rest = png.chunks(seed("png", "gray.png"))
    return png.joined([header, *more, *rest])


def workbook(member, *, head, unit, tail, size=90 * MIB):
    parts = zips.members(seed("xlsx", "cohort.xlsx"))
    return zips.with_bomb(parts, member, head=head, unit=unit, size=size, tail=tail)


def with_sheet(change):
    parts = zips.members(seed("xlsx", "cohort.xlsx"))
    return zips.zipped(parts | {SHEET: change(parts[SHEET])})


def sheet_of(unit):
    head = b'<worksheet xmlns="' + SPREADSHEET + b'"><sheetData>'
    return workbook(SHEET, head=head, unit=unit, tail=b"</sheetData></worksheet>")


def bundle(**members):
    parts = zips.members(seed("bundle", "clinical.axilla"))
    changed = {name.replace("_", "."): content for name, content in members.items()}
    return zips.zipped(parts | changed, zipfile.ZIP_STORED)


def packed_bundle():
    parts = zips.members(seed("bundle", "clinical.axilla"))
    return zips.with_bomb(parts, "weights.safetensors", unit=b"\0", size=400 * MIB)


def scan(**changes):
    content = seed("dicom", "MR_small.dcm")
    for element, number in changes.items():
        content = dicom.with_number(content, int(element.removeprefix("x"), 16), number)
    return content


def deflated_scan():
    content = dicom.with_text(seed("dicom", "MR_small.dcm"), (2, 0x10), b"1.2.840.10008.1.2.1.99")
    (length,) = struct.unpack_from("<I", content, 140)
    return content[: 144 + length] + bombs.deflated_zeros(600 * MIB, raw=True)


def nested_scan(depth):
    undefined = b"\xff\xff\xff\xff"
    opening = b"\x08\0\x40\x11SQ\0\0" + undefined + b"\xfe\xff\0\xe0" + undefined
    content = seed("dicom", "MR_small.dcm")
    spot = next(dicom.spots(content, 0x0008, 0x0060))
    return content[: spot.place] + opening * depth + content[spot.place :]


def tiff_of(width, height):
    tags = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
            (273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 10))  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 8)  # a loop
    return head.ljust(200, b"\0") + bombs.deflated_zeros(200 * MIB)


REFUSED = {
    "png: too many pixels": ("a.png", lambda: png.blank(20_000, 20_000, depth=1, colour=0)),
    "png: one row without end": ("a.png", lambda: png.blank(80_000_000, 1, depth=8, colour=0)),
    "png: packed text": (
        "a.png",
        lambda: small_png((b"zTXt", b"Comment\0\0" + bombs.deflated_zeros(400 * MIB))),
    ),
    "jpeg: too many pixels": (
        "a.jpg",
        lambda: jpeg.progressive(seed("jpeg", "gray.jpg"), side_px=65_500, scans=1),
    ),
    "jpeg: endless scans": (
        "a.jpg",
        lambda: jpeg.progressive(seed("jpeg", "gray.jpg"), side_px=9_400, scans=5_000),
    ),
    "tiff: too many pixels": ("a.tif", lambda: tiff_of(100_000, 100_000)),
    "tiff: a wide strip": ("a.tif", lambda: tiff_of(1 << 31, 1)),
    "xlsx: rows": ("a.xlsx", lambda: sheet_of(b"<row/>")),
    "xlsx: cells": ("a.xlsx", lambda: sheet_of(b"<row>" + b"<c/>" * 99 + b"</row>")),
    "xlsx: shared texts": (
        "a.xlsx",
        lambda: workbook(
            STRINGS,
            head=b'<sst xmlns="' + SPREADSHEET + b'">',
            unit=b"<si><t>x</t></si>",
            tail=b"</sst>",
        ),
    ),
    "xlsx: a vast sheet": ("a.xlsx", lambda: sheet_of(b" " * 4_000)),
    "xlsx: laughs": (
        "a.xlsx",
        lambda: with_sheet(lambda sheet: LAUGHS + sheet.replace(b"</t>", b"&z;</t>", 1)),
    ),
    "xlsx: a row far below": (
        "a.xlsx",
        lambda: with_sheet(
            lambda sheet: sheet.replace(b"</sheetData>", b'<row r="4000000000"/></sheetData>')
        ),
    ),
    "csv: a million columns": ("a.csv", lambda: b",".join([b"c"] * 1_000_000) + b"\n1"),
    "csv: commas only": ("a.csv", lambda: b"," * 6_000_000),
    "csv: one vast quote": ("a.csv", lambda: b'a,b\n"' + b"x" * 5_000_000),
    "csv: a million rows": ("a.csv", lambda: b"patient_id\n" + b"1\n" * 1_500_000),
    "toml: deep": ("study.toml", lambda: b"x = " + b"[" * 200_000),
    "toml: dotted": ("study.toml", lambda: b".".join([b"a"] * 200_000) + b" = 1"),
    "toml: vast": ("study.toml", lambda: b"x = '" + b"a" * 50_000_000 + b"'"),
    "bundle: a packed member": ("a.axilla", packed_bundle),
    "bundle: a deep manifest": ("a.axilla", lambda: bundle(manifest_json=b"[" * 500_000)),
    "bundle: tensors without end": (
        "a.axilla",
        lambda: bundle(weights_safetensors=struct.pack("<Q", 1 << 62) + b"{}"),
    ),
    "bundle: a tensor of 4 TiB": ("a.axilla", lambda: bundle(weights_safetensors=VAST)),
    "dicom: deflated": ("a.dcm", deflated_scan),
    "dicom: a vast frame": ("a.dcm", lambda: scan(x0010=65_535, x0011=65_535)),
    "dicom: nested": ("a.dcm", lambda: nested_scan(30_000)),
    "annotation: laughs": (
        "a.xml",
        lambda: LAUGHS + seed("annotation", "cvat.xml").partition(b"?>")[2].replace(b"1.1", b"&z;"),
    ),
    "annotation: deep": ("a.json", lambda: b'{"a":' * 200_000),
    "slide: too large for its tiles": (
        "a.svs",
        lambda: seed("slide", "real.svs").replace(
            struct.pack("<I", 2220), struct.pack("<I", 0x7FFFFFFF), 1
        )[:500_000],
    ),
}
FORMAT_OF = {"a.png": "png", "a.jpg": "jpeg", "a.tif": "tiff", "a.xlsx": "xlsx", "a.csv": "csv",
             "study.toml": "toml", "a.axilla": "bundle", "a.dcm": "dicom", "a.xml": "annotation",
             "a.json": "annotation", "a.svs": "slide"}  # fmt: skip


@pytest.fixture(scope="module")
def worker():
    with Worker(LIMITS) as worker:
        yield worker


@pytest.mark.slow
@pytest.mark.parametrize("bomb", REFUSED)
def test_bombs_are_refused_for_little(worker, tmp_path, bomb):
    name, made = REFUSED[bomb]
    path = tmp_path / name
    path.write_bytes(made())
    seen = worker.attempt(Asked(FORMAT_OF[name], path=path))
    assert not seen.failed, seen
    assert seen.said, "no door refused it"


@pytest.mark.slow
def test_the_largest_image_is_read_in_less_than_a_gibibyte(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png.blank(9_433, 9_434, depth=16, colour=6))
    with Worker(Limits(cpu_seconds=30, kill_cpu_seconds=40)) as worker:
        seen = worker.attempt(Asked("png", path=path))
    assert seen.outcome == "read", seen
    assert 200 < seen.peak_mib < 800


@pytest.mark.slow
def test_what_is_packed_beyond_the_pixels_of_an_image_is_left_alone(worker, tmp_path):
    path = tmp_path / "a.png"
    parts = [(kind, bombs.deflated_zeros(400 * MIB) if kind == b"IDAT" else data)
             for kind, data in png.chunks(seed("png", "gray.png"))]  # fmt: skip
    path.write_bytes(png.joined(parts))
    seen = worker.attempt(Asked("png", path=path))
    assert not seen.failed, seen
    assert seen.peak_mib < 100
