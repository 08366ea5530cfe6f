"""`axilla check`: what it prints, writes and returns."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from axilla.cli.check import summarise
from axilla.cli.main import app


def finding(code: str, *patients: str, **more: str) -> dict[str, object]:
    return {
        "code": code,
        "place": "cohort.csv, row 2, column ultrasound",
        "found": "'images/a.jpg', something",
        "expected": "another thing",
        "remedy": "Do this.",
        "patients": list(patients),
        **more,
    }


SUMMARY = {"in_table": 211, "positive": 107, "negative": 104, "images": 422, "masks": 1}


def printed(check: dict[str, object], *, width: int = 100, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=stream, width=width, highlight=False, soft_wrap=True)
    whole = {"errors": [], "warnings": [], "accepted": [], "summary": SUMMARY} | check
    summarise(whole, console, name="My study", folder="my-study")
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_a_clean_study_is_told_what_to_do_next() -> None:
    assert printed({}).splitlines() == [
        "My study  211 patients in the table; 107 positive, 104 negative; 422 images; 1 mask",
        "",
        "0 errors, 0 warnings.",
        "Details: results/check.json",
        "Images: results/check.html, for a browser; it holds images of patients",
        "Next: axilla run my-study",
    ]


def test_findings_come_grouped_errors_first_each_remedy_once() -> None:
    check = {
        "accepted": [finding("image_blank", "Q", reason="the only picture of this patient")],
        "warnings": [finding("sparse")],
        "errors": [finding("image_duplicate", "A", "B"), finding("image_duplicate", "C", "D")],
    }
    text = printed(check)
    lines = text.splitlines()
    heads = [line for line in lines if line.startswith(("✗", "!", "✓"))]
    assert heads == [
        "✗ error    Same image in several patients  image_duplicate: 2 findings, 4 patients",
        "! warning  Clinical column mostly empty  sparse: 1 finding",
        "✓ accepted Image without content  image_blank: 1 finding, 1 patient",
    ]
    assert text.count("to do: Do this.") == 2
    assert text.count("expected another thing") == 2
    assert "accepted because the only picture of this patient" in text
    assert "something (C, D)" in text
    assert "2 errors, 1 warning, 1 accepted." in text
    assert "Next: mend the errors and check again." in text
    assert "axilla run" not in text


def test_two_hundred_findings_stay_readable() -> None:
    many = [finding("image_blurred", f"P{number:03}") for number in range(40)]
    codes = ("doppler", "roi_small", "low_tissue", "burned_in_text")
    text = printed({"warnings": [*many, *(finding(code, "X") for code in codes * 40)]})
    assert "and 37 more: P003, P004, P005, P006, P007, P008 and 31 more" in text
    assert len(text.splitlines()) < 60
    assert "0 errors, 200 warnings." in text
    assert "Next: look at the warnings, then axilla run my-study" in text


def test_long_words_are_wrapped_under_their_heading() -> None:
    long = finding("image_blurred", "A") | {"found": "too little to see " * 12}
    lines = [line.rstrip() for line in printed({"warnings": [long]}, width=60).splitlines()]
    first = lines.index("    cohort.csv, row 2, column ultrasound: too little to see")
    assert lines[first + 1].startswith("    too little")
    assert all(len(line) <= 60 for line in lines[first : first + 5])


def test_a_patient_whom_the_words_name_is_not_named_again() -> None:
    named = finding("image_duplicate", "A", "P2", found="the same as that of P2")
    assert "the same as that of P2 (A)" in printed({"errors": [named]})


def test_square_brackets_are_no_markup() -> None:
    text = printed({"errors": [finding("roi", "[bold]P1[/bold]", found="[/] [red]7[/red]")]})
    assert "[/] [red]7[/red] ([bold]P1[/bold])" in text


def test_an_old_terminal_gets_plain_symbols() -> None:
    text = printed({"errors": [finding("roi")]}, encoding="ascii")
    assert "x error" in text


def check(folder: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", str(folder), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def copy_an_image(folder: Path) -> list[str]:
    """Give two patients of different donors and outcomes one ultrasound image."""
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    first = table.index[table["malignant"] == "0"][0]
    second = table.index[table["malignant"] == "1"][0]
    for column in ("ultrasound", "ultrasound_mask"):
        table.loc[second, column] = table.loc[first, column]
    table.to_csv(folder / "cohort.csv", index=False)
    return sorted([table.loc[first, "patient_id"], table.loc[second, "patient_id"]])


@pytest.fixture
def folder(tmp_path: Path, make_study: Callable[..., Path]) -> Path:
    return make_study(tmp_path / "study", cases_per_donor=1)


def test_a_sound_study_passes_and_leaves_its_files(folder: Path) -> None:
    code, output = check(folder)
    assert code == 0
    assert "0 errors" in output
    assert f"axilla run {folder}" in output
    assert (folder / "results" / "check.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")


def test_json_is_check_json(folder: Path) -> None:
    pair = copy_an_image(folder)
    code, output = check(folder, "--json")
    assert code == 1
    found = json.loads(output)
    assert found == json.loads((folder / "results" / "check.json").read_text(encoding="utf-8"))
    assert [(e["code"], sorted(e["patients"])) for e in found["errors"]] == [
        ("image_duplicate", pair)
    ]


def test_an_error_fails_until_it_is_accepted_with_a_reason(folder: Path) -> None:
    pair = copy_an_image(folder)
    code, output = check(folder)
    assert code == 1
    assert "Same image in several patients" in output
    assert "1 error," in output
    page = (folder / "results" / "check.html").read_text(encoding="utf-8")
    assert all(f"Ultrasound of patient {patient}" in page for patient in pair)
    accepted = f'[[accept]]\ncode = "image_duplicate"\npatients = {pair}\nreason = "one woman"\n'
    toml = folder / "study.toml"
    toml.write_text(f"{toml.read_text(encoding='utf-8')}\n{accepted}", encoding="utf-8")
    code, output = check(folder)
    assert code == 0
    assert "accepted because one woman" in output
    assert "0 errors" in output
    assert "1 accepted" in output


def test_what_may_not_be_accepted_is_a_mistake_in_study_toml(folder: Path) -> None:
    toml = folder / "study.toml"
    accepted = '[[accept]]\ncode = "file_missing"\nreason = "never mind"\n'
    toml.write_text(f"{toml.read_text(encoding='utf-8')}\n{accepted}", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(folder)])
    assert result.exit_code == 2
    assert "file_missing" in " ".join(result.output.split())
