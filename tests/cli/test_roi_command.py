"""`axilla roi`: one readable message, exit codes, and what a script reads."""

import json

import pytest
from typer.testing import CliRunner

from axilla.cli.main import app


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def study(tmp_path, make_study):
    return make_study(tmp_path / "study")


def test_export_and_import_again(study, tmp_path):
    path = tmp_path / "all.json"
    exported = run("roi", "export", study, "--out", path)
    assert exported.exit_code == 0, exported.output
    assert "24 ROIs" in exported.output
    dry = run("roi", "import", study, path, "--dry-run")
    assert "24 rectangles, 24 of them with an outline" in dry.output
    assert "Nothing was written" in dry.output
    assert not (study / "rois.csv").exists()
    imported = run("roi", "import", study, path, "--json")
    content = json.loads(imported.stdout)
    assert (content["rows"], len(content["rois"]), content["notes"]) == (24, 24, [])
    again = run("roi", "import", study, path)
    assert "replaces 24 earlier rows" in again.output
    assert "rois.csv has 24 rows" in again.output
    assert (
        run("roi", "export", study, "--format", "csv", "--out", tmp_path / "all.csv").exit_code == 0
    )
    header, *lines = (tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()
    assert header == "image,roi_left,roi_top,roi_width,roi_height,mask,source,label"
    assert len(lines) == 24


def test_problems_are_lines_and_exit_code_one(study, tmp_path):
    (tmp_path / "a.json").write_text("[1, 2]")
    (tmp_path / "b.json").write_text("{")
    failed = run("roi", "import", study, tmp_path / "a.json", tmp_path / "b.json")
    assert failed.exit_code == 1
    assert failed.output.count("error") == 2
    for word in ("a.json", "b.json", "CVAT", "QuPath"):
        assert word in failed.output


@pytest.mark.parametrize("arguments", [("import",), ("import", "x", "y", "--several", "all"), ()])
def test_wrong_usage_is_exit_code_two(arguments):
    assert run("roi", *arguments).exit_code == 2


def test_a_folder_without_study_is_an_error(tmp_path):
    assert run("roi", "import", tmp_path, tmp_path / "a.json").exit_code == 2
