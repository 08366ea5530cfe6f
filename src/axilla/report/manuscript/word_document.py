"""A Word document with three-line tables, as journals print them."""

import datetime as dt
import re
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Length, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.table import Table, _Cell, _Row

from axilla import RESEARCH_USE_ONLY
from axilla.records.run_folder import write_bytes
from axilla.report.manuscript.manuscript_table import ManuscriptTable, text_width

_FONT, _FONT_EAST_ASIA = "Times New Roman", "SimSun"
_TEXT_PT, _TABLE_PT, _NOTE_PT, _TITLE_PT = 11, 9, 8.5, 14
_SHORT_CM, _LONG_CM, _MARGIN_CM = 21.0, 29.7, 2.0  # A4
_PORTRAIT_COLUMNS = 7
_LETTERS = (6, 34)  # what a column is given room for at least and at most
_OUTER_RULE, _INNER_RULE = "12", "6"  # eighths of a point
_INDENT_CM = 0.35
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP_MADE_BY_UNIX = 3
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_docx(path: Path, tables: Sequence[ManuscriptTable], *, heading: str) -> None:
    """Write the tables into one Word document; the same tables give the same bytes.

    A4, landscape if a table has more than seven columns. Each table has a title above, a rule over
    and under its header and one at its end, a header that repeats on every page, and its note
    below. The footer says that this is for research. Characters that XML forbids become U+FFFD.
    """
    document = docx.Document()
    wide = max((len(table.header) for table in tables), default=0) > _PORTRAIT_COLUMNS
    width = _set_page(document, landscape=wide)
    _set_styles(document)
    document.add_heading(_xml_text(heading), level=1)
    for table in tables:
        _add_table(document, table, width=width)
    _set_properties(document, title=_xml_text(heading))
    content = BytesIO()
    document.save(content)
    write_bytes(path, _remove_dates(content))


def _set_page(document: Document, *, landscape: bool) -> Length:
    """Set size, margins and footer; return the width between the margins."""
    section = document.sections[0]
    sides = (_LONG_CM, _SHORT_CM) if landscape else (_SHORT_CM, _LONG_CM)
    section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Cm(sides[0]), Cm(sides[1])
    section.left_margin = section.right_margin = Cm(_MARGIN_CM)
    section.top_margin = section.bottom_margin = Cm(_MARGIN_CM)
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    footer.add_run(RESEARCH_USE_ONLY).font.size = Pt(_NOTE_PT)
    return Cm(sides[0] - 2 * _MARGIN_CM)


def _set_styles(document: Document) -> None:
    sizes = {"Normal": _TEXT_PT, "Heading 1": _TITLE_PT, "Caption": _TEXT_PT, "Footer": _NOTE_PT}
    for name, size in sizes.items():
        style = document.styles[name]
        if not isinstance(style, ParagraphStyle):  # of python-docx's own template
            raise TypeError(f"{name} is no paragraph style")
        style.font.size, style.font.name = Pt(size), _FONT
        style.font.color.rgb = RGBColor(0, 0, 0)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)  # a theme's font would win over ours
        fonts.set(qn("w:eastAsia"), _FONT_EAST_ASIA)


def _add_table(document: Document, content: ManuscriptTable, *, width: Length) -> None:
    caption = document.add_paragraph(_xml_text(content.title), style="Caption")
    caption.paragraph_format.keep_with_next = True
    caption.paragraph_format.space_before, caption.paragraph_format.space_after = Pt(12), Pt(4)
    table = document.add_table(rows=1 + len(content.rows), cols=len(content.header))
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    shares = _shares(content)
    for column, share in zip(table.columns, shares, strict=True):
        column.width = Length(int(width * share))
    for number, (row, texts) in enumerate(
        zip(table.rows, (content.header, *content.rows), strict=True)
    ):
        cells = row.cells
        for position, (cell, text) in enumerate(zip(cells, texts, strict=True)):
            cell.width = Length(int(width * shares[position]))
            _fill(cell, text, first=position == 0, bold=number == 0)
        _add_flag(row, "w:cantSplit")
    _add_flag(table.rows[0], "w:tblHeader")
    _rule(table)
    note = document.add_paragraph()
    note.paragraph_format.space_before = Pt(3)
    note.add_run(_xml_text(content.note)).font.size = Pt(_NOTE_PT)


def _fill(cell: _Cell, text: str, *, first: bool, bold: bool) -> None:
    paragraph = cell.paragraphs[0]
    layout = paragraph.paragraph_format
    layout.space_before = layout.space_after = Pt(1.5)
    layout.line_spacing = 1.0
    if first and text != text.lstrip():
        layout.left_indent = Cm(_INDENT_CM)
    if not first:
        layout.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = paragraph.add_run(_xml_text(text.strip()))
    run.font.size, run.font.bold = Pt(_TABLE_PT), bold


def _rule(table: Table) -> None:
    """Draw the three rules: over the header, under it, and under the last row."""
    header, *body = table.rows
    _border(header, top=_OUTER_RULE, bottom=_INNER_RULE if body else _OUTER_RULE)
    if body:
        _border(body[-1], bottom=_OUTER_RULE)


def _border(row: _Row, **sides: str) -> None:
    for cell in row.cells:
        borders = OxmlElement("w:tcBorders")
        for side, size in sides.items():
            border = OxmlElement(f"w:{side}")
            for key, value in {"val": "single", "sz": size, "space": "0"}.items():
                border.set(qn(f"w:{key}"), value)
            borders.append(border)
        cell._tc.get_or_add_tcPr().append(borders)  # noqa: SLF001 - python-docx has no borders


def _add_flag(row: _Row, name: str) -> None:
    properties = row._tr.get_or_add_trPr()  # noqa: SLF001 - python-docx has no such property
    properties.append(OxmlElement(name))


def _shares(table: ManuscriptTable) -> list[float]:
    """Return each column's share of the width, by its longest text."""
    least, most = _LETTERS
    lengths = [
        min(max(least, *(text_width(text) for text in column)), most)
        for column in zip(table.header, *table.rows, strict=True)
    ]
    return [length / sum(lengths) for length in lengths]


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _set_properties(document: Document, *, title: str) -> None:
    properties = document.core_properties
    properties.title = title[:255]
    properties.author = properties.last_modified_by = "axilla"
    properties.comments = RESEARCH_USE_ONLY
    properties.created = properties.modified = _EPOCH
    properties.revision = 1


def _remove_dates(content: BytesIO) -> bytes:
    """Return the same archive without the time at which it was made."""
    undated = BytesIO()
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(undated, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.create_system = _ZIP_MADE_BY_UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(name))
    return undated.getvalue()
