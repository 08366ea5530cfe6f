from datetime import date, datetime
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest

from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.records.errors import CohortError


def cells(sheet):
    return [dict(row.cells) for row in sheet.rows]


def workbook(path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
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


# Headers and cells whose words the recognition was not tuned on.
TABLES = {
    "zh": "就诊卡号,婚姻,探头频率\nP1,已婚,迈瑞\n",
    "zh short": "patient_id,乳头溢液\nP1,1\n",
    "zh as if UTF-8": "patient_id,age,医院\nP1,50,1\n",
    "tw": "檢體號,婚姻,染色方法\nP1,已婚,高雄醫學大學\n",
    "ja": "検体番号,装置名,プローブ周波数\nP1,担当医,慶應義塾大学病院\n",
    "ko": "검체번호,장비명,탐촉자주파수\nP1,기혼,고려대안암병원\n",
    "ru": "Штрихкод;Окраска;Беременность\nP1;замужем;Клиника им. Бурденко\n",
    "pl": "Barwienie;Powiększenie;Ciąża\nP1;zamężna;Kraków\n",
    "cs": "Barvení;Přístroj;Těhotenství\nP1;vdaná;částečné\n",
    "de": "Färbung;Vergrößerung;Gerät\nP1;verheiratet;Düsseldorf\n",
    "fr": "Coloration;Échelle;Fréquence\nP1;mariée;Besançon\n",
    "fr short": "patient_id;Épaississement\nP1;1\n",
    "es": "Tinción;Máquina;cigüeña\nP1;casada;León\n",
    "hu": "Készülék;Bőr;szülő\nP1;nős;emelkedő\n",
    "tr": "Boyama;Büyütme;Gebelik yaşı\nP1;evli;Eskişehir\n",  # noqa: RUF001 - Turkish
}
SINGLE_BYTE = {
    "ru": ("cp1251", "koi8_r"),
    "pl": ("cp1250", "iso8859_2"),
    "cs": ("cp1250",),
    "hu": ("cp1250",),
    "tr": ("cp1254",),
    "de": ("cp1252", "latin-1"),
    "fr": ("cp1252", "latin-1"),
    "es": ("cp1252",),
    "zh": ("gb18030", "gbk"),
    "tw": ("big5", "cp950"),
    "ja": ("cp932", "euc_jp", "iso2022_jp"),
    "ko": ("cp949", "euc_kr"),
}
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [(name, encoding) for name in TABLES for encoding in (*SINGLE_BYTE[name.split()[0]], *UNICODE)],
)
def test_encodings(tmp_path, name, encoding):
    path = tmp_path / "c.csv"
    path.write_bytes(TABLES[name].encode(encoding))
    sheet = read_sheet(path)
    header, row = TABLES[name].splitlines()
    mark = ";" if ";" in header else ","
    assert sheet.columns == tuple(header.split(mark))
    assert list(sheet.rows[0].cells.values()) == row.split(mark)


def test_utf8_damaged_in_one_place_is_not_read_as_something_else(tmp_path):
    path = tmp_path / "c.csv"
    path.write_bytes(
        "patient_id,site\nP1,北京协和医院\nP2,Köln\nP3,上海市\n".encode() + b"P4,M\xfcnchen\n"
    )
    with pytest.raises(CohortError, match="damaged in places"):
        read_sheet(path)


@pytest.mark.parametrize("line", ["sep=|\n", "SEP=|\r\n"])
def test_first_line_that_names_the_delimiter(tmp_path, line):
    path = tmp_path / "c.csv"
    path.write_text(f"{line}patient_id|a,b\nP1|1,2\n", newline="")
    sheet = read_sheet(path)
    assert cells(sheet) == [{"patient_id": "P1", "a,b": "1,2"}]
    assert sheet.rows[0].number == 2  # Excel does not show the first line


