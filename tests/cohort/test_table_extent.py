"""Tables that are far too large, or pretend to be, are refused before they cost anything."""

import zipfile

import openpyxl
import pytest

from axilla.cohort.cohort_reader import read_table
from axilla.cohort.cohort_schema import CohortSchema
from axilla.cohort.tables import excel, table_limits
from axilla.cohort.tables.encoding_detection import decode_text
from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.records.errors import CohortError

SHEET = "xl/worksheets/sheet1.xml"


def refusal(path):
    with pytest.raises(CohortError) as caught:
        read_sheet(path)
    (problem,) = caught.value.problems
    assert problem.place == path.name
    assert problem.remedy
    return problem.found


def csv_file(tmp_path, *lines):
    path = tmp_path / "c.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def workbook(path, rows, **sheets):
    """Write a workbook, then replace members of it: sheet=(old, new)."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for old, new in sheets.values():
        assert old in parts[SHEET]
        parts[SHEET] = parts[SHEET].replace(old, new, 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("mark", [",", ";"])
def test_columns_beyond_any_table(tmp_path, mark, named):
    header = mark.join(f"c{n}" if named else "c" for n in range(20_000))
    path = csv_file(tmp_path, f"patient_id{mark}{header}", mark.join("1" * 20_001))
    assert refusal(path) == "more than 4,000 columns"


def test_empty_columns_do_not_count(tmp_path):
    path = csv_file(tmp_path, "patient_id" + "," * 9_000, "P1" + "," * 9_000)
    assert read_sheet(path).columns == ("patient_id",)


def test_the_most_columns_are_still_read(tmp_path):
    path = csv_file(tmp_path, ",".join(f"c{n}" for n in range(4_000)), ",".join("1" * 4_000))
    assert len(read_sheet(path).columns) == 4_000


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        (("table_limits.MOST_CELLS",), 5),
        (("csv_text.MOST_ROWS", "excel.MOST_WORKBOOK_ROWS"), 2),
    ],
)
def test_rows_and_cells_are_counted_while_they_are_read(tmp_path, monkeypatch, limit, most):
    rows = [["patient_id", "age"], ["P1", "1"], ["P2", "2"]]
    paths = (
        csv_file(tmp_path, *(",".join(row) for row in rows)),
        workbook(tmp_path / "c.xlsx", rows),
    )

    def allow(number):
        for name in limit:
            monkeypatch.setattr(f"axilla.cohort.tables.{name}", number)

    allow(most)
    for path in paths:
        assert refusal(path).startswith("more than")
    allow(most + 1)
    for path in paths:
        assert len(read_sheet(path).rows) == 2


def test_more_patients_than_any_cohort_are_refused(tmp_path, monkeypatch):
    path = csv_file(tmp_path, "patient_id,age", "P1,1", "P2,2")
    wanted = CohortSchema(modalities=("clinical",), clinical={"age": "number"})
    assert len(read_table(path, wanted, strict=False).patients) == 2
    monkeypatch.setattr("axilla.cohort.cohort_reader.MOST_PATIENTS", 1)
    with pytest.raises(CohortError, match="more than 1 patients"):
        read_table(path, wanted, strict=False)


def test_a_file_too_large_is_not_even_read(tmp_path, monkeypatch):
    path = csv_file(tmp_path, "patient_id", "P1")
    monkeypatch.setattr(table_limits, "MOST_BYTES", 5)
    assert refusal(path).startswith("more than")


def test_a_row_far_below_the_sheet_is_refused(tmp_path):
    far = b'<row r="4000000000"><c r="A4000000000"><v>1</v></c></row></sheetData>'
    path = workbook(tmp_path / "c.xlsx", [["a"], ["1"]], far=(b"</sheetData>", far))
    assert refusal(path).startswith("more than 200,000 rows")


@pytest.mark.parametrize("bomb", [b"<row/>", b"<!-- -->", b" " * 50])
def test_a_sheet_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path, bomb):
    content = bomb * (20_000_000 // len(bomb)) + b"</sheetData>"
    path = workbook(tmp_path / "c.xlsx", [["a"], ["1"]], bomb=(b"</sheetData>", content))
    assert path.stat().st_size < 200_000
    assert "times its size" in refusal(path)


def test_a_real_sheet_of_equal_rows_is_no_bomb(tmp_path):
    rows = [[f"column {n}" for n in range(20)], *([["positive", 1, ""] * 6] * 2_000)]
    path = workbook(tmp_path / "c.xlsx", rows)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(SHEET)
    assert entry.file_size > excel._SURELY_HARMLESS_BYTES
    assert len(read_sheet(path).rows) == 2_000


def test_merged_cells_over_and_over_are_refused(tmp_path):
    merged = b"</sheetData><mergeCells>" + b'<mergeCell ref="A2:A1048576"/>' * 9 + b"</mergeCells>"
    path = workbook(tmp_path / "c.xlsx", [["a"], ["1"]], merged=(b"</sheetData>", merged))
    assert refusal(path) == "overlapping merged cells"


def test_one_vast_line_does_not_hold_up_the_search_for_its_encoding():
    line = "\t".join(["M\u00fcller K\u00f6ln"] * 200_000)
    decoded = decode_text(f"name\n{line}\n".encode("cp1252"))
    assert decoded is not None
    assert decoded.encoding == "cp1252"


def test_a_style_beyond_all_numbers_is_a_damaged_workbook(tmp_path):
    path = workbook(tmp_path / "c.xlsx", [["a"], ["1"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    styles = parts["xl/styles.xml"]
    assert b'numFmtId="0"' in styles
    parts["xl/styles.xml"] = styles.replace(b'numFmtId="0"', b'numFmtId="' + b"9" * 30 + b'"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert "no readable Excel workbook" in refusal(path)
