import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from axilla.cli.main import app

PAPER = Path(__file__).parents[1] / "evaluation" / "reference" / "paper_tables.csv"


def run(*arguments):
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def write(folder, text):
    path = folder / "reported.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_paper_in_words():
    code, text = run(PAPER)
    assert code == 0
    for words in (
        "64 patients, 33 positive, precision and accuracy swapped: 50 of 60 figures reproduced.",
        "No other test set or order of columns comes near.",
        "4 fusion, multilayer     25  9   8   22  4 of 4      0.734 (0.615 to 0.827)",
        "4 fusion, attention      accuracy  0.5571   precision  0.8571    one digit changed",
        "3 ultrasound, ViT: 1 of 4 figures reproduced, by 29 matrices",
        "15 of 15 are whole numbers of the 33 x 31 = 1023 pairs",
        "SqueezeNet called nobody positive, which gives accuracy 0.4844; printed: accuracy 0.5156",
    ):
        assert words in text


def test_the_paper_as_json():
    code, text = run(PAPER, "--json")
    assert code == 0
    document = json.loads(text)
    (one,) = document["test_sets"]
    best = one["explanations"][0]
    assert (best["n"], best["positives"], best["explained"], best["figures"]) == (64, 33, 50, 60)
    assert best["reading"]["columns"]["precision"] == "accuracy"
    assert one["unique"]
    assert one["models"][-1]["matrix"] == [25, 9, 8, 22]
    assert one["models"][-1]["auc"]["verdict"] == "plausible"
    assert document["explained"]


def test_what_the_paper_states_is_contradicted():
    code, text = run(PAPER, "--n", 42)
    assert code == 1
    assert "Contradicted." in text
    assert "Without what was stated: 64 patients, 33 positive" in text


@pytest.mark.slow
def test_figures_that_fit_nothing_exit_with_1(tmp_path):
    path = write(tmp_path, "model,precision,recall,f1,accuracy\na,0.7443,0.7662,0.7538,0.7327\n")
    code, text = run(path)
    assert code == 1
    assert "Not explained." in text


def test_one_model_is_not_unique(tmp_path):
    path = write(tmp_path, "model,precision,recall,f1,accuracy\n[a],0.7353,0.7576,0.7463,0.7344\n")
    code, text = run(path, "--smallest", 20, "--largest", 300)
    assert code == 0
    assert "Not unique." in text
    assert "n = 64, 128, 192, 256" in text
    assert "[a]" in text


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("model,accuracy,recal\na,0.7,0.6\n", (), ["row 1", "recall?"]),
        ("model,accuracy,recall\na,73.4,0.6\n", (), ["row 2, column accuracy", "73.4%"]),
        ("model,accuracy,recall\na,0.7,0.6\n", ("--n", 1), ["1 to 1 patients"]),
        ("model,accuracy,recall\na,0.7,0.6\n", ("--n", 20, "--positives", 20), ["--positives"]),
        ("model,accuracy,recall\na,0,0\n", (), ["nobody positive"]),
    ],
)
def test_what_cannot_be_audited_exits_with_2(text, options, words, tmp_path):
    code, output = run(write(tmp_path, text), *options)
    assert code == 2
    said = " ".join(output.split())
    for word in words:
        assert word in said


def test_a_missing_file_exits_with_2(tmp_path):
    code, output = run(tmp_path / "nowhere.csv")
    assert code == 2
    assert "nowhere.csv" in output
