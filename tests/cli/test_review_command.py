"""`axilla review`: blinded packets out, simulated readers' answers in, the planted kappa back."""

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from axilla.cli.main import app

CRITERIA = 'ultrasound = ["border"]\npathology = ["stroma", "emboli"]\ndecoy_share = 0.5'


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def exported(tmp_path_factory, make_study, add_heatmaps):
    study = make_study(
        tmp_path_factory.mktemp("review") / "study",
        ("[validation]", f"[review]\n{CRITERIA}\n[validation]"),
    )
    add_heatmaps(study)
    result = run("review", "export", study, "--cases", 12, "--readers", 2)
    assert result.exit_code == 0, result.output
    return study, result


def key_of(study):
    return json.loads((study / "results" / "review" / "key.json").read_text(encoding="utf-8"))


def test_packets_hold_nothing_that_unblinds(exported):
    study, result = exported
    assert "12 cases, 6 of them shown once more with a decoy map" in result.output
    assert "Keep this file from readers" in " ".join(result.output.split())
    key = key_of(study)
    files = [path for path in (study / "review").rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"R1", "R2", "images"}
    patients = {item["patient_id"] for item in key["items"]}
    hidden = re.compile(
        "|".join([*patients, "decoy", "malignant", "multilayer", "probability", str(study)])
    )
    for path in files:
        assert not hidden.search(path.relative_to(study).as_posix())
        if path.suffix == ".png":
            content = path.read_bytes()
            kinds, at = [], 8
            while at < len(content):
                length = int.from_bytes(content[at : at + 4])
                kinds.append(content[at + 4 : at + 8])
                at += length + 12
            assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
        else:
            assert not hidden.search(path.read_text(encoding="utf-8-sig"))
    assert len(files) == 2 * (2 + 18 * 2 * 2)


