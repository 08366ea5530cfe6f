"""`axilla evaluate` on predictions from elsewhere: numbers, files, and what goes wrong."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from axilla.cli.main import app


def run(*arguments):
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat([1, 0], [33, 31]))
    frames = [
        pd.DataFrame(
            {
                "patient_id": [f"{i:03d}" for i in range(64)],
                "model": model,
                "label": label,
                "probability": 1 / (1 + np.exp(-(rng.normal(size=64) + shift * (label - 0.5)))),
                "donor": [f"d{i % 20}" for i in range(64)],
                "site": [("Wuhan", "Bern & <Thun>")[i % 2] for i in range(64)],
                "age": [30 + i % 40 for i in range(64)],
            }
        )
        for model, shift in (("ResNet50", 0.9), ("theirs", 1.4))
    ]
    return pd.concat(frames, ignore_index=True)


def stored(tmp_path, table, name="predictions.csv"):
    path = tmp_path / name
    table.to_csv(path, index=False)
    return path


def test_metrics_as_json_are_those_of_sklearn(tmp_path, table):
    found = json.loads(run(stored(tmp_path, table), "--json").stdout)
    for model, rows in table.groupby("model"):
        (auc,) = [
            row["value"]
            for row in found["metrics"]
            if row["model"] == model and row["metric"] == "auc"
        ]
        assert auc == pytest.approx(roc_auc_score(rows["label"], rows["probability"]))
    assert {row["threshold_rule"] for row in found["metrics"]} == {"fixed 0.5", ""}
    assert {row["family"] for row in found["comparisons"]} == {"all pairs"}
    assert "Research use only" in found["notice"]


@pytest.mark.slow
def test_everything_is_written_where_asked(tmp_path, table):
    out = tmp_path / "evaluation"
    result = run(
        *(stored(tmp_path, table), "--out", out, "--group", "donor"),
        *("--subgroup", "site", "--subgroup", "age"),
    )
    assert result.exit_code == 0
    written = {path.name for path in (out / "results").iterdir()}
    assert {"metrics.csv", "comparisons.csv", "subgroups.csv", "report.html"} <= written
    metrics = pd.read_csv(out / "results" / "metrics.csv")
    assert metrics["method"].str.contains("clustered by group").any()
    subgroups = pd.read_csv(out / "results" / "subgroups.csv")
    assert set(subgroups["column"]) == {"site", "age"}
    report = (out / "results" / "report.html").read_text(encoding="utf-8")
    assert "The best model, theirs, reaches an AUC of" in report
    assert "<Thun>" not in report
    assert "inner fold" not in report


def test_a_threshold_of_the_table_is_used(tmp_path, table):
    low = table.assign(threshold=0.0)
    found = json.loads(run(stored(tmp_path, low), "--json").stdout)["metrics"]
    recall = [row for row in found if row["metric"] == "recall"]
    assert [row["value"] for row in recall] == [1.0, 1.0]
    assert {row["threshold_rule"] for row in recall} == {"given"}


def test_other_codes_delimiters_and_small_numbers(tmp_path, table):
    coded = table.assign(label=np.where(table["label"] == 1, "pos", "neg"))
    coded.loc[0, "probability"] = 1.2e-05
    path = tmp_path / "coded.csv"
    coded.to_csv(path, index=False, sep=";")
    found = json.loads(run(path, "--positive", "pos", "--json").stdout)["metrics"]
    assert {row["n_positive"] for row in found} == {33}


def test_one_model_needs_no_name(tmp_path, table):
    alone = table[table["model"] == "theirs"].drop(columns="model")
    assert run(stored(tmp_path, alone)).exit_code == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.rename(columns={"probability": "probabilty"}), ["probability", "Did you"]),
        (lambda t: t.assign(probability=["1.7", *t["probability"][1:]]), ["row 2", "1.7", "0 to"]),
        (lambda t: t.assign(probability=["nan", *t["probability"][1:]]), ["row 2", "probability"]),
        (lambda t: t.assign(kind="radiologist"), ["kind", "reader"]),
        (lambda t: pd.concat([t, t.head(1)]), ["several times"]),
        (lambda t: t.assign(label=""), ["label", "no label"]),
        (lambda t: t.assign(site=[f"s{i}" for i in range(128)]), ["site", "row"]),
        (lambda t: t.head(0), ["no rows"]),
    ],
)
def test_mistakes_are_one_clear_error(tmp_path, table, change, words):
    out = tmp_path / "evaluation"
    result = run(stored(tmp_path, change(table)), "--subgroup", "site", "--out", out)
    assert result.exit_code == 1
    for word in ("error", *words):
        assert word in " ".join(result.output.split())
    assert not (out / "results" / "metrics.csv").exists()


def test_one_class_only_is_measured_as_far_as_it_goes(tmp_path, table):
    result = run(stored(tmp_path, table[table["label"] == 1]), "--json")
    found = {row["metric"]: row for row in json.loads(result.stdout)["metrics"]}
    assert found["auc"]["value"] is None
    assert "one class only" in found["auc"]["method"]
    assert found["recall"]["value"] is not None


def test_five_patients_and_perfect_separation(tmp_path):
    table = pd.DataFrame(
        {"patient_id": list("abcde"), "label": [1, 1, 0, 0, 0], "probability": [1, 0.9, 0.1, 0, 0]}
    )
    result = run(stored(tmp_path, table), "--json")
    found = {row["metric"]: row for row in json.loads(result.stdout)["metrics"]}
    assert found["auc"]["value"] == 1
    assert 0 < found["auc"]["low"] < 1
    assert found["calibration_slope"]["value"] is None
