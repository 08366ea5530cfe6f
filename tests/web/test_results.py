"""Results over the API: the numbers are the study's, and points list exactly their cases."""

import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from PIL import Image

READABLE = (
    *("/api/results", "/api/results/progress", "/api/results/metrics"),
    *("/api/results/files/predictions.csv", "/api/results/figures/inclusion_flow.svg"),
    *("/api/results/cases/P001", "/api/results/pictures/thumbnail/ultrasound?patient=P001"),
    "/api/results/curves?model=multilayer",
    "/api/results/cases?model=multilayer",
    "/api/results/gallery?model=multilayer",
)


@pytest.fixture
def served(serve, populate, finished: Path):
    return populate(serve(finished), vi="viewer", reed="reader", anna="annotator")


@pytest.fixture
def table(finished: Path) -> pd.DataFrame:
    return pd.read_csv(finished / "results" / "predictions.csv", dtype={"patient_id": str})


def test_the_numbers_are_those_of_the_tables(served, finished: Path) -> None:
    with served.client("vi") as client:
        found = client.get("/api/results/metrics").json()
        overview = client.get("/api/results").json()
    expected = pd.read_csv(finished / "results" / "metrics.csv").set_index(["model", "metric"])
    seen = 0
    for model in found["models"]:
        for metric, estimate in model["metrics"].items():
            row = expected.loc[model["model"], metric]
            for name in ("value", "low", "high"):
                told = np.nan if estimate[name] is None else estimate[name]
                assert told == pytest.approx(row[name], nan_ok=True), (model["model"], metric)
            seen += 1
    assert seen == len(expected)
    report = (finished / "results" / "report.html").read_text(encoding="utf-8")
    assert overview["state"] == "ready"
    assert overview["patients"] == 24
    assert overview["lead"][:60].replace("&", "&amp;") in report.replace("&#39;", "'")
    assert {"report.html", "metrics.csv", "predictions.csv"} <= {*overview["files"]}


