"""The TCGA sample: real node status, clinical variables, no image anywhere."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from axilla.cli.main import app


def run_tcga(folder: Path, extra: str = "") -> pd.DataFrame:
    runner = CliRunner()
    assert runner.invoke(app, ["init", str(folder), "--sample", "tcga"]).exit_code == 0
    toml = folder / "study.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + extra, encoding="utf-8")
    result = runner.invoke(app, ["run", str(folder)])
    assert result.exit_code == 0, result.output
    metrics = pd.read_csv(folder / "results" / "metrics.csv")
    return metrics[metrics["metric"] == "auc"].set_index("model")


@pytest.mark.slow
def test_five_folds_reach_the_floor_and_the_bundle_predicts(tmp_path: Path) -> None:
    auc = run_tcga(tmp_path / "tcga").loc["clinical/logistic"]
    assert auc["value"] >= 0.64
    assert auc["n"] == 1060
    arguments = ["predict", str(tmp_path / "tcga" / "results" / "bundle.axilla"), "--json"]
    settings = ["--set", "age=53", "--set", "pathological_t=T2", "--set", "er=positive"]
    result = CliRunner().invoke(app, arguments + settings)
    assert result.exit_code == 0, result.output
    larger = json.loads(result.stdout)["probability"]
    settings[3] = "pathological_t=T1"
    smaller = json.loads(CliRunner().invoke(app, arguments + settings).stdout)["probability"]
    assert smaller < larger
    settings[5] = "er=Positive"
    assert (
        json.loads(CliRunner().invoke(app, arguments + settings).stdout)["probability"] == smaller
    )
    for mistake, expected in (("agee=53", "age"), ("er=maybe", "positive"), ("age=old", "number")):
        refused = CliRunner().invoke(app, [*arguments, "--set", mistake])
        assert refused.exit_code == 2
        assert mistake.split("=")[1] in refused.output or mistake.split("=")[0] in refused.output
        assert expected in refused.output


@pytest.mark.slow
def test_leave_one_site_out(tmp_path: Path) -> None:
    auc = run_tcga(tmp_path / "tcga", '\n[validation]\nscheme = "site"\n').loc["clinical/logistic"]
    assert auc["n"] == 1060
    assert auc["value"] == pytest.approx(0.63, abs=0.03)
    splits = pd.read_csv(tmp_path / "tcga" / "results" / "splits.csv")
    assert splits["fold"].nunique() == 39
