"""Table 1 in print: from the frame and from its CSV alike, in the report equal to table1.csv."""

import numpy as np
import pandas as pd
import pytest
from lxml import html

from axilla.evaluation.table1.patient_table import table_one
from axilla.records.table_columns import read_results
from axilla.report.manuscript.manuscript_table import text_width
from axilla.report.study_results import load_results
from axilla.report.tables.table1_text import plain_text, printed_table, study_manuscript_table1


def frame_of(*, groups=("a", "b"), clusters=None, missing=True):
    rng = np.random.default_rng(6)
    n = 48
    columns = {
        "age": rng.normal(50, 9, n),
        "size": rng.exponential(3, n) ** 2,
        "er": rng.choice(["阴性", "阳性"], n),
        "rare": ["x"] * (n - 2) + ["y", "z"],
        "nothing": [None] * n,
    }
    frame = pd.DataFrame(columns, dtype=object)
    if missing:
        frame.loc[:4, "age"] = None
    else:
        frame = frame.drop(columns="nothing")
    kinds = dict.fromkeys(frame, "category") | dict.fromkeys(("age", "size"), "number")
    member = pd.Series([groups[i % len(groups)] for i in range(n)])
    tied = None if clusters is None else pd.Series([f"D{i % clusters}" for i in range(n)])
    return table_one(frame, member, kinds=kinds, clusters=tied)


@pytest.mark.parametrize("options", [{}, {"clusters": 11}, {"missing": False}, {"groups": "abc"}])
def test_the_same_in_print_after_a_round_trip(tmp_path, options):
    frame = frame_of(**options)
    frame.to_csv(tmp_path / "table1.csv", index=False)
    again = read_results(tmp_path / "table1.csv", ())
    printed = [printed_table(f, title="Table 1", tied_by="donor") for f in (frame, again)]
    assert printed[0] == printed[1]


def test_rows_and_header():
    table = printed_table(frame_of(), title="Table 1. Patients")
    assert table.header == (
        "Characteristic", "Overall (n = 48)", "a (n = 24)", "b (n = 24)", "Missing", "p", "Test",
        "SMD",
    )  # fmt: skip
    rows = {row[0]: row for row in table.rows}
    assert list(rows) == [
        "age, mean ± SD", "size, median (IQR)", "er, n (%)", "  阳性", "  阴性", "rare, n (%)",
        "  x", "  y", "  z", "nothing",
    ]  # fmt: skip
    assert rows["  x"][4:] == ("", "", "", "")
    assert rows["er, n (%)"][1:4] == ("", "", "")
    assert rows["rare, n (%)"][6] == "Fisher-Freeman-Halton exact"
    assert rows["nothing"][4:] == ("48 (24 / 24)", "\N{EN DASH}", "no values", "\N{EN DASH}")


def test_the_note_says_what_is_in_the_table_and_no_more():
    note = printed_table(frame_of(clusters=11), title="", tied_by="pathology_donor").note
    for said in (
        "Shapiro-Wilk", "Welch's t test", "the Mann-Whitney test", "without Yates' correction",
        "the Fisher-Freeman-Halton exact test where", "Missing:", "share pathology_donor",
        "a Wald test with clustered variance and Rao and Scott's chi-square test",
    ):  # fmt: skip
        assert said in note
    plain = printed_table(frame_of(missing=False, groups="abc"), title="").note
    assert "Welch's analysis of variance" in plain
    assert "largest over pairs of groups" in plain
    for unsaid in ("Welch's t", "Missing", "clustered", "Monte Carlo", "Fisher's exact"):
        assert unsaid not in plain


def test_text_is_aligned_also_in_chinese():
    table = printed_table(frame_of(), title="Table 1")
    lines = plain_text(table).splitlines()
    body = lines[4 : 4 + len(table.rows)]
    column = [line for line in body if line.startswith("  ")]
    widths = {text_width(line) for line in column}
    assert len(widths) == 1
    assert max(map(len, lines[5 + len(table.rows) :])) <= 100


def test_the_report_shows_table1_csv(paired):
    config, folder = paired
    page = html.fromstring(folder.table("report.html").read_text(encoding="utf-8"))
    (section,) = page.xpath("//section[@id='table1']")
    printed = study_manuscript_table1(load_results(config, folder))
    shown = [
        tuple("".join(cell.itertext()).strip() for cell in row.xpath("./th|./td"))
        for row in section.xpath(".//tbody/tr")
    ]
    assert shown == [tuple(text.strip() for text in row) for row in printed.rows]
    assert {"age, mean ± SD", "age, median (IQR)"} & {row[0] for row in shown}
    assert "share pathology_donor" in section.text_content()
    anchors = [element.get("id") for element in page.xpath("//section")]
    assert anchors.index("table1") == anchors.index("patients") + 1