def test_a_point_of_the_roc_curve_lists_the_cases_that_it_separates(served, table) -> None:
    with served.client("vi") as client:
        for model in ("multilayer", "ultrasound/squeezenet"):
            curves = client.get("/api/results/curves", params={"model": model}).json()
            own = table[table["model"] == model].set_index("patient_id")
            points = [point for point in curves["roc"] if point["threshold"] is not None]
            assert len(points) > 5
            for point in points[:: max(1, len(points) // 6)]:
                at = {"model": model, "threshold": point["threshold"]}
                found = client.get("/api/results/cases", params=at).json()
                counts, called = found["counts"], own["probability"] >= point["threshold"]
                listed = {one["patient_id"] for one in found["cases"] if one["called"]}
                assert listed == set(own.index[called])
                positives = counts["tp"] + counts["fn"]
                assert counts["tp"] / positives == pytest.approx(point["sensitivity"])
                rate = counts["fp"] / (counts["fp"] + counts["tn"])
                assert rate == pytest.approx(point["false_positive_rate"])
                wrong = client.get("/api/results/cases", params=at | {"cell": "fp"}).json()
                negative = own.index[called & (own["label"] == 0)]
                assert {one["patient_id"] for one in wrong["cases"]} == set(negative)


def test_a_bin_lists_its_cases_and_folds_their_calls(served, table) -> None:
    with served.client("vi") as client:
        model = "multilayer"
        curves = client.get("/api/results/curves", params={"model": model}).json()
        listed: list[str] = []
        for point in curves["bins"]:
            at = {"model": model, "bin": point["bin"]}
            cases = client.get("/api/results/cases", params=at).json()["cases"]
            assert len(cases) == point["n"]
            mean = np.mean([one["probability"] for one in cases])
            assert mean == pytest.approx(point["predicted"])
            assert np.mean([one["positive"] for one in cases]) == pytest.approx(point["observed"])
            listed += [one["patient_id"] for one in cases]
        assert sorted(listed) == sorted(table["patient_id"].unique())
        beyond = {"model": model, "bin": len(curves["bins"])}
        assert client.get("/api/results/cases", params=beyond).status_code == 404
        counts = client.get("/api/results/cases", params={"model": model}).json()["counts"]
        own = table[table["model"] == model]
        right = ((own["probability"] >= own["threshold"]) == own["label"].astype(bool)).sum()
        assert counts["tp"] + counts["tn"] == right
        sensitivity = counts["tp"] / (counts["tp"] + counts["fn"])
        assert curves["operating"]["sensitivity"] == pytest.approx(sensitivity)


def test_one_case_with_its_pictures(served, table) -> None:
    with served.client("vi") as client:
        patient = table["patient_id"].iloc[0]
        found = client.get(f"/api/results/cases/{patient}").json()
        own = table[table["patient_id"] == patient]
        said = {one["model"]: one["probability"] for one in found["said"]}
        assert said == pytest.approx(dict(zip(own["model"], own["probability"], strict=True)))
        assert [one["modality"] for one in found["pictures"]] == ["ultrasound", "pathology"]
        drawn = {}
        for kind in ("thumbnail", "image", "heatmap"):
            answer = client.get(
                f"/api/results/pictures/{kind}/ultrasound", params={"patient": patient}
            )
            assert answer.status_code == 200, answer.text
            with Image.open(io.BytesIO(answer.content)) as image:
                assert image.format == "JPEG"
                assert not image.getexif()
                drawn[kind] = np.asarray(image)
        assert drawn["image"].shape == drawn["heatmap"].shape
        assert not np.array_equal(drawn["image"], drawn["heatmap"])
        assert client.get("/api/results/cases/nobody").status_code == 404
        gone = client.get("/api/results/pictures/image/pathology", params={"patient": "nobody"})
        assert gone.status_code == 404


def test_who_may_see_results(served) -> None:
    for name, status in (("vi", 200), ("lead", 200), ("reed", 403), ("anna", 403)):
        with served.client(name) as client:
            for path in READABLE:
                assert client.get(path).status_code == status, (name, path)
    with served.client() as stranger:
        for path in READABLE:
            assert stranger.get(path).status_code == 401
    with served.client("lead") as lead:
        seen = {one["action"] for one in lead.get("/api/audit").json()["entries"]}
        assert {"results.see", "results.cases", "results.case", "results.picture"} <= seen
        assert "results.file" in seen


NOT_HANDED_OUT = (
    *("bundle.axilla", "provenance.json", "review/key.json", "..%2Fstudy.toml", "key.json"),
    "cache",
)


def test_only_tables_and_pages_are_handed_out(served, finished: Path) -> None:
    (finished / "results" / "secret.csv").symlink_to(finished / "cohort.csv")
    with served.client("lead") as lead:
        for name in NOT_HANDED_OUT:
            assert lead.get(f"/api/results/files/{name}").status_code in {404, 422}, name
            assert lead.get(f"/api/results/figures/{name}").status_code in {404, 422}, name
        assert lead.get("/api/results/files/secret.csv").status_code == 404
        report = lead.get("/api/results/files/report.html")
        assert "sandbox" in report.headers["content-security-policy"]
        assert report.content == (finished / "results" / "report.html").read_bytes()


def test_results_that_change_are_read_again(served, finished: Path) -> None:
    path = finished / "results" / "metrics.csv"
    with served.client("vi") as client:
        before = client.get("/api/results/metrics").json()
        changed = pd.read_csv(path)
        row = (changed["model"] == "multilayer") & (changed["metric"] == "auc")
        changed.loc[row, "value"] = 0.125
        changed.to_csv(path, index=False)
        after = client.get("/api/results/metrics").json()
    (one,) = [model for model in after["models"] if model["model"] == "multilayer"]
    assert one["metrics"]["auc"]["value"] == 0.125
    assert before != after


def test_results_that_are_being_written_are_said_to_be(served, finished: Path) -> None:
    results = finished / "results"
    whole = (results / "metrics.csv").read_bytes()
    metrics = pd.read_csv(results / "metrics.csv")
    metrics[metrics["model"] != "voting"].to_csv(results / "metrics.csv", index=False)
    with served.client("vi") as client:
        # Nobody writes: these files do not belong together, and the answer says so.
        assert client.get("/api/results").json()["state"] == "damaged"
        assert client.get("/api/results/metrics").status_code == 422
        tell(results, "running")
        assert client.get("/api/results").json()["state"] == "writing"
        busy = client.get("/api/results/metrics")
        assert busy.status_code == 503
        assert busy.headers["retry-after"]
        (results / "metrics.csv").write_bytes(whole)
        assert client.get("/api/results").json()["state"] == "ready"
        shutil.rmtree(results)
        assert client.get("/api/results").json()["state"] == "none"
        assert client.get("/api/results/metrics").status_code == 404
        assert client.get("/api/results/progress").json()["state"] == "none"


def tell(results: Path, state: str) -> None:
    now = time.time()
    run = {"state": state, "started": now - 60, "seen": now, "pid": 1, "message": ""}
    run |= {"stage": None, "task": None, "stages": [], "planned": []}
    (results / "progress.json").write_text(json.dumps(run), encoding="utf-8")


def test_names_from_a_table_are_text_and_any_name_is_found(serve, populate, finished: Path) -> None:
    odd = '<img src=x onerror="alert(1)">/ä?&#'
    results = finished / "results"
    first = ""
    for name in ("predictions.csv", "splits.csv"):
        table = pd.read_csv(results / name, dtype={"patient_id": str})
        first = first or table["patient_id"].iloc[0]
        table["patient_id"] = table["patient_id"].replace(first, odd)
        table.to_csv(results / name, index=False)
    served = populate(serve(finished), vi="viewer")
    with served.client("vi") as client:
        found = client.get(f"/api/results/cases/{quote(odd, safe='')}")
        assert found.status_code == 200, found.text
        assert found.json()["patient_id"] == odd


@pytest.mark.slow
def test_a_running_study_is_followed_to_its_end(
    serve, populate, tmp_path: Path, make_study
) -> None:
    """A real `axilla run` in a process of its own, watched over the API."""
    study = make_study(
        tmp_path / "study",
        ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["plnet"]'),
        ('pathology = ["squeezenet", "plnet"]', 'pathology = ["plnet"]\nfusion = ["voting"]'),
        ("batch_sizes = [8, 16]", "batch_sizes = [8]"),
    )
    served = populate(serve(study), vi="viewer")
    code = "from axilla.cli.main import app; app()"
    told = []
    with served.client("vi") as client:
        assert client.get("/api/results/progress").json()["state"] == "none"
        run = subprocess.Popen(
            [sys.executable, "-c", code, "run", str(study)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while run.poll() is None:
                told.append(client.get("/api/results/progress").json())
                assert client.get("/api/results").status_code == 200
                assert client.get("/api/results/metrics").status_code in {200, 404, 503}
                time.sleep(0.3)
        finally:
            run.kill()
            run.wait()
        assert run.returncode == 0
        last = client.get("/api/results/progress").json()
        assert client.get("/api/results").json()["state"] == "ready"
    running = [one for one in told if one["state"] == "running"]
    assert running
    stages = [len(one["stages"]) for one in running]
    assert stages == sorted(stages)
    tasks: dict[str, list[int]] = {}
    for one in running:
        if task := one["task"]:
            assert 0 <= task["done"] <= task["total"]
            tasks.setdefault(task["name"] + str(len(one["stages"])), []).append(task["done"])
    assert all(done == sorted(done) for done in tasks.values())
    assert last["state"] == "finished"
    assert [one["name"] for one in last["stages"]] == last["planned"]
