"""A run maps what its report shows; `axilla explain` maps everybody. No image is mirrored here."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.config.load import read_study
from axilla.config.study import ExplanationSection
from axilla.explanation.heatmap_file import patients_in, read_heatmaps, read_legend
from axilla.inference.bundle import read_bundle
from axilla.records.run_folder import RunFolder
from axilla.report.images.explained_cases import chosen_cases
from axilla.report.study_results import load_results

pytestmark = pytest.mark.slow


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def chosen_in(folder):
    config = read_study(folder / "study.toml")
    return [
        one.patient_id
        for one in chosen_cases(load_results(config, RunFolder(folder)), "multilayer")
    ]


def test_a_run_maps_the_reports_cases_and_explain_everybody(make_study, tmp_path):
    folder = make_study(
        tmp_path / "study",
        ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["squeezenet"]'),
        ("mirror = true", "mirror = false"),
        ("patients = 0", "faithfulness_cases = 2"),
    )
    result = invoke("run", folder)
    assert result.exit_code == 0, result.output
    results = folder / "results"
    assert not read_bundle(results / "bundle.axilla").manifest.preprocessing.mirror
    predictions = pd.read_csv(results / "predictions.csv")
    out_of_fold = predictions[predictions["model"] == "multilayer"].set_index("patient_id")

    assert read_legend(results / "heatmaps").chosen == "report"
    mapped, shown = patients_in(results / "heatmaps"), chosen_in(folder)
    assert set(shown) <= set(mapped)
    assert len(mapped) <= len(shown) + 2
    rows = pd.read_csv(results / "explanation.csv")
    assert set(rows["patient_id"]) == set(mapped)
    expected = out_of_fold.loc[rows["patient_id"], "probability"]
    np.testing.assert_allclose(expit(rows["logit"]), expected, atol=1e-4)
    assert all(read_heatmaps(path).maps["pathology"].decoy is None for path in mapped.values())
    assert "axilla explain" in (results / "report.html").read_text(encoding="utf-8")

    # Which modality mattered is told of everybody, from what training kept.
    shapley = pd.read_csv(results / "shapley.csv").set_index("patient_id")
    assert set(shapley.index) == set(out_of_fold.index)
    expected = out_of_fold.loc[shapley.index, "probability"]
    np.testing.assert_allclose(expit(shapley["logit"]), expected, atol=1e-4)

    refused = invoke("review", "export", folder, "--cases", 4)
    assert refused.exit_code == 1
    assert "axilla explain" in refused.output

    again = invoke("explain", folder)
    assert again.exit_code == 0, again.output
    assert read_legend(results / "heatmaps").chosen == "random"
    everybody = patients_in(results / "heatmaps")
    assert set(everybody) == set(out_of_fold.index)
    assert all(
        read_heatmaps(path).maps["pathology"].decoy is not None for path in everybody.values()
    )
    assert chosen_in(folder) == shown
    after = pd.read_csv(results / "shapley.csv").set_index("patient_id")
    pd.testing.assert_frame_equal(after, shapley)
    assert invoke("review", "export", folder, "--cases", 4).exit_code == 0


def test_results_of_earlier_versions_say_null_where_all_were_explained():
    assert ExplanationSection.model_validate({"patients": None}).patients == "all"
    assert ExplanationSection().patients == "report"
    assert ExplanationSection(patients=3).patients == 3
