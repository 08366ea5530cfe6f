"""`axilla plan`: readable answers, JSON that scripts can use, and clear refusals."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.evaluation.planning.from_study import auc_precision, pair_precision
from axilla.evaluation.planning.sample_size import (
    PairedAucs,
    auc_width,
    patients_for_auc_width,
    patients_for_difference,
    patients_for_proportion_width,
)
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.table_columns import PREDICTIONS


def plan(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["plan", *(str(argument) for argument in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def planned(*arguments: object) -> dict:
    result = CliRunner().invoke(app, ["plan", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_interval_of_the_auc() -> None:
    expected = patients_for_auc_width(0.8, width=0.1, prevalence=0.4)
    code, output = plan("--auc", 0.8, "--width", 0.1, "--prevalence", 0.4)
    assert code == 0
    assert output.startswith(
        f"{expected.n} patients ({expected.n_positive} positive, {expected.n_negative} negative): "
        "an AUC of 0.8 has a 95 % interval 0.100 wide"
    )
    assert "Hanley & McNeil" in output
    assert "assumed" not in output
    found = planned("--auc", 0.8, "--width", 0.1, "--prevalence", 0.4)
    assert (found["n"], found["width"]) == (expected.n, expected.reached)
    back = planned("--auc", 0.8, "--patients", expected.n, "--prevalence", 0.4)
    assert back["width"] == expected.reached
    normal = planned("--auc", 0.8, "--patients", 100, "--scores", "normal")
    assert normal["width"] == auc_width(0.8, n=100, prevalence=0.5, scores="normal").reached


def test_groups_need_more_patients() -> None:
    alone = planned("--auc", 0.8, "--width", 0.1)
    groups = ("--group-size", 5, "--group-correlation", 0.3)
    grouped = planned("--auc", 0.8, "--width", 0.1, *groups)
    assert grouped["design_effect"] == pytest.approx(2.2)
    assert grouped["n"] == pytest.approx(2.2 * alone["n"], rel=0.01)
    assert "2.20 times" in plan("--auc", 0.8, "--width", 0.1, *groups)[1]


def test_a_comparison_of_two_models() -> None:
    expected = patients_for_difference(PairedAucs(0.75, 0.85), power=0.8, prevalence=0.5)
    code, output = plan("--auc", 0.75, "--versus", 0.85)
    assert code == 0
    assert output.startswith(f"{expected.n} patients")
    assert "power of 0.80" in output
    assert "0.5, assumed (with 0.3: " in output
    found = planned("--auc", 0.75, "--versus", 0.85, "--patients", expected.n)
    assert found["power"] == expected.reached
    stricter = planned("--auc", 0.75, "--versus", 0.85, "--power", 0.9, "--alpha", 0.01)
    assert stricter["n"] > expected.n


@pytest.mark.parametrize(
    ("name", "class_share", "kind"),
    [("sensitivity", 0.3, "positive"), ("specificity", 0.7, "negative")],
)
def test_a_sensitivity_or_specificity(name, class_share, kind) -> None:
    how = (f"--{name}", 0.85, "--width", 0.15, "--prevalence", 0.3)
    expected = patients_for_proportion_width(0.85, width=0.15, class_share=class_share)
    found = planned(*how)
    assert (found["n"], found[f"n_{kind}"]) == (expected.n, expected.n_positive)
    surely = planned(*how, "--assurance", 0.9)
    assert surely["n"] > found["n"]
    assert surely["assurance"] >= 0.9
    back = planned(f"--{name}", 0.85, "--patients", found["n"], "--prevalence", 0.3)
    assert back["width"] == pytest.approx(0.15, abs=0.002)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", ["nothing to plan for", "axilla plan --auc 0.80 --width 0.10"]),
        ("--auc 0.8 --sensitivity 0.9 --width 0.1", ["--auc and --sensitivity"]),
        ("--auc 0.8", ["no goal", "--width"]),
        ("--versus 0.8", ["--versus without --auc"]),
        ("--auc 0.8 --versus 0.9 --width 0.1", ["--width with --versus"]),
        ("--auc 0.8 --versus 0.9 --power 0.8 --patients 90", ["--power with --patients"]),
        ("--auc 0.8 --width 0.1 --patients 90", ["--width with --patients"]),
        ("--auc 0.8 --width 0.1 --correlation 0.4", ["--correlation", "comparison"]),
        ("--auc 0.8 --width 0.1 --power 0.8", ["--power", "--width"]),
        ("--auc 0.8 --width 0.1 --assurance 0.9", ["--assurance", "--sensitivity"]),
        ("--sensitivity 0.8 --width 0.1 --scores normal", ["--scores", "--auc"]),
        ("--auc 0.8 --width 0.1 --scores uniform", ["'uniform'", "exponential, normal"]),
        ("--auc 0.8 --width 0.1 --group-size 4", ["--group-correlation", "both"]),
        ("--auc 0.8 --versus 0.8", ["two AUCs that differ"]),
        ("--auc 1.2 --width 0.1", ["auc: found 1.2", "below 1"]),
        ("--auc 0.8 --width 2", ["width: found 2", "below 1"]),
        ("--auc 0.8 --width 0.1 --prevalence 0", ["prevalence: found 0"]),
        ("--auc 0.8 --versus 0.9 --power 1", ["power: found 1"]),
        ("--sensitivity 1 --width 0.1", ["proportion: found 1"]),
        ("--sensitivity 0.9 --patients 0", ["patients: found 0"]),
        ("--auc 0.8 --learning-curve --width 0.1", ["--learning-curve", "my-study"]),
        ("my-study --auc 0.8", ["--auc with a finished study", "leave my-study out"]),
    ],
)
def test_what_cannot_be_planned(options: str, words: list[str]) -> None:
    code, output = plan(*options.split())
    assert code == 2
    for word in words:
        assert word in output


def test_all_contradictions_are_told_at_once() -> None:
    _, output = plan("--versus", 0.8, "--width", 0.1, "--group-size", 3)
    assert output.count("error plan:") == 4


def test_help_has_examples() -> None:
    code, output = plan("--help")
    assert code == 0
    plain = re.sub(r"[│ ]+", " ", output)
    for example in ("axilla plan --auc 0.80 --width 0.10", "axilla plan my-study --learning-curve"):
        assert example in plain


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A finished study of 90 patients in 30 groups: a fusion and two single modalities."""
    rng = np.random.default_rng(2)
    patients = [f"P{number:02d}" for number in range(90)]
    label = np.arange(90) // 3 % 2
    shared = rng.normal(size=30)[np.arange(90) // 3]
    rows = []
    for model, kind, modality, auc in (
        ("ultrasound/squeezenet", "unimodal", "ultrasound", 0.75),
        ("ultrasound/trivial", "unimodal", "ultrasound", 0.65),
        ("clinical/logistic", "unimodal", "clinical", 0.7),
        ("voting", "fusion", "ultrasound+clinical", 0.85),
        ("selected", "fusion", "ultrasound+clinical", 0.85),
        ("birads", "reader", "reader", 0.7),
    ):
        score = 0.6 * shared + 0.8 * rng.normal(size=90) + np.sqrt(2) * norm.ppf(auc) * label
        probability = norm.cdf(score) if kind != "reader" else (score > 0.5).astype(float)
        rows += [
            (patients[p], model, kind, modality, 1, p % 2 + 1, label[p], probability[p], 0.5)
            for p in range(90)
        ]
    results = tmp_path / "study" / "results"
    results.mkdir(parents=True)
    pd.DataFrame(rows, columns=list(PREDICTIONS)).to_csv(results / "predictions.csv", index=False)
    pd.DataFrame(
        {"patient_id": patients, "outcome": label, "family": np.arange(90) // 3, "age": 50}
    ).to_csv(tmp_path / "study" / "cohort.csv", index=False)
    (tmp_path / "study" / "study.toml").write_text(
        '[study]\noutcome = "outcome"\n[cohort]\ngroup = ["family"]\n[clinical]\nage = "number"\n'
        "[models]\nultrasound = []\npathology = []\nfusion = []\n",
        encoding="utf-8",
    )
    return tmp_path / "study"


def test_a_finished_study_plans_the_next(study: Path) -> None:
    found = planned(study, "--difference", 0.1, "--patients", 300)
    assert [model["model"] for model in found["models"]] == [
        "ultrasound/squeezenet", "clinical/logistic", "selected",
    ]  # fmt: skip
    assert [(pair["one"], pair["other"]) for pair in found["pairs"]] == [
        ("selected", "ultrasound/squeezenet"), ("selected", "clinical/logistic"),
    ]  # fmt: skip
    table = pd.read_csv(study / "results" / "predictions.csv")
    groups = {f"P{number:02d}": str(number // 3) for number in range(90)}
    one, other = (
        model_predictions(table[table["model"] == name], groups=groups)
        for name in ("selected", "ultrasound/squeezenet")
    )
    precision, pair = auc_precision(one), pair_precision(one, other)
    stated = found["models"][-1]
    assert stated["groups"] == 30
    assert stated["effective_n"] == pytest.approx(precision.effective_n)
    assert stated["patients_for_width"] == precision.patients_for_width(0.1)
    assert stated["width_then"] == pytest.approx(precision.width(300))
    assert found["pairs"][0]["correlation"] == pytest.approx(pair.correlation)
    assert found["pairs"][0]["power_then"] == pytest.approx(pair.power(0.1, n=300))
    assert found["pairs"][0]["patients_for_difference"] == pair.patients_for_difference(
        0.1, power=0.8
    )
    code, output = plan(study)
    assert code == 0
    assert f"selected: AUC {precision.auc:.3f}" in output
    assert f"worth {precision.effective_n:.0f} unrelated patients" in output
    assert f"{precision.patients_for_width(0.1):,} patients like these" in output


def test_a_study_without_results_or_with_impossible_wishes(study: Path, tmp_path: Path) -> None:
    code, output = plan(study, "--difference", 0.7)
    assert code == 2
    assert "difference: found 0.7" in output
    code, output = plan(study, "--learning-curve")
    assert code == 1
    assert "another cohort" in output
    (study / "results" / "predictions.csv").unlink()
    code, output = plan(study)
    assert code == 1
    assert "axilla run" in output
    code, output = plan(tmp_path / "nowhere")
    assert code == 1
    assert "predictions.csv" in output
