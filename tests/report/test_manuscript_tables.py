"""tables.docx prints the numbers of metrics.csv and comparisons.csv, each with its interval."""

import docx
import pandas as pd
import pytest
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.report.manuscript.manuscript_tables import manuscript_tables
from axilla.report.stage import write_manuscript
from axilla.report.study_results import load_results


def tables_of(study):
    return {
        table.title.partition(".")[0]: table for table in manuscript_tables(load_results(*study))
    }


def test_tables_have_the_papers_numbers(paired, clinical_only):
    assert list(tables_of(paired)) == [f"Table {number}" for number in range(1, 7)]
    titles = [table.title for table in tables_of(paired).values()]
    for title, word in zip(
        titles[1:], ("Pathology", "Ultrasound", "Fusion", "Clinical", "Paired"), strict=True
    ):
        assert word in title
    assert list(tables_of(clinical_only)) == ["Table 1", "Table 5"]


def test_cells_are_value_and_interval_of_metrics_csv(paired):
    metrics = pd.read_csv(paired[1].table("metrics.csv")).set_index(["model", "metric"])
    table = tables_of(paired)["Table 4"]
    names = {"Precision": "precision", "Recall": "recall", "AUC": "auc", "F1-score": "f1"}
    rows = {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}
    for title, metric in names.items():
        row = metrics.loc[("multilayer", metric)]
        expected = f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        assert rows["Multilayer"][title] == expected
    assert "211 patients, 107 positive" in table.note


def test_comparisons_say_difference_interval_and_both_p(paired):
    frame = pd.read_csv(paired[1].table("comparisons.csv"))
    row = frame[
        (frame["family"] == "within pathology")
        & (frame["test"] == "delong")
        & (frame["model_b"] == "pathology/plnet")
    ].iloc[0]
    table = tables_of(paired)["Table 6"]
    label = "DenseNet121, pathology – PLNet, pathology"  # noqa: RUF001
    (found,) = [cells for cells in table.rows if cells[0].strip() == label]
    assert row["model_a"] == "pathology/densenet121"
    value, low, high = (f"{row[name]:+.3f}" for name in ("estimate", "low", "high"))
    assert found[1].replace("\N{MINUS SIGN}", "-") == f"{value} ({low} to {high})"
    assert found[0].startswith(" ")
    assert len(table.rows) > frame["family"].nunique()


def test_document_holds_the_tables_and_is_the_same_again(paired):
    config, folder = paired
    path = write_manuscript(config, folder)
    first = path.read_bytes()
    document = docx.Document(str(path))
    expected = manuscript_tables(load_results(config, folder))
    assert len(document.tables) == len(expected)
    for table, source in zip(document.tables, expected, strict=True):
        cells = [tuple(cell.text for cell in row.cells) for row in table.rows]
        assert cells == [tuple(t.strip() for t in row) for row in (source.header, *source.rows)]
    assert write_manuscript(config, folder).read_bytes() == first
    path.unlink()


@pytest.mark.parametrize("asked", [True, False])
def test_command_writes_the_document_only_when_asked(clinical_only, tmp_path, asked):
    _, folder = clinical_only
    (tmp_path / "results").mkdir()
    for name in ("predictions.csv", "metrics.csv", "provenance.json"):
        (tmp_path / "results" / name).write_bytes(folder.table(name).read_bytes())
    (tmp_path / "study.toml").write_text('[study]\noutcome = "alnm"\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["report", str(tmp_path), *(["--docx"] if asked else [])])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "results" / "tables.docx").is_file() == asked
    assert ("tables.docx" in "".join(result.output.split())) == asked
