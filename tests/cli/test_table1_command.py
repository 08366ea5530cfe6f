"""`axilla table1` as a user types it: formats, choices, and what goes wrong."""

import re
from pathlib import Path

import docx
import numpy as np
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from axilla import RESEARCH_USE_ONLY
from axilla.cli.main import app

REFERENCE = Path(__file__).parents[1] / "evaluation" / "reference" / "paper_table1.csv"


def run(*arguments):
    result = CliRunner().invoke(app, ["table1", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def paper(tmp_path):
    """The paper's patients as a table: an identifier, the outcome, nine variables."""
    counts = pd.read_csv(REFERENCE, keep_default_na=False)
    columns = {"patient_id": [f"P{i:03d}" for i in range(211)], "alnm": [1] * 107 + [0] * 104}
    for variable, rows in counts.groupby("variable", sort=False):
        sizes = [*rows["alnm_positive"], *rows["alnm_negative"]]
        columns[variable] = np.repeat([*rows["level"]] * 2, sizes)
    path = tmp_path / "cohort.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("tests", [(), ("--tests", "pearson")])
def test_the_papers_table_on_the_terminal(paper, tests):
    result = run(paper, "--by", "alnm", *tests)
    assert result.exit_code == 0
    for variable, p in {
        "menopausal_status": "0.920", "tumour_location": "0.980", "histological_type": "0.522",
        "er": "0.577", "pr": "0.537", "ki67": "0.007", "her2": "0.046",
        "molecular_subtype": "0.126", "axillary_ultrasound": "< 0.001",
    }.items():  # fmt: skip
        assert re.search(
            rf"^{variable}, n \(%\) +{p} +Pearson chi-square", result.stdout, re.MULTILINE
        )
    assert "Overall (n = 211)" in result.stdout
    assert "without Yates' correction" in " ".join(result.stdout.split())
    assert "left out patient_id: an identifier" in result.stderr
    assert "left out alnm: it makes the groups" in result.stderr


def test_small_cells_are_exact_unless_pearson_is_forced(tmp_path):
    path = tmp_path / "small.csv"
    rows = ["a,x"] * 7 + ["a,y"] * 2 + ["b,x"] * 3 + ["b,y"] * 6
    path.write_text("\n".join(["group,level", *rows]), encoding="utf-8")
    for options, test in (((), "Fisher exact"), (("--tests", "pearson"), "Pearson chi-square")):
        out = tmp_path / "t.csv"
        assert run(path, "--by", "group", "--out", out, *options).exit_code == 0
        assert pd.read_csv(out)["test"][0] == test


def test_every_format_says_the_same(paper, tmp_path):
    files = {suffix: tmp_path / f"out.{suffix}" for suffix in ("csv", "html", "docx", "txt")}
    for path in files.values():
        assert run(paper, "--by", "alnm", "--columns", "er, her2", "--out", path).exit_code == 0
    table = pd.read_csv(files["csv"], keep_default_na=False, dtype=str)
    assert list(table["variable"]) == ["er", "er", "her2", "her2"]
    assert list(table["p"]) == ["0.577", "", "0.046", ""]
    cells = {cell for column in ("overall", "0 (n = 104)") for cell in table[column]}
    document = docx.Document(str(files["docx"]))
    word = {cell.text for row in document.tables[0].rows for cell in row.cells}
    assert cells | {"0.577", "0.046", "er, n (%)", "positive"} <= word
    html = files["html"].read_text(encoding="utf-8")
    text = files["txt"].read_text(encoding="utf-8")
    assert text == run(paper, "--by", "alnm", "--columns", "er,her2").stdout
    for cell in cells | {"0.577", "0.046"}:
        assert f">{cell}</td>" in html
        assert cell in text
    assert RESEARCH_USE_ONLY in html


def test_text_of_a_table_is_never_markup(tmp_path):
    path = tmp_path / "cohort.csv"
    rows = ["<b>x</b>,[red]u[/red]"] * 4 + ["R&D,[red]v[/red]"] * 5
    path.write_text("\n".join(["<i>by</i>,[bold]level", *rows]), encoding="utf-8")
    shown = run(path, "--by", "<i>by</i>").stdout
    assert "[bold]level, n (%)" in shown
    assert "[red]u[/red]" in shown
    page = tmp_path / "t.html"
    assert run(path, "--by", "<i>by</i>", "--out", page).exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;x&lt;/b&gt; (n = 4)" in html
    assert "R&amp;D (n = 5)" in html
    assert "<b>x" not in html
    assert "<i>by" not in html


def test_chinese_headers_in_gb18030_and_excel(tmp_path):
    header, rows = ("患者", "转移", "雌激素受体"), [(f"P{i}", i % 2, "阳性") for i in range(8)]
    rows += [(f"Q{i}", i % 2, "阴性") for i in range(6)]
    text = "\n".join(",".join(map(str, row)) for row in (header, *rows))
    (tmp_path / "cohort.csv").write_bytes(text.encode("gb18030"))
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    book.save(tmp_path / "cohort.xlsx")
    shown = [
        run(tmp_path / f"cohort.{kind}", "--by", "转移", "--columns", "雌激素受体").stdout
        for kind in ("csv", "xlsx")
    ]
    assert shown[0] == shown[1]
    line = next(line for line in shown[0].splitlines() if "阳性" in line)
    assert line.startswith("  阳性")
    assert "8 (57.1)" in line
    assert "1.000" in shown[0]


def test_codes_and_numbers_can_be_named(tmp_path):
    path = tmp_path / "cohort.csv"
    lines = [f"{i % 2},{i % 3},{20 + i % 7}" for i in range(30)]
    path.write_text("\n".join(["alnm,grade,age_years", *lines]), encoding="utf-8")

    def variables(*options):
        assert run(path, "--by", "alnm", "--out", tmp_path / "t.csv", *options).exit_code == 0
        table = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
        return table.groupby("variable", sort=False)["level"].agg(list).to_dict()

    assert variables()["grade"] == ["0", "1", "2"]
    assert len(variables()["age_years"]) == 1
    assert variables("--number", "grade")["grade"][0].startswith(("mean", "median"))
    assert variables("--category", "age_years")["age_years"] == [str(20 + i) for i in range(7)]


def test_clusters_are_named_in_the_note(tmp_path):
    path = tmp_path / "cohort.csv"
    rng = np.random.default_rng(4)
    lines = [f"P{i},{i % 2},D{i // 4},{rng.normal():.4f}" for i in range(80)]
    path.write_text("\n".join(["patient_id,alnm,donor,size", *lines]), encoding="utf-8")
    result = run(path, "--by", "alnm", "--cluster", "donor")
    assert "p, clustered" in result.stdout
    words = " ".join(result.stdout.split())
    assert "Patients who share donor are not independent, as p assumes" in words
    assert "left out donor: it ties patients" in result.stderr
    assert "clustered" not in run(path, "--by", "alnm").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--by", "almn"), 2, "--by: found no column 'almn'; expected one of the columns of "),
        (("--by", "almn"), 2, "Did you mean alnm?"),
        (("--by", "alnm", "--columns", "er,hre2"), 2, "Did you mean her2?"),
        (("--by", "alnm", "--cluster", "er2"), 2, "--cluster: found no column 'er2'"),
        (("--by", "alnm", "--number", "er"), 1, "row 2, column er: found 'negative'"),
        (("--by", "alnm", "--out", "t.pdf"), 2, "expected a file that ends in .csv, .html, .docx"),
        (("--by", "patient_id"), 1, "found 211 different values; expected 2 to 10 groups"),
        (("--by", "alnm", "--columns", "alnm"), 1, "no column to compare"),
        ((), 2, "Missing option '--by'"),
    ],
)
def test_mistakes_are_one_clear_error(paper, arguments, code, said):
    result = run(paper, *arguments)
    assert result.exit_code == code
    assert said in " ".join(re.sub("[│╭╮╰╯─]", "", result.output).split())
    assert [file.name for file in paper.parent.iterdir()] == ["cohort.csv"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty table"),
        ("alnm,er\n", "column names but no rows"),
        ("alnm,er\n1,positive\n1,negative\n", "only '1'; expected at least two groups"),
        ("alnm,er\n1,positive\n,negative\n", "only '1'; expected at least two groups"),
        ("alnm,er\n1,positive\n0,positive\n", "no column to compare (alnm: it makes the groups"),
        (None, "no such file"),
    ],
)
def test_tables_without_two_groups(tmp_path, text, said):
    path = tmp_path / "cohort.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    result = run(path, "--by", "alnm")
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_five_patients(tmp_path):
    path = tmp_path / "cohort.csv"
    path.write_text("alnm,age,er\n1,44,p\n1,51,n\n0,63,n\n0,37,\n0,70,n\n", encoding="utf-8")
    result = run(path, "--by", "alnm")
    assert result.exit_code == 0
    assert re.search(r"^age, median \(IQR\) .* 0\.800 +Mann-Whitney", result.stdout, re.MULTILINE)
    assert re.search(
        r"^er, n \(%\) +1 \(1 / 0\) +1\.000 +Fisher exact", result.stdout, re.MULTILINE
    )


def test_numbers_in_real_rows_keep_their_place(tmp_path):
    path = tmp_path / "cohort.csv"
    path.write_text("alnm,size\n1,3\n\n0,4\n0,x\n", encoding="utf-8")
    result = run(path, "--by", "alnm", "--number", "size")
    assert "row 5, column size: found 'x'" in result.output
