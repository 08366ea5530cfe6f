"""The whole stage on a small study: out of fold, on one scale, nothing left of an earlier run."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import read_study
from axilla.explanation.heatmap_file import patients_in, read_heatmaps, read_legend
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from axilla.training import stage


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def explained(run_once):
    return run_once


@pytest.mark.slow
def test_every_patient_is_explained_by_the_model_that_did_not_see_them(explained):
    results = explained / "results"
    rows = pd.read_csv(results / "explanation.csv", dtype={"fold": str})
    tested = pd.read_csv(results / "splits.csv").query("role == 'test'")
    assert set(rows["patient_id"]) == set(tested["patient_id"])
    predictions = pd.read_csv(results / "predictions.csv")
    multilayer = predictions[predictions["model"] == "multilayer"].set_index("patient_id")
    for row in rows.itertuples():
        # The logit whose gradient was followed is the out-of-fold prediction's own.
        expected = multilayer.loc[row.patient_id, "probability"]
        assert 1 / (1 + np.exp(-row.logit)) == pytest.approx(expected, abs=1e-4)
    assert set(rows["modality"]) == {"ultrasound", "pathology"}
    assert (rows["method"] == "gradcam").all()


def test_maps_are_raw_signed_and_share_one_scale(explained):
    folder = explained / "results" / "heatmaps"
    rows = pd.read_csv(explained / "results" / "explanation.csv")
    files = patients_in(folder)
    assert set(files) == set(rows["patient_id"])
    maps = {patient: read_heatmaps(path).maps for patient, path in files.items()}
    means = rows.set_index(["patient_id", "modality"])["mean"]
    for (patient, modality), mean in means.items():
        assert np.mean(maps[patient][modality].values) == pytest.approx(mean, abs=1e-5)
    legend = read_legend(folder)
    assert legend.model == "multilayer"
    for modality, scale in legend.scale.items():
        values = np.concatenate([np.abs(m[modality].values).ravel() for m in maps.values()])
        assert scale == pytest.approx(np.percentile(values, 99), rel=1e-6)
    assert min(np.min(m["ultrasound"].values) for m in maps.values()) < 0
    assert all(m["pathology"].decoy is not None for m in maps.values())


def test_the_tests_of_truthfulness_and_what_was_done_are_written(explained):
    table = pd.read_csv(explained / "results" / "faithfulness.csv")
    assert set(table["modality"]) == {"ultrasound", "pathology"}
    assert {"deletion", "insertion"} <= {name.split("_")[0] for name in table["check"]}
    made = json.loads((explained / "results" / "provenance.json").read_text(encoding="utf-8"))
    assert made["heatmaps"]["patients"] == 24
    assert made["heatmaps"]["tested"] == 4


@pytest.mark.slow
def test_explaining_again_uses_the_cache_and_leaves_nothing_of_before(explained, tmp_path):
    copy = shutil.copytree(explained, tmp_path / "again")
    before = (copy / "results" / "predictions.csv").read_bytes()
    result = invoke("explain", copy, "--method", "layercam", "--patients", 5)
    assert result.exit_code == 0, result.output
    assert len(patients_in(copy / "results" / "heatmaps")) == 5
    assert set(pd.read_csv(copy / "results" / "explanation.csv")["method"]) == {"layercam"}
    assert (copy / "results" / "predictions.csv").read_bytes() == before


def test_loading_the_models_again_gives_the_same_out_of_fold_logits(explained):
    config = read_study(explained / "study.toml")
    cohort = read_cohort(config, explained)
    final = stage.load(config, RunFolder(explained), cohort, Silent())
    tested = [p.patient_id for fold in final.out_of_fold for p in fold.tested]
    assert sorted(tested) == sorted(p.patient_id for p in cohort)
    assert all(fold.fusion.name == "multilayer" for fold in final.out_of_fold)
    assert not set(tested[:1]) & {p.patient_id for p in final.out_of_fold[0].patients}
    assert torch.isfinite(final.out_of_fold[0].fusion.logits).all()


def test_a_table_that_changed_since_the_run_is_refused(explained, tmp_path):
    copy = shutil.copytree(explained, tmp_path / "changed")
    table = pd.read_csv(copy / "cohort.csv", dtype=str, keep_default_na=False)
    table.iloc[1:].to_csv(copy / "cohort.csv", index=False)
    before = {path: path.stat().st_mtime_ns for path in (copy / "results").rglob("*")}
    result = invoke("explain", copy)
    assert result.exit_code == 1
    assert "another cohort" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in (copy / "results").rglob("*")} == before


def test_a_model_that_the_study_did_not_train_is_refused(explained):
    result = invoke("explain", explained, "--model", "multilayr")
    assert result.exit_code == 1
    assert "--model: found 'multilayr'" in result.stderr
    assert "multilayer" in result.stderr.split("expected")[1]


def test_a_study_that_has_not_run_is_one_clear_error(make_study, tmp_path):
    result = invoke("explain", make_study(tmp_path))
    assert result.exit_code == 1
    assert "results/bundle.axilla: found no such file" in result.stderr
    assert "axilla run" in result.stderr
