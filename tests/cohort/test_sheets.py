from datetime import date, datetime

import openpyxl
import pytest

from axilla.cohort.sheets import read_sheet
from axilla.records.errors import CohortError


def cells(sheet):
    return [dict(row.cells) for row in sheet.rows]


def workbook(path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_csv_dialects(tmp_path, mark, ending):
    path = tmp_path / "c.csv"
    text = ending.join([f"patient_id{mark} note ", f'P1{mark}" a, b; c "', "", f"P2{mark}", ""])
    path.write_bytes(text.encode())
    sheet = read_sheet(path)
    assert sheet.name == "c.csv"
    assert sheet.columns == ("patient_id", "note")
    assert cells(sheet) == [
        {"patient_id": "P1", "note": "a, b; c"},
        {"patient_id": "P2", "note": ""},
    ]
    assert [row.number for row in sheet.rows] == [2, 4]


def test_paths_joined_by_semicolons_leave_the_comma_the_delimiter(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("patient_id,ultrasound\nP1,a.png;b.png;c.png\n")
    assert cells(read_sheet(path)) == [{"patient_id": "P1", "ultrasound": "a.png;b.png;c.png"}]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Krankenhaus Köln 北京"),
        ("utf-8-sig", "北京协和医院"),
        ("cp1252", "Hôpital Müller, Málaga"),
        ("gb18030", "北京协和医院"),
        ("utf-16", "北京 Köln"),
    ],
)
def test_encodings(tmp_path, encoding, text):
    path = tmp_path / "c.csv"
    path.write_bytes(f"patient_id\tsite\nP1\t{text}\n".encode(encoding))
    assert read_sheet(path).rows[0].cells == {"patient_id": "P1", "site": text}


def test_rows_count_as_in_a_spreadsheet_even_with_line_breaks_in_cells(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('patient_id,note\nP1,"two\nlines"\nP2,\n')
    assert [row.number for row in read_sheet(path).rows] == [2, 3]


def test_excel_cells_as_text(tmp_path):
    header = ["patient_id", "age", "size", "flag", "day", "moment", None]
    rows = [
        header,
        [7, 53.0, 1.25, True, date(2024, 3, 1), datetime.fromisoformat("2024-03-01 09:30"), None],
        [None] * 7,
        [" 007 ", None, -2, False, None, None, None],
    ]
    sheet = read_sheet(workbook(tmp_path / "c.xlsx", rows))
    assert sheet.columns == tuple(header[:-1])
    assert [row.number for row in sheet.rows] == [2, 4]
    assert list(sheet.rows[0].cells.values()) == [
        *("7", "53", "1.25", "True", "2024-03-01", "2024-03-01 09:30:00")
    ]
    assert list(sheet.rows[1].cells.values()) == ["007", "", "-2", "False", "", ""]


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("", "c.csv, row 1", "an empty table"),
        ("\n\n", "c.csv, row 1", "an empty table"),
        ("\na,b\n1,2\n", "c.csv, row 1", "an empty row"),
        ("patient_id,age\n", "c.csv", "column names but no rows"),
        ("a,b,a\n1,2,3\n", "c.csv, row 1", "column name 'a' in A and C"),
        ("a,b\n1,2\n1,2,3\n", "c.csv, row 3", "'3' in column C, which has no name"),
        ("a,,c\n1,2,3\n", "c.csv, row 2", "'2' in column B, which has no name"),
        ('a,b\n1,"2\n', "c.csv, row 2", "text that is not CSV (unexpected end of data)"),
        ("a,b\n1,\0\n", "c.csv", "bytes that are not text"),
    ],
)
def test_malformed_csv(tmp_path, text, place, found):
    path = tmp_path / "c.csv"
    path.write_text(text)
    with pytest.raises(CohortError) as caught:
        read_sheet(path)
    assert (caught.value.problems[0].place, caught.value.problems[0].found) == (place, found)
    assert str(tmp_path) not in str(caught.value)


def test_every_ragged_row_is_named(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("a,a\n1,2,3\n1,2\n1,2,,4\n")
    with pytest.raises(CohortError) as caught:
        read_sheet(path)
    assert [p.place for p in caught.value.problems] == [f"c.csv, row {n}" for n in (1, 2, 4)]


@pytest.mark.parametrize("name", ["none.csv", "none.xlsx"])
def test_missing_file(tmp_path, name):
    with pytest.raises(CohortError, match=f"{name}: found no such file"):
        read_sheet(tmp_path / name)


def test_old_excel_is_refused(tmp_path):
    (tmp_path / "c.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(CohortError, match=r"Save the table as \.xlsx"):
        read_sheet(tmp_path / "c.xls")


def test_corrupt_excel(tmp_path):
    whole = workbook(tmp_path / "c.xlsx", [["patient_id"], ["P1"]]).read_bytes()
    path = tmp_path / "bad.xlsx"
    for content in (b"", b"patient_id,age\n", whole[: len(whole) // 2], whole[300:]):
        path.write_bytes(content)
        with pytest.raises(CohortError, match="no readable Excel workbook"):
            read_sheet(path)
    for position in range(0, len(whole), 61):  # whatever is damaged: a table or a clear error
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            assert read_sheet(path).columns
        except CohortError as error:
            assert error.problems  # noqa: PT017


def test_empty_excel(tmp_path):
    with pytest.raises(CohortError, match="an empty table"):
        read_sheet(workbook(tmp_path / "c.xlsx", []))
