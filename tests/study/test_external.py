"""The external set: predicted once by the frozen bundle, without a part in anything before."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.inference.bundle import read_bundle

pytestmark = pytest.mark.slow

ACCEPTED = """
[[accept]]
code = "group_across_split"
reason = "Eight donors are too few to give some away."
"""


ONE_EACH = (
    ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["squeezenet"]'),
    ('pathology = ["squeezenet", "plnet"]', 'pathology = ["squeezenet"]'),
)


def run(folder):
    result = CliRunner().invoke(app, ["run", str(folder)])
    assert result.exit_code == 0, result.output
    return folder / "results"


def with_external(folder, *, flip=False):
    """One case of each donor is external; `flip` exchanges the external outcomes."""
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    outside = table.groupby("pathology_donor").cumcount() == 0
    table["split"] = np.where(outside, "external", "development")
    if flip:
        flipped = np.where(table["malignant"] == "1", "0", "1")
        table["malignant"] = np.where(outside, flipped, table["malignant"])
    table.to_csv(folder / "cohort.csv", index=False)
    with (folder / "study.toml").open("a", encoding="utf-8") as toml:
        toml.write(ACCEPTED)
    return set(table.loc[outside, "patient_id"])


@pytest.fixture(scope="module")
def study(make_study, tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("external"), *ONE_EACH)
    external = with_external(folder)
    return run(folder), external


def test_external_patients_are_predicted_by_the_bundle_alone(study):
    results, external = study
    development = pd.read_csv(results / "predictions.csv")
    assert not set(development["patient_id"]) & external
    table = pd.read_csv(results / "external_predictions.csv")
    assert set(table["patient_id"]) == external
    manifest = read_bundle(results / "bundle.axilla").manifest
    bundle = table[table["kind"] != "reader"]
    assert set(bundle["model"]) == {manifest.model}
    assert set(bundle["threshold"]) == {manifest.threshold}
    assert set(table["kind"]) == {"fusion", "reader"}


def test_its_numbers_are_those_of_sklearn_at_the_frozen_threshold(study):
    results, external = study
    table = pd.read_csv(results / "external_predictions.csv").query("kind != 'reader'")
    metrics = pd.read_csv(results / "external_metrics.csv")
    mine = metrics[metrics["model"] == table["model"].iloc[0]].set_index("metric")
    assert mine.loc["auc", "value"] == pytest.approx(
        roc_auc_score(table["label"], table["probability"])
    )
    called = table["probability"] >= table["threshold"]
    assert mine.loc["recall", "value"] == pytest.approx(called[table["label"] == 1].mean())
    assert mine.loc["recall", "threshold_rule"] == "youden, frozen"
    assert mine.loc["auc", "n"] == len(external)


def test_the_report_shows_it_and_claims_no_missing_external_set(study):
    results, _ = study
    page = (results / "report.html").read_text(encoding="utf-8")
    assert 'id="external-title"' in page
    assert "No external set" not in page


def test_their_outcomes_decide_nothing(study, make_study, tmp_path):
    folder = make_study(tmp_path / "flipped", *ONE_EACH)
    with_external(folder, flip=True)
    flipped = run(folder)
    results, _ = study
    for name in ("predictions.csv", "metrics.csv", "splits.csv"):
        assert (flipped / name).read_bytes() == (results / name).read_bytes()
    first, second = (
        pd.read_csv(place / "external_predictions.csv")[["patient_id", "probability"]]
        for place in (results, flipped)
    )
    pd.testing.assert_frame_equal(first, second)


def test_a_study_without_an_external_set_keeps_no_old_one(make_study, tmp_path):
    folder = make_study(tmp_path / "plain", *ONE_EACH)
    (folder / "results").mkdir()
    (folder / "results" / "external_metrics.csv").write_text("old\n", encoding="utf-8")
    results = run(folder)
    assert not (results / "external_metrics.csv").exists()
    assert 'id="external-title"' not in (results / "report.html").read_text(encoding="utf-8")
