"""The presets end to end on a few sample cases, at reduced size: every network and strategy."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.config.load import read_study
from axilla.models.backbones import backbones
from axilla.models.fusion import fusions

pytestmark = pytest.mark.slow

WITHOUT_HUBS = ('"pathology"]\n', '"pathology"]\nweights = "none"\n')
"""Most networks' weights are not shipped; what is tested is the way, not the figures."""

OWN_MODELS = ('ultrasound = ["squeezenet", "plnet"]\npathology = ["squeezenet", "plnet"]\n', "")
"""Leave the choice of networks to the preset."""

SHORT = """
[training]
network_size_px = 32
network_epochs = 1
head_epochs = 2
[search]
rate_factors = [1.0]
batch_sizes = [8]
network_rate_factors = [1.0]
network_batch_sizes = [12]
[validation]
folds = 2
inner_folds = 2
[explanation]
patients = 4
faithfulness_cases = 1
[compute]
jobs = 1
"""


def run(folder: Path) -> None:
    result = CliRunner().invoke(app, ["run", str(folder)])
    assert result.exit_code == 0, result.output


def study(make_study, folder, preset, *changes, cases_per_donor=3):
    changes = ('preset = "quick"', f'preset = "{preset}"'), *changes
    make_study(folder, *changes, cases_per_donor=cases_per_donor)
    toml = folder / "study.toml"
    head = toml.read_text(encoding="utf-8").split("[training]", 1)[0]
    toml.write_text(head + SHORT, encoding="utf-8")
    return folder


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "results" / f"{name}.csv")


ONCE_EACH = (
    OWN_MODELS[0],
    (
        'ultrasound = ["googlenet", "vit_b_16", "ulnet"]\n'
        'pathology = ["resnet50", "densenet121", "squeezenet", "plnet"]\n'
    ),
)
"""Each network of the paper with one of the modalities it is meant for."""


@pytest.mark.timeout(900)
def test_the_paper_preset_trains_every_network_of_the_paper(make_study, tmp_path):
    preset = study(make_study, tmp_path / "preset", "paper", OWN_MODELS, cases_per_donor=1)
    config = read_study(preset / "study.toml")
    assert config.models.training == "finetune"
    assert config.validation.scheme == "holdout"
    common = {"resnet50", "densenet121", "googlenet", "squeezenet", "vit_b_16"}
    assert set(config.models.ultrasound) == common | {"ulnet"}
    assert set(config.models.pathology) == common | {"plnet"}
    rates = {name: config.training.of(name).rate for name in (*backbones.names(), "multilayer")}
    assert rates["vit_b_16"] == 3e-5
    assert rates["plnet"] == rates["multilayer"] == 1e-4
    assert rates["resnet50"] == 1e-3

    folder = tmp_path / "trained"
    run(study(make_study, folder, "paper", ONCE_EACH, WITHOUT_HUBS, cases_per_donor=1))
    trained = read_study(folder / "study.toml").models
    assert {*trained.ultrasound, *trained.pathology} == common | {"ulnet", "plnet"}
    predicted = set(table(folder, "predictions")["model"])
    assert {f"ultrasound/{name}" for name in trained.ultrasound} <= predicted
    assert {f"pathology/{name}" for name in trained.pathology} <= predicted
    assert {"concatenation", "weighting", "attention", "voting", "multilayer"} <= predicted
    assert (folder / "results" / "report.html").is_file()
    assert (folder / "results" / "bundle.axilla").is_file()


SMALL_FULL = (
    OWN_MODELS[0],
    'ultrasound = ["squeezenet", "swin_t"]\npathology = ["efficientnet_v2_s", "plnet"]\n',
)


@pytest.mark.timeout(900)
def test_the_full_preset_reports_every_strategy_by_what_was_shown(make_study, tmp_path):
    study(make_study, tmp_path, "full", SMALL_FULL, WITHOUT_HUBS)
    cohort = pd.read_csv(tmp_path / "cohort.csv", dtype=str, keep_default_na=False)
    one_of_each = cohort.drop_duplicates("malignant").index
    cohort.loc[one_of_each, "pathology"] = ""
    cohort.to_csv(tmp_path / "cohort.csv", index=False)
    run(tmp_path)
    config = read_study(tmp_path / "study.toml")
    assert set(config.models.fusion) == set(fusions.names())
    metrics = table(tmp_path, "availability_metrics")
    shown = metrics[metrics["metric"] == "auc"].groupby(["model", "withheld"])["shown"].agg(set)
    for name in config.models.fusion:
        assert shown[name, 0] == {"ultrasound+pathology", "ultrasound"}
        assert shown[name, 1] == {"ultrasound", "pathology"}
    counts = metrics[metrics["metric"] == "auc"].set_index(["model", "withheld", "shown"])["n"]
    assert counts["gated", 0, "ultrasound+pathology"] == 22
    assert counts["gated", 0, "ultrasound"] == 2
    assert counts["gated", 1, "pathology"] == 22
    page = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "When a modality is missing" in page


JOINT = (
    OWN_MODELS[0],
    (
        'ultrasound = ["plnet"]\npathology = ["squeezenet"]\nfusion_training = "joint"\n'
        'fusion = ["multilayer", "voting"]\n'
    ),
)
THREE = ('fuse = ["ultrasound", "pathology"]', 'fuse = ["ultrasound", "pathology", "clinical"]')


@pytest.mark.timeout(600)
def test_a_bundle_of_joint_networks_predicts_as_the_study_did(make_study, tmp_path):
    study(make_study, tmp_path, "quick", JOINT, THREE)
    run(tmp_path)
    rows = table(tmp_path, "search")
    assert rows[rows["model"] == "multilayer"]["hyperparameters"].str.contains("epochs").all()
    out = tmp_path / "out.csv"
    bundle, cohort = tmp_path / "results" / "bundle.axilla", tmp_path / "cohort.csv"
    call = ["predict", str(bundle), "--cohort", str(cohort), "--out", str(out)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    from axilla.inference.bundle import read_bundle  # noqa: PLC0415 - after the study

    parts = {name.rsplit(".", 2)[0].split(".")[0] for name in read_bundle(bundle).tensors}
    assert parts == {"ultrasound", "pathology", "clinical", "fusion"}
    # The run predicted everybody with this very model, before it was written.
    fits = _final_logits(tmp_path)
    predicted = pd.read_csv(out).set_index("patient_id")["probability"]
    assert len(predicted) == 24
    assert min(abs(fit - predicted.to_numpy()).max() for fit in fits) < 1e-5


def _final_logits(folder: Path):
    """Return the probabilities of every finished joint candidate, among them the bundled one."""
    import torch  # noqa: PLC0415
    from safetensors import safe_open  # noqa: PLC0415

    found = []
    for path in (folder / "results" / "cache" / "trials").glob("*.safetensors"):
        with safe_open(path, framework="pt") as content:
            names = set(content.keys())
            if any(name.startswith("0.parts.ultrasound.backbone") for name in names):
                found.append(torch.sigmoid(content.get_tensor("0.logits").double()).numpy())
    return found
