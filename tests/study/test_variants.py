"""The same small study, turned every way that study.toml and the table allow."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.inference.bundle import read_bundle

pytestmark = pytest.mark.slow

ONE_EACH = ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["squeezenet"]')


MakeStudy = Callable[..., Path]
Train = Callable[..., pd.DataFrame]


def run(folder: Path) -> pd.DataFrame:
    result = CliRunner().invoke(app, ["run", str(folder)])
    assert result.exit_code == 0, result.output
    return pd.read_csv(folder / "results" / "predictions.csv", dtype={"patient_id": str})


def edit(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    table = pd.read_csv(folder / "cohort.csv", dtype=str, keep_default_na=False)
    changed = change(table)
    changed.to_csv(folder / "cohort.csv", index=False)
    return changed


def light(folder: Path, make: MakeStudy, *changes: tuple[str, str]) -> Path:
    """Make a study of fixed SqueezeNets only, which trains in two seconds."""
    pathology = ('pathology = ["squeezenet", "plnet"]', 'pathology = ["squeezenet"]')
    return make(folder, ONE_EACH, pathology, *changes)


def test_holdout_tests_a_fifth_once(tmp_path: Path, make_study: MakeStudy, train: Train) -> None:
    folder = light(tmp_path / "s", make_study, ("\nfolds = 2\n", '\nscheme = "holdout"\n'))
    predictions = train(folder)
    tested = predictions[predictions["model"] == "multilayer"]
    assert len(set(tested["fold"])) == 1
    assert 3 <= len(tested) <= 9


def test_leaving_one_site_out(tmp_path: Path, make_study: MakeStudy, train: Train) -> None:
    folder = light(
        tmp_path / "s",
        make_study,
        ("\nfolds = 2\n", '\nscheme = "site"\n'),
        ('group = ["pathology_donor"]\n', ""),
    )
    sites = pd.read_csv(folder / "cohort.csv", dtype=str).set_index("patient_id")["site"]
    predictions = train(folder)
    for _, fold in predictions[predictions["model"] == "multilayer"].groupby("fold"):
        assert len(set(sites[fold["patient_id"]])) == 1


def test_repeats_predict_each_patient_once_per_repeat(
    tmp_path: Path, make_study: MakeStudy, train: Train
) -> None:
    folder = light(tmp_path / "s", make_study, ("\nfolds = 2\n", "\nfolds = 2\nrepeats = 2\n"))
    predictions = train(folder, bundle=True)
    fused = predictions[predictions["model"] == "concatenation"]
    assert (fused.groupby("repeat")["patient_id"].nunique() == 24).all()
    metrics = pd.read_csv(folder / "results" / "metrics.csv")
    assert (metrics[metrics["model"] == "concatenation"]["n"] == 24).all()


def test_recalibration_maps_each_fold_and_travels_in_the_bundle(
    tmp_path: Path, make_study: MakeStudy, train: Train
) -> None:
    folder = light(tmp_path / "s", make_study)
    plain = train(folder)
    toml = folder / "study.toml"
    text = toml.read_text(encoding="utf-8")
    asked = text.replace("[validation]", '[validation]\nrecalibration = "platt"')
    toml.write_text(asked, encoding="utf-8")
    mapped = train(folder, bundle=True)
    keys = ["patient_id", "model", "fold"]
    assert (plain[keys] == mapped[keys]).all(axis=None)
    reader = plain["kind"] == "reader"
    assert (plain[reader]["probability"] == mapped[reader]["probability"]).all()
    bent = 0
    for _, rows in plain[~reader].groupby(["model", "fold"]):
        before, after = logit(rows["probability"]), logit(mapped.loc[rows.index, "probability"])
        line = np.polyfit(before, after, 1)  # one line per fold, as Platt's map is
        np.testing.assert_allclose(np.polyval(line, before), after, atol=1e-6)
        bent += abs(line[0] - 1) > 0.01
    assert bent > 10
    manifest = read_bundle(folder / "results" / "bundle.axilla").manifest
    assert manifest.recalibration is not None
    assert manifest.recalibration.kind == "platt"


def test_three_modalities_with_gaps(tmp_path: Path, make_study: MakeStudy, train: Train) -> None:
    folder = light(
        tmp_path / "s",
        make_study,
        ('fuse = ["ultrasound", "pathology"]', 'fuse = ["ultrasound", "pathology", "clinical"]'),
    )
    edit(folder, lambda t: t.assign(age=[str(40 + n) if n % 3 else "" for n in range(len(t))]))

    def without_an_image(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[2, ["ultrasound", "ultrasound_mask"]] = ""
        table.loc[2, [c for c in table.columns if c.startswith("roi_")]] = ""
        table.loc[5, "pathology"] = ""
        return table

    table = edit(folder, without_an_image)
    predictions = train(folder, bundle=True)
    counts = predictions.groupby("model")["patient_id"].nunique()
    assert counts["multilayer"] == 24
    assert counts["ultrasound/squeezenet"] == 23
    assert counts["pathology/squeezenet"] == 23
    assert counts["clinical/logistic"] == 16
    bundle = folder / "results" / "bundle.axilla"
    arguments = ["predict", str(bundle), "--set", "age=60", "--json"]
    result = CliRunner().invoke(
        app, [*arguments, "--pathology", str(folder / table.loc[0, "pathology"])]
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["used"] == ["pathology", "clinical"]
    assert any("no ultrasound" in warning for warning in answer["warnings"])


def test_a_bag_of_images_is_one_patient(
    tmp_path: Path, make_study: MakeStudy, train: Train
) -> None:
    folder = light(tmp_path / "s", make_study)

    def two_tiles(table: pd.DataFrame) -> pd.DataFrame:
        donor = table["pathology_donor"] == table["pathology_donor"].iloc[0]
        tiles = table.loc[donor, "pathology"]
        table.loc[tiles.index[0], "pathology"] = ";".join(tiles.iloc[:2])
        return table

    edit(folder, two_tiles)
    predictions = train(folder)
    assert (predictions.groupby("model")["patient_id"].size().drop("clinical/logistic") == 24).all()


def test_excel_gives_the_same_predictions_as_csv(
    tmp_path: Path, make_study: MakeStudy, train: Train
) -> None:
    folder = light(tmp_path / "s", make_study)
    from_csv = train(folder)
    table = pd.read_csv(folder / "cohort.csv")
    table.to_excel(folder / "cohort.xlsx", index=False)
    (folder / "cohort.csv").unlink()
    toml = folder / "study.toml"
    text = toml.read_text(encoding="utf-8").replace("[cohort]", '[cohort]\ntable = "cohort.xlsx"')
    toml.write_text(text, encoding="utf-8")
    pd.testing.assert_frame_equal(train(folder), from_csv)


def test_finetuning_trains_the_networks_themselves(
    tmp_path: Path, make_study: MakeStudy, train: Train
) -> None:
    folder = make_study(
        tmp_path / "s",
        ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["ulnet"]'),
        ('pathology = ["squeezenet", "plnet"]', 'pathology = ["squeezenet"]'),
        ("fuse = [", 'training = "finetune"\nweights = "none"\nfuse = ['),
        ("network_epochs = 2", "network_epochs = 1"),
    )
    predictions = train(folder)
    models = set(predictions["model"])
    assert {"ultrasound/ulnet", "pathology/squeezenet", "multilayer"} <= models
    assert not (folder / "results" / "cache" / "embeddings").exists()
    search = pd.read_csv(folder / "results" / "search.csv")
    tried = search[search["model"] == "ultrasound/ulnet"]["hyperparameters"]
    assert tried.str.contains("epochs").all()


@pytest.mark.parametrize("modality", ["ultrasound", "pathology"])
def test_one_modality_alone_is_a_study(
    modality: str, tmp_path: Path, make_study: MakeStudy
) -> None:
    other = "pathology" if modality == "ultrasound" else "ultrasound"
    folder = light(tmp_path / "s", make_study, (f'{other} = ["squeezenet"]', f"{other} = []"))
    predictions = run(folder)
    assert set(predictions["kind"]) == {"unimodal", "reader"}
    assert (folder / "results" / "bundle.axilla").is_file()
    assert (folder / "results" / "report.html").is_file()