def test_commas_in_names_do_not_hide_the_delimiter(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("id;age, years, at surgery, rounded\nP1;50\n")
    assert cells(read_sheet(path)) == [{"id": "P1", "age, years, at surgery, rounded": "50"}]


def test_decimal_commas_where_the_comma_is_free(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("id;size;mixed;list\nP1;7,5;1,5;4,5\nP2;-12;2.5;4,5,6\nP3;;1;2\n")
    assert [list(row.values())[1:] for row in cells(read_sheet(path))] == [
        ["7.5", "1,5", "4,5"],
        ["-12", "2.5", "4,5,6"],
        ["", "1", "2"],
    ]
    path.write_text('id,size\nP1,"7,5"\n')
    assert cells(read_sheet(path))[0]["size"] == "7,5"


def test_blanks_of_every_width_around_cells(tmp_path):
    path = tmp_path / "c.csv"
    header = '\ufeff patient_id\u3000,"HER2\u00a0 \n状态",\u3000age\u200b\n'
    path.write_text(f"{header}\u3000P1 ,\t+,\u00a053\n", encoding="utf-8")
    assert cells(read_sheet(path)) == [{"patient_id": "P1", "HER2 状态": "+", "age": "53"}]


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
        ("a,b\n1,\0\n", "c.csv", "bytes that are not text, or text damaged in places"),
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


def test_excel_shows_what_a_person_sees(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "old"
    book.active.append(["nothing"])
    book.active.sheet_state = "hidden"
    sheet = book.create_sheet("patients")
    sheet.append(["patient_id", "ki67", "share", "number", "site", "third"])
    for number in (1, 2, 3):
        sheet.append([number, 0.3, 0.125, "\u300053 ", None, 1 / 3])
    for row in (2, 3, 4):
        sheet.cell(row, 1).number_format = "00000"
        sheet.cell(row, 2).number_format = "0%"
        sheet.cell(row, 3).number_format = "0.0%"
    sheet["E2"] = "北京"
    sheet.merge_cells("E2:E3")
    book.save(tmp_path / "c.xlsx")
    rows = [list(row.values()) for row in cells(read_sheet(tmp_path / "c.xlsx"))]
    third = "0.333333333333333"  # Excel keeps 15 digits
    assert rows == [
        ["00001", "30%", "12.5%", "53", "北京", third],
        ["00002", "30%", "12.5%", "53", "北京", third],
        ["00003", "30%", "12.5%", "53", "", third],
    ]


def test_merged_cells_that_make_no_table(tmp_path):
    book = openpyxl.Workbook()
    for row in (["patient_id", "roi", None], ["P1", 1, 2], ["P2", "unknown", None]):
        book.active.append(row)
    book.active.merge_cells("B1:C1")
    book.active.merge_cells("B3:C3")
    book.save(tmp_path / "c.xlsx")
    with pytest.raises(CohortError) as caught:
        read_sheet(tmp_path / "c.xlsx")
    assert [(p.place, p.found) for p in caught.value.problems] == [
        ("c.xlsx, row 1", "merged cells B1:C1"),
        ("c.xlsx, row 3", "merged cells B3:C3"),
    ]


def with_formula(path, *, result):
    """Write a workbook whose B2 is a formula, as Excel stores it with `result`."""
    workbook(path, [["patient_id", "age"], ["P1", 777]])
    with ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    old = b'<c r="B2" t="n"><v>777</v></c>'
    assert old in entries[name]
    entries[name] = entries[name].replace(old, result)
    with ZipFile(path, "w") as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return path


def test_formulas_are_their_stored_results(tmp_path):
    path = with_formula(tmp_path / "c.xlsx", result=b'<c r="B2"><f>50+3</f><v>53</v></c>')
    assert cells(read_sheet(path)) == [{"patient_id": "P1", "age": "53"}]
    path = with_formula(path, result=b'<c r="B2" t="str"><f>""</f><v></v></c>')
    assert cells(read_sheet(path)) == [{"patient_id": "P1", "age": ""}]


def test_a_formula_that_nobody_computed_is_no_empty_cell(tmp_path):
    path = workbook(tmp_path / "c.xlsx", [["patient_id", "age"], ["P1", "=50+3"], ["P2", "=A1"]])
    with pytest.raises(CohortError) as caught:
        read_sheet(path)
    (problem,) = caught.value.problems
    assert problem.place == "c.xlsx, cell B2"
    assert "not stored and in 1 more cells" in problem.found


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    path = workbook(tmp_path / "c.xlsx", [["patient_id"], ["P1"]])
    monkeypatch.setattr("axilla.cohort.tables.excel.MOST_BYTES", 1_000_000)
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/huge.bin", bytes(1_000_000))
    with pytest.raises(CohortError, match="more than 1 MB when unpacked"):
        read_sheet(path)


def test_empty_excel(tmp_path):
    with pytest.raises(CohortError, match="an empty table"):
        read_sheet(workbook(tmp_path / "c.xlsx", []))
