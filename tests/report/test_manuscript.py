"""Word tables: python-docx reads back what was written; the bytes depend on the tables alone."""

import re
import zipfile

import docx
import pytest
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn

from axilla import RESEARCH_USE_ONLY
from axilla.report.manuscript import word_document
from axilla.report.manuscript.manuscript_table import ManuscriptTable
from axilla.report.manuscript.word_document import write_docx

TABLE = ManuscriptTable(
    title="Table 1. Patients <by> node & status",
    header=("变量", "Overall (n = 211)", "p"),
    rows=(
        ("Age, years", "53.1 ± 10.2", "< 0.001"),
        ("her2, n (%)", "", "0.046"),
        ("  阳性", "33", ""),
    ),
    note="Mean ± SD; no level is spent here.",
)

TWIP = 635  # the unit of a column's width in the file, in that of python-docx


def reread(path):
    return docx.Document(str(path))


def borders(row):
    return [
        {b.tag: b.get(qn("w:sz")) for b in cell._tc.iter(qn("w:top"), qn("w:bottom"))}
        for cell in row.cells
    ]


def test_word_reads_back_every_text(tmp_path):
    path = tmp_path / "tables.docx"
    write_docx(path, [TABLE, TABLE], heading="Fusion & nodes")
    document = reread(path)
    assert len(document.tables) == 2
    for table in document.tables:
        found = [tuple(cell.text for cell in row.cells) for row in table.rows]
        assert found == [TABLE.header, *TABLE.rows[:2], ("阳性", "33", "")]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts == ["Fusion & nodes", *([TABLE.title, TABLE.note] * 2)]
    assert document.sections[0].footer.paragraphs[0].text == RESEARCH_USE_ONLY


def test_three_rules_a_repeated_header_and_indented_levels(tmp_path):
    write_docx(tmp_path / "tables.docx", [TABLE], heading="Study")
    rows = reread(tmp_path / "tables.docx").tables[0].rows
    assert borders(rows[0]) == [{qn("w:top"): "12", qn("w:bottom"): "6"}] * 3
    assert borders(rows[1]) == borders(rows[2]) == [{}] * 3
    assert borders(rows[3]) == [{qn("w:bottom"): "12"}] * 3
    repeated = [row._tr.trPr.find(qn("w:tblHeader")) is not None for row in rows]
    assert repeated == [True, False, False, False]
    indents = [row.cells[0].paragraphs[0].paragraph_format.left_indent for row in rows]
    assert [bool(indent) for indent in indents] == [False, False, False, True]


def test_a_table_without_rows_has_its_last_rule_once(tmp_path):
    write_docx(tmp_path / "t.docx", [ManuscriptTable("Empty", ("a", "b"), ())], heading="Study")
    rows = reread(tmp_path / "t.docx").tables[0].rows
    assert borders(rows[0]) == [{qn("w:top"): "12", qn("w:bottom"): "12"}] * 2


def test_the_same_tables_give_the_same_bytes(tmp_path, monkeypatch):
    write_docx(tmp_path / "one.docx", [TABLE], heading="Study")
    clock = zipfile.time.time
    monkeypatch.setattr(zipfile.time, "time", lambda: clock() + 90_000)
    write_docx(tmp_path / "two.docx", [TABLE], heading="Study")
    assert (tmp_path / "one.docx").read_bytes() == (tmp_path / "two.docx").read_bytes()
    write_docx(tmp_path / "two.docx", [TABLE], heading="Other")
    assert (tmp_path / "one.docx").read_bytes() != (tmp_path / "two.docx").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.docx") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        core = archive.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {"2000-01-01T00:00:00Z"}


def test_characters_that_xml_forbids_do_not_break_the_file(tmp_path):
    table = ManuscriptTable("a\x00b", ("x\x0b",), (("\ud800",),), note="\x1f")
    write_docx(tmp_path / "t.docx", [table], heading="\x01" * 300)
    document = reread(tmp_path / "t.docx")
    assert document.paragraphs[1].text == "a\N{REPLACEMENT CHARACTER}b"
    assert document.tables[0].cell(1, 0).text == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(("columns", "orientation"), [(7, "PORTRAIT"), (8, "LANDSCAPE")])
def test_wide_tables_lie_on_their_side(tmp_path, columns, orientation):
    header = tuple(f"column {number}" for number in range(columns))
    write_docx(tmp_path / "t.docx", [ManuscriptTable("Wide", header, (header,))], heading="Study")
    document = reread(tmp_path / "t.docx")
    section = document.sections[0]
    assert section.orientation == getattr(WD_ORIENT, orientation)
    assert (section.page_width > section.page_height) == (orientation == "LANDSCAPE")
    within = section.page_width - section.left_margin - section.right_margin
    assert sum(column.width for column in document.tables[0].columns) == pytest.approx(
        within, abs=columns * TWIP
    )


def test_refuses_ragged_rows():
    with pytest.raises(ValueError, match="every row needs 2 cells"):
        ManuscriptTable("Ragged", ("a", "b"), (("1",),))


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.docx"
    write_docx(path, [TABLE], heading="Study")
    before = path.read_bytes()
    monkeypatch.setattr(word_document, "_remove_dates", lambda content: content.missing)
    with pytest.raises(AttributeError):
        write_docx(path, [TABLE], heading="Other")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["t.docx"]
