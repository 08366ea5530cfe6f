"""Table 1 as text and as a section of the page."""

import math
import re
from collections.abc import Sequence

import pandas as pd

from axilla.evaluation.table1.formatting import MEAN, MEDIAN, p_text, smd_text
from axilla.evaluation.table1.group_tests import NOT_COMPARED
from axilla.evaluation.table1.patient_table import CLUSTERED
from axilla.report.manuscript.manuscript_table import ManuscriptTable, text_width
from axilla.report.number_format import NO_NUMBER, join_items
from axilla.report.page import PageSection, render
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import StudyResults

_GROUP = re.compile(r".* \(n = (\d+)\)", re.DOTALL)
_TESTS = {
    "Welch t": "Welch's t test",
    "Welch ANOVA": "Welch's analysis of variance",
    "Mann-Whitney": "the Mann-Whitney test",
    "Kruskal-Wallis": "the Kruskal-Wallis test",
    "Pearson chi-square": "Pearson's chi-square test without Yates' correction",
    "Fisher exact": "Fisher's exact test where expected counts are small",
    "Fisher-Freeman-Halton exact": "the Fisher-Freeman-Halton exact test where expected counts "
    "are small",
}
_NUMBERS = (
    "Mean ± standard deviation where no group departs from a normal distribution "
    "(Shapiro-Wilk test, p >= 0.05), else median (quartiles)."
)
_PAIR = 2
_GAP = "  "


def printed_table(frame: pd.DataFrame, *, title: str, tied_by: str = "") -> ManuscriptTable:
    """Return Table 1 as printed, from the frame of `table_one`, also read back from its CSV.

    Columns whose cells would all be empty are left out. The note below says what the cells are and
    how they were tested; `tied_by` names what patients of a cluster share.
    """
    frame = _as_text(frame)
    groups = _groups(frame)
    n = sum(int(size) for size in groups.values())
    header = {"overall": f"Overall (n = {n})", **{name: name for name in groups}}
    if _any_missing(frame):
        header["missing"] = "Missing"
    header["p"] = "p"
    if CLUSTERED in frame and frame[CLUSTERED].any():
        header[CLUSTERED] = "p, clustered"
    header |= {"test": "Test", "smd": "SMD"}
    rows = [row for _, part in _variables(frame) for row in _rows(part, list(header))]
    note = _note(frame, groups=len(groups), tied_by=tied_by if CLUSTERED in header else "")
    return ManuscriptTable(title, ("Characteristic", *header.values()), tuple(rows), note)


def plain_text(table: ManuscriptTable, *, width: int = 100) -> str:
    """Return a table as lines of text, its columns aligned; the note is wrapped at `width`."""
    lines = (table.header, *table.rows)
    widths = [max(text_width(text) for text in column) for column in zip(*lines, strict=True)]
    printed = [_GAP.join(_align_texts(line, widths)).rstrip() for line in lines]
    rule = "-" * max(map(text_width, printed))
    body = [table.title, rule, printed[0], rule, *printed[1:], rule]
    return "\n".join([*body, *_wrap(table.note, width)]) + "\n"


def _align_texts(texts: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Pad texts to the widths of their columns: the first to the right, the others to the left."""
    blanks = [" " * (wide - text_width(text)) for text, wide in zip(texts, widths, strict=True)]
    return [texts[0] + blanks[0], *(b + t for t, b in zip(texts[1:], blanks[1:], strict=True))]


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(lines[-1]) + text_width(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Undo what reading a CSV makes of texts: numbers, and NaN of empty cells."""
    prints = {"p": p_text, CLUSTERED: p_text, "smd": smd_text}
    columns = {
        name: [
            prints.get(name, _whole)(cell) if isinstance(cell, float) else str(cell)
            for cell in frame[name]
        ]
        for name in frame.columns
    }
    return pd.DataFrame(columns, dtype=str)


def _whole(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.0f}"


def _groups(frame: pd.DataFrame) -> dict[str, str]:
    """Return the groups' columns and the patients in each."""
    found = ((str(name), _GROUP.fullmatch(str(name))) for name in frame.columns)
    return {name: match[1] for name, match in found if match}


def _variables(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), part) for name, part in frame.groupby("variable", sort=False)]


