"""A whole small study on real sample images, as a user runs it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.cohort.cohort_reader import read_cases
from axilla.cohort.cohort_schema import CohortSchema
from axilla.inference.bundle import read_bundle
from axilla.inference.predictor import Predictor
from axilla.records.table_columns import METRICS, PREDICTIONS, SEARCH, SPLITS

FUSIONS = {"concatenation", "weighting", "attention", "voting", "multilayer"}


@pytest.fixture
def study(run_once: Path) -> Path:
    return run_once


def results(study: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(study / "results" / name, dtype={"patient_id": str})


def test_every_contracted_file_is_there(study: Path) -> None:
    names = {path.name for path in (study / "results").iterdir()}
    assert names >= {
        "check.json", "flow.json", "splits.csv", "predictions.csv", "metrics.csv", "search.csv",
        "report.html", "bundle.axilla", "provenance.json", "figures", "cache",
    }  # fmt: skip
    for name, columns in (
        ("splits.csv", SPLITS),
        ("predictions.csv", PREDICTIONS),
        ("metrics.csv", METRICS),
        ("search.csv", SEARCH),
    ):
        assert tuple(results(study, name).columns) == columns


def test_every_model_predicts_every_patient_once(study: Path) -> None:
    predictions = results(study, "predictions.csv")
    models = set(predictions["model"])
    for modality in ("ultrasound", "pathology"):
        for name in ("squeezenet", "plnet", "trivial", "selected"):
            assert f"{modality}/{name}" in models
    assert models >= FUSIONS | {"selected", "clinical/logistic", "birads"}
    counts = predictions[predictions["kind"] != "reader"].groupby("model")["patient_id"].nunique()
    assert (counts.drop("clinical/logistic") == 24).all()
    assert not predictions.duplicated(["patient_id", "model", "repeat"]).any()
    assert predictions["probability"].between(0, 1).all()


def test_predictions_come_from_the_fold_that_tests_the_patient(study: Path) -> None:
    splits = results(study, "splits.csv")
    tested = splits[splits["role"] == "test"].set_index("patient_id")["fold"]
    for row in results(study, "predictions.csv").itertuples():
        assert tested[row.patient_id] == row.fold


def test_no_donor_stands_on_both_sides(study: Path) -> None:
    donors = pd.read_csv(study / "cohort.csv", dtype=str).set_index("patient_id")["pathology_donor"]
    for _, fold in results(study, "splits.csv").groupby(["repeat", "fold"]):
        sides = [set(donors[side["patient_id"]]) for _, side in fold.groupby("role")]
        assert not set.intersection(*sides)


def test_metrics_restate_the_predictions(study: Path) -> None:
    predictions = results(study, "predictions.csv")
    metrics = results(study, "metrics.csv").set_index(["model", "metric"])
    for model, rows in predictions.groupby("model"):
        value = metrics.loc[(model, "auc"), "value"]
        assert value == pytest.approx(roc_auc_score(rows["label"], rows["probability"]))
        called = rows["probability"] >= rows["threshold"]
        assert metrics.loc[(model, "accuracy"), "value"] == pytest.approx(
            (called == rows["label"]).mean()
        )


def test_the_bundle_predicts_as_the_predictor_in_process_does(study: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere.axilla"
    shutil.copy(study / "results" / "bundle.axilla", alone)
    out = tmp_path / "predictions.csv"
    result = CliRunner().invoke(
        app, ["predict", str(alone), "--cohort", str(study / "cohort.csv"), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    bundle = read_bundle(alone)
    modalities = tuple(part.modality for part in bundle.manifest.modalities)
    cases = read_cases(study / "cohort.csv", CohortSchema(modalities)).patients
    one_by_one = [Predictor(bundle).predict([case])[0].probability for case in cases]
    written = pd.read_csv(out)
    np.testing.assert_allclose(written["probability"], one_by_one, atol=1e-5)
    assert list(written.columns[: len(PREDICTIONS)]) == list(PREDICTIONS)


def test_a_refitted_model_fits_its_own_patients(study: Path) -> None:
    """A bundle whose parts were mixed up would predict its own training patients at random."""
    bundle = read_bundle(study / "results" / "bundle.axilla")
    modalities = tuple(part.modality for part in bundle.manifest.modalities)
    wanted = CohortSchema(modalities, outcome="malignant")
    cases = read_cases(study / "cohort.csv", wanted).patients
    predicted = [p.probability for p in Predictor(bundle).predict(cases)]
    assert roc_auc_score([case.label for case in cases], predicted) > 0.7


@pytest.mark.slow
def test_a_second_run_resumes_and_repeats_every_byte(finished: Path, tmp_path: Path) -> None:
    study = finished
    before = (study / "results" / "predictions.csv").read_bytes()
    trials = sorted((study / "results" / "cache" / "trials").iterdir())
    stamps = [path.stat().st_mtime_ns for path in trials]
    assert CliRunner().invoke(app, ["run", str(study)]).exit_code == 0
    assert (study / "results" / "predictions.csv").read_bytes() == before
    assert [path.stat().st_mtime_ns for path in trials] == stamps
    fresh = tmp_path / "fresh"
    shutil.copytree(study, fresh, ignore=shutil.ignore_patterns("results"))
    assert CliRunner().invoke(app, ["run", str(fresh), "--jobs", "1"]).exit_code == 0
    assert (fresh / "results" / "predictions.csv").read_bytes() == before


@pytest.mark.slow
def test_damaged_cache_entries_are_computed_again(finished: Path) -> None:
    study = finished
    before = (study / "results" / "predictions.csv").read_bytes()
    for name in ("pixels", "embeddings", "trials", "trivial"):
        for entry in sorted((study / "results" / "cache" / name).iterdir())[:2]:
            entry.write_bytes(entry.read_bytes()[:-100])
    result = CliRunner().invoke(app, ["run", str(study)])
    assert result.exit_code == 0, result.output
    assert (study / "results" / "predictions.csv").read_bytes() == before


def test_provenance_names_what_was_done(study: Path) -> None:
    provenance = json.loads((study / "results" / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["seed"] == 7
    assert provenance["config"]["validation"]["folds"] == 2
    assert provenance["bundle"]["model"] in FUSIONS
    assert len(provenance["selected"]) == 2
    assert str(study) not in json.dumps(provenance)


@pytest.mark.slow
def test_the_report_describes_the_run_not_a_later_edit(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "edited"
    shutil.copytree(study, copy, ignore=shutil.ignore_patterns("cache", "images"))
    toml = (copy / "study.toml").read_text(encoding="utf-8")
    toml = toml.replace("seed = 7", "seed = 990471102").replace("Small study", "Renamed study")
    (copy / "study.toml").write_text(toml, encoding="utf-8")
    assert CliRunner().invoke(app, ["report", str(copy)]).exit_code == 0
    html = (copy / "results" / "report.html").read_text(encoding="utf-8")
    assert "Renamed study" in html
    assert "990471102" not in html


def test_predicting_the_development_cohort_is_called_what_it_is(
    study: Path, tmp_path: Path
) -> None:
    arguments = ["predict", str(study / "results" / "bundle.axilla"), "--cohort"]
    out = ["--out", str(tmp_path / "p.csv")]
    result = CliRunner().invoke(app, [*arguments, str(study / "cohort.csv"), *out])
    assert result.exit_code == 0
    assert "says nothing about others" in " ".join(result.output.split())


def test_one_case_is_predicted_from_its_files(study: Path) -> None:
    case = pd.read_csv(study / "cohort.csv", dtype=str).iloc[0]
    arguments = [
        "predict", str(study / "results" / "bundle.axilla"), "--json",
        "--ultrasound", str(study / case["ultrasound"]),
        "--mask", str(study / case["ultrasound_mask"]),
        "--pathology", str(study / case["pathology"]),
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert 0 <= answer["probability"] <= 1
    assert answer["used"] == ["ultrasound", "pathology"]
    assert answer["notice"].startswith("Research use only")
    assert {number["metric"] for number in answer["performance"]} >= {"auc", "accuracy"}