def test_the_page_works_without_a_network(exported):
    study, _ = exported
    page = (study / "review" / "R1" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|fetch\(|XMLHttp", page)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    order = [case["case"] for case in data["cases"]]
    assert tuple(order) == tuple(key_of(study)["orders"]["R1"])
    assert set(data) == {"packet", "reader", "criteria", "columns", "cases"}
    for case in data["cases"]:
        assert set(case) == {"case", "images"}
        for image in case["images"]:
            assert set(image) == {"modality", "image", "map", "size", "box"}
            for name in (image["image"], image["map"]):
                assert (study / "review" / "R1" / name).is_file()


def test_decoys_are_as_strong_as_real_maps(exported):
    """Only the places differ: a decoy a thousand times weaker would be known at a glance."""
    study, _ = exported
    key = key_of(study)
    code = {(item["patient_id"], item["map"]): item["case"] for item in key["items"]}
    images = study / "review" / "R1" / "images"
    for item in key["items"]:
        if item["map"] == "decoy":
            for modality in ("ultrasound", "pathology"):
                real, decoy = (
                    np.asarray(
                        Image.open(images / f"{code[item['patient_id'], kind]}-{modality}-map.png")
                    )
                    for kind in ("real", "decoy")
                )
                assert abs(real[..., 3].mean() / decoy[..., 3].mean() - 1) < 0.5
                assert (real != decoy).any()


def test_the_same_export_gives_the_same_bytes_and_another_is_refused(exported):
    study, _ = exported
    before = {path: path.read_bytes() for path in (study / "review").rglob("*") if path.is_file()}
    assert run("review", "export", study, "--cases", 12).exit_code == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    other = run("review", "export", study, "--cases", 12, "--seed", 99)
    assert other.exit_code == 1
    assert "--replace" in other.output
    fewer = run("review", "export", study, "--cases", 12, "--readers", 1)
    assert fewer.exit_code == 1
    assert all(path.read_bytes() == content for path, content in before.items())


KAPPA = 2 / 3


def planted(key, rng):
    """Answers of two readers whose kappa is 2/3 for every criterion; real maps match more often."""
    pairs = [(True, True)] * 5 + [(False, False)] * 5 + [(True, False), (False, True)]
    patients = sorted({item["patient_id"] for item in key["items"]})
    seen = {
        (who, criterion): pair
        for texts in key["criteria"].values()
        for criterion in texts
        for who, pair in zip(patients, rng.permutation(pairs), strict=True)
    }
    answers = {}
    for item in key["items"]:
        for modality, texts in key["criteria"].items():
            for criterion in texts:
                both = seen[item["patient_id"], criterion]
                for reader, present in zip(("R1", "R2"), both, strict=True):
                    match = rng.random() < (0.95 if item["map"] == "real" else 0.05)
                    answers[reader, item["case"], modality, criterion] = (
                        "yes" if present else "no",
                        ("yes" if match else "no") if present else "",
                    )
    return answers


def answer(study, answers, *, readers=("R1", "R2")):
    """Fill in the tables of the packets as a reader would."""
    for reader in readers:
        path = study / "review" / reader / "answers.csv"
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
        for row in rows:
            question = tuple(row[name] for name in ("reader", "case", "modality", "criterion"))
            row["present"], row["attention_matches"] = answers[question]
        pd.DataFrame(rows).to_csv(path, index=False)


@pytest.mark.slow
def test_simulated_readers_give_back_their_kappa(exported):
    study, _ = exported
    key = key_of(study)
    answers = planted(key, np.random.default_rng(1))
    templates = {r: (study / "review" / r / "answers.csv").read_bytes() for r in ("R1", "R2")}
    predictions = pd.DataFrame(
        {
            "patient_id": sorted({item["patient_id"] for item in key["items"]}),
            "model": "multilayer",
            "kind": "fusion",
            "modality": "ultrasound+pathology",
            "repeat": 1,
            "fold": 1,
            "label": 1,
            "probability": [0.9, 0.1] * 6,
            "threshold": 0.5,
        }
    )
    predictions.to_csv(study / "results" / "predictions.csv", index=False)
    answer(study, answers)
    result = run("review", "score", study, "--strict")
    assert result.exit_code == 0, result.output
    table = pd.read_csv(study / "results" / "review" / "agreement.csv", keep_default_na=False)
    kappas = table[
        (table["measure"] == "kappa")
        & (table["question"] == "present")
        & (table["criterion"] != "all criteria")
    ].astype({"value": float, "low": float, "high": float})
    assert list(kappas["criterion"]) == ["border", "stroma", "emboli"]
    assert list(kappas["value"]) == pytest.approx([KAPPA] * 3)
    assert ((kappas["low"] < 0.5) & (kappas["low"] > 0) & (kappas["high"] > 0.8)).all()
    comparison = pd.read_csv(study / "results" / "review" / "comparison.csv")
    decoys = comparison[
        (comparison["comparison"] == "real_decoy") & (comparison["modality"] == "pathology")
    ].iloc[0]
    assert decoys["estimate"] > 0.4
    assert decoys["low"] < decoys["estimate"] <= decoys["high"]
    assert (comparison["comparison"] == "right_wrong").sum() == 5
    summary = (study / "results" / "review" / "summary.md").read_text(encoding="utf-8")
    assert "right in 6 of 12" in summary
    assert "not a medical device" in summary
    record = json.loads(run("review", "score", study, "--json").stdout)
    assert (record["model_right"], record["model_known"], record["decoys"]) == (6, 12, 6)
    kept = run("review", "export", study, "--cases", 12)
    assert kept.output.count("kept: it holds answers") == 2
    assert (study / "review" / "R1" / "answers.csv").read_bytes() != templates["R1"]
    refused = run("review", "export", study, "--cases", 11, "--replace")
    assert refused.exit_code == 1
    assert "answers of another export in R1, R2" in refused.output
    for reader, content in templates.items():
        (study / "review" / reader / "answers.csv").write_bytes(content)
    assert run("review", "export", study, "--cases", 12, "--seed", 5, "--replace").exit_code == 0
    assert run("review", "export", study, "--cases", 12, "--replace").exit_code == 0


def test_partial_answers_with_faults_are_scored_and_strict_refuses(exported, tmp_path):
    study, _ = exported
    answers = planted(key_of(study), np.random.default_rng(2))
    rows = [
        dict(zip(("reader", "case", "modality", "criterion"), question, strict=True))
        | {"present": present, "attention_matches": matches}
        for question, (present, matches) in answers.items()
        if question[0] == "R1"
    ]
    rows[0]["present"], rows[1]["case"] = "", "C77"
    path = tmp_path / "from R1.csv"
    pd.DataFrame(rows).to_csv(path, index=False, sep=";")
    result = run("review", "score", study, path)
    assert result.exit_code == 1
    for words in (
        "'C77'",
        "ratings empty",
        "reader R2: found no answers",
        "valid answers are scored",
    ):
        assert words in result.output
    record = json.loads((study / "results" / "review" / "summary.json").read_text())
    assert record["ratings"] == len(rows) - 2
    (study / "results" / "review" / "summary.json").unlink()
    strict = run("review", "score", study, path, "--strict")
    assert strict.exit_code == 1
    assert "'C77'" in strict.output
    assert not (study / "results" / "review" / "summary.json").exists()


def test_without_answers_nothing_is_scored(exported):
    study, _ = exported
    result = run("review", "score", study)
    assert result.exit_code == 1
    assert "reader R1: found no answers" in result.output


@pytest.fixture
def study(tmp_path, make_study):
    return make_study(tmp_path / "study", ("[validation]", f"[review]\n{CRITERIA}\n[validation]"))


def test_a_study_without_heatmaps_or_key_says_what_to_run(study):
    missing = run("review", "export", study)
    assert missing.exit_code == 1
    assert "axilla explain" in missing.output
    unscored = run("review", "score", study)
    assert unscored.exit_code == 1
    assert "axilla review export" in unscored.output


def test_fewer_patients_than_asked_and_no_decoys_are_notes(study, add_heatmaps):
    add_heatmaps(study, decoy_strength=None)
    result = run("review", "export", study, "--readers", 1)
    assert result.exit_code == 0
    assert "24 patients with heatmaps; 50 were asked for" in result.output
    assert "no decoys" in result.output
    assert not (study / "review" / "R2").exists()


@pytest.mark.slow
def test_an_image_that_is_gone_is_named(study, add_heatmaps):
    table = add_heatmaps(study)
    (study / table["ultrasound"].iloc[0]).unlink()
    result = run("review", "export", study)
    assert result.exit_code == 1
    assert f"patient {table['patient_id'].iloc[0]}, ultrasound: found no image" in result.output
    assert not (study / "review").exists()


@pytest.mark.parametrize(
    "arguments", [("export",), ("export", "x", "--cases", "0"), ("score",), ("nothing",), ()]
)
def test_wrong_usage_is_exit_code_two(arguments):
    assert run("review", *arguments).exit_code == 2


def test_criteria_twice_are_a_mistake_of_configuration(tmp_path, make_study):
    twice = '[review]\npathology = ["stroma", "Stroma"]\n[validation]'
    study = make_study(tmp_path / "study", ("[validation]", twice))
    result = run("review", "export", study)
    assert result.exit_code == 2
    assert "more than once" in result.output