def _rows(part: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a number's row, or a category's title, which carries its tests, and its levels."""
    first = part.iloc[0]
    tests = {"missing", "p", CLUSTERED, "test", "smd"}
    ends = {c: _format_cell(first, c) for c in columns if c in tests}
    if first["level"] in {MEAN, MEDIAN, ""}:
        title = ", ".join(filter(None, (first["variable"], first["level"])))
        return [(title, *(ends.get(c, first.get(c, "")) for c in columns))]
    rows = [(f"{first['variable']}, n (%)", *(ends.get(c, "") for c in columns))]
    for _, row in part.iterrows():
        rows += [(f"  {row['level']}", *("" if c in tests else str(row[c]) for c in columns))]
    return rows


def _format_cell(row: pd.Series, column: str) -> str:
    text = str(row[column])
    if column == "test":
        return text.split("; clustered: ", maxsplit=1)[0].removeprefix(NOT_COMPARED)
    return text or (NO_NUMBER if column in {"p", CLUSTERED, "smd"} else "0")


def _note(frame: pd.DataFrame, *, groups: int, tied_by: str) -> str:
    levels, tests = set(frame["level"]), [t.split("; clustered: ")[0] for t in frame["test"]]
    known = [words for name, words in _TESTS.items() if name in {t.split(",")[0] for t in tests}]
    largest = "" if groups == _PAIR else ", the largest over pairs of groups"
    sentences = []
    if levels - {MEAN, MEDIAN, ""}:
        sentences += ["n (%): patients, and their share of those with a value."]
    if levels & {MEAN, MEDIAN}:
        sentences += [_NUMBERS]
    if known:
        sentences += [f"p: {join_items(known)}; not adjusted for the number of variables."]
    if any("Monte Carlo" in test for test in tests):
        sentences += ["Monte Carlo: 100,000 random tables."]
    if tied_by:
        sentences += [_describe_clusters(frame, tied_by)]
    sentences += [f"SMD: standardised mean difference{largest}."]
    if _any_missing(frame):
        sentences += ["Missing: patients without a value, in all (and by group)."]
    return " ".join(sentences)


def _any_missing(frame: pd.DataFrame) -> bool:
    return bool(frame["missing"].replace("", "0").ne("0").any())


def _describe_clusters(frame: pd.DataFrame, tied_by: str) -> str:
    joined = " ".join(frame["test"])
    kinds = [
        words
        for mark, words in (
            ("Wald", "a Wald test with clustered variance"),
            ("Rao-Scott", "Rao and Scott's chi-square test"),
        )
        if f"clustered: {mark}" in joined
    ]
    used = f" ({join_items(kinds)})" if kinds else ""
    return (
        f"Patients who share {tied_by} are not independent, as p assumes; "
        f"p, clustered does not assume it{used}."
    )


def table1_section(material: ReportContext) -> PageSection | None:
    """Who the patients are, by outcome."""
    table = study_manuscript_table1(material.results)
    return None if table is None else section_of(table, file="table1.csv")


def study_manuscript_table1(results: StudyResults) -> ManuscriptTable | None:
    """Return a study's Table 1 as printed, or None if it has none."""
    if results.table1.empty:
        return None
    return printed_table(
        results.table1,
        title=f"Table 1. Patients by {results.config.study.outcome}",
        tied_by=join_items(list(results.config.cohort.group)),
    )


def section_of(table: ManuscriptTable, *, file: str = "") -> PageSection:
    """Return Table 1 as a section of a page; `file` names where it also lies."""
    html = render("sections/table1.html.j2", table=table, file=file)
    return PageSection("Table 1: who the patients are", "table1", html)
