"""Predictions over the API are those of the predictor, however many ask at once."""

import base64
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from served import PROBABILITY_TOLERANCE

from axilla.inference.bundle import read_bundle
from axilla.inference.predictor import Predictor
from axilla.records.patients import ImageFile, Patient


@pytest.fixture(scope="module")
def rows(run_once: Path) -> list[dict[str, str]]:
    table = pd.read_csv(run_once / "cohort.csv", dtype=str, keep_default_na=False)
    return table.to_dict("records")


@pytest.fixture(scope="module")
def expected(run_once: Path, rows):
    """What the predictor says in this process, of all cases at once."""
    cases = [
        Patient(
            row["patient_id"],
            label=None,
            group=row["patient_id"],
            ultrasound=(
                ImageFile(run_once / row["ultrasound"], mask=run_once / row["ultrasound_mask"]),
            ),
            pathology=(ImageFile(run_once / row["pathology"]),),
        )
        for row in rows
    ]
    return Predictor(read_bundle(run_once / "results" / "bundle.axilla")).predict(cases)


def files_of(study: Path, row: dict[str, str]):
    return [
        ("ultrasound", ("scan.png", (study / row["ultrasound"]).read_bytes())),
        ("mask", ("mask.png", (study / row["ultrasound_mask"]).read_bytes())),
        ("pathology", ("he.png", (study / row["pathology"]).read_bytes())),
    ]


def png_of(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.slow
def test_fifty_at_once_all_get_their_own_answer(clinic, run_once, rows, expected) -> None:
    asked = [place % len(rows) for place in range(50)]

    def ask(place: int) -> dict:
        with clinic.client("vi") as client:
            answer = client.post("/api/predict", files=files_of(run_once, rows[place]))
            assert answer.status_code == 200, answer.text
            return answer.json()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, asked))
    for place, answer in zip(asked, answers, strict=True):
        wanted = expected[place]
        assert answer["probability"] == pytest.approx(wanted.probability, abs=PROBABILITY_TOLERANCE)
        assert answer["by_modality"] == pytest.approx(wanted.by_modality, abs=PROBABILITY_TOLERANCE)
        assert answer["call"] == ("positive" if wanted.positive else "negative")
        assert answer["warnings"] == list(wanted.warnings)
        parts = [(one["template"], one["values"]) for one in answer["cautions"]]
        assert [template.format(**values) for template, values in parts] == answer["warnings"]
        for modality, one in wanted.familiarity.items():
            assert answer["familiarity"][modality]["p"] == pytest.approx(one.p)
    assert len({answer["key"] for answer in answers}) == 50


def test_one_bad_case_of_a_batch_spoils_none_of_the_others(clinic, run_once, rows, expected):
    def ask(place: int) -> tuple[int, dict]:
        files = files_of(run_once, rows[place % len(rows)])
        if place % 3 == 0:
            files[0] = ("ultrasound", ("scan.png", b"no image at all"))
        with clinic.client("vi") as client:
            answer = client.post("/api/predict", files=files)
            return answer.status_code, answer.json()

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))
    for place, (status, answer) in enumerate(answers):
        if place % 3 == 0:
            assert status == 422
            assert answer["detail"]["place"] == "ultrasound-1.png"
        else:
            wanted = expected[place % len(rows)].probability
            assert answer["probability"] == pytest.approx(wanted, abs=PROBABILITY_TOLERANCE)


def test_a_drawn_rectangle_counts_and_one_outside_is_refused(clinic, run_once, rows) -> None:
    image = (run_once / rows[0]["ultrasound"]).read_bytes()
    roi = "20,30,100,80"
    folder = run_once / rows[0]["ultrasound"]
    case = Patient("p", label=None, group="p", ultrasound=(ImageFile(folder, roi=_roi(roi)),))
    (wanted,) = Predictor(read_bundle(run_once / "results" / "bundle.axilla")).predict([case])
    with clinic.client("vi") as client:
        files = {"ultrasound": ("a.png", image)}
        answer = client.post("/api/predict", files=files, data={"roi": roi})
        assert answer.json()["probability"] == pytest.approx(
            wanted.probability, abs=PROBABILITY_TOLERANCE
        )
        assert any("no pathology" in one for one in answer.json()["warnings"])
        for bad in ("0,0,99999,5", "1,2,3", "-4,0,5,5", "a,b,c,d", "1,1,0,5"):
            refused = client.post("/api/predict", files=files, data={"roi": bad})
            assert refused.status_code == 422, bad


def _roi(text: str):
    from axilla.records.roi_rectangle import Roi  # noqa: PLC0415

    return Roi(*map(int, text.split(",")))


def test_the_answer_says_all_that_must_be_said(clinic, run_once, rows) -> None:
    with clinic.client("vi") as client:
        told = client.get("/api/bundle").json()
        files = files_of(run_once, rows[0])
        answer = client.post("/api/predict", files=files, data={"heatmaps": "true"}).json()
    legend = run_once / "results" / "heatmaps" / "explanation.json"
    explained = json.loads(legend.read_text(encoding="utf-8"))["model"]
    assert "Research use only" in answer["notice"]
    assert answer["digest"] == told["digest"]
    assert answer["threshold"] == told["threshold"]
    assert answer["risk"]["per_100"] == round(100 * answer["probability"])
    assert answer["risk"]["training_per_100"] == 50
    assert {one["metric"] for one in answer["performance"]} >= {"auc", "recall", "specificity"}
    assert all(one["n"] and one["method"] for one in answer["performance"])
    assert answer["not_measured"] == []
    assert [one["modality"] for one in answer["heatmaps"]] == ["ultrasound", "pathology"]
    for one in answer["heatmaps"]:
        image = Image.open(BytesIO(base64.b64decode(one["image_png"])))
        assert image.size == (one["width_px"], one["height_px"])
        painted = Image.open(BytesIO(base64.b64decode(one["map_png"])))
        assert painted.mode == "RGBA"
        # The study's colours hold for maps of the model that it explained, and of no other.
        assert one["scale_shared"] == (explained == answer["model"])


@pytest.mark.parametrize("odd", ["inverted", "noise", "pathology"])
def test_what_is_no_ultrasound_of_this_kind_lies_far(
    clinic, run_once, rows, expected, odd: str
) -> None:
    """With 24 training patients few are so far that they are flagged; those are warned of."""
    rng = np.random.default_rng(2)
    found = []
    with clinic.client("vi") as client:
        for row in rows[:12]:
            files = files_of(run_once, row)
            image = Image.open(run_once / row["ultrasound"]).convert("RGB")
            if odd == "inverted":
                files[0] = ("ultrasound", ("a.png", png_of(np.asarray(ImageOps.invert(image)))))
            elif odd == "noise":
                shape = (image.height, image.width, 3)
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                files[0] = ("ultrasound", ("a.png", png_of(pixels)))
            else:
                files = [("ultrasound", files[2][1]), files[2]]
            answer = client.post("/api/predict", files=files).json()
            found.append(answer["familiarity"]["ultrasound"])
            said = any(one.startswith("ultrasound: further from") for one in answer["warnings"])
            assert said == found[-1]["unfamiliar"]
    usual = [case.familiarity["ultrasound"] for case in expected]
    distance = np.median([one["squared_distance"] for one in found])
    assert distance > 3 * np.median([one.squared_distance for one in usual])
    assert np.median([one["p"] for one in found]) < np.median([one.p for one in usual])
    if odd == "inverted":
        assert np.mean([one["unfamiliar"] for one in found]) >= 0.25


def test_the_training_patients_are_not_flagged(expected) -> None:
    flagged = [one.unfamiliar for case in expected for one in case.familiarity.values()]
    assert np.mean(flagged) <= 0.1


@pytest.mark.parametrize("name", ["anna", "reed"])
def test_who_must_not_see_predictions_gets_none(clinic, run_once, rows, name: str) -> None:
    with clinic.client(name) as client:
        assert client.get("/api/bundle").status_code == 403
        assert client.get("/api/predictions").status_code == 403
        assert client.get("/api/predictions/1").status_code == 403
        files = files_of(run_once, rows[0])
        assert client.post("/api/predict", files=files).status_code == 403
        assert client.post("/api/pictures", files={"file": files[0][1]}).status_code == 403


def test_predicting_is_logged_without_the_case(clinic, run_once, rows) -> None:
    with clinic.client("vi") as client:
        assert client.post("/api/predict", files=files_of(run_once, rows[0])).status_code == 200
    with clinic.client("lead") as lead:
        entries = lead.get("/api/audit").json()["entries"]
    last = next(entry for entry in entries if entry["action"] == "predict")
    assert last["actor"] == "vi"
    assert json.loads(last["detail"]) == {"used": ["ultrasound", "pathology"]}


def test_a_study_without_a_bundle_says_what_to_do(office) -> None:
    with office.client("vi") as client:
        for answer in (client.get("/api/bundle"), client.post("/api/predict", files={"x": b""})):
            assert answer.status_code == 404
            assert "axilla run" in answer.json()["detail"]["remedy"]


@pytest.mark.slow
def test_the_server_never_imports_torch() -> None:
    """Neither by itself nor in the process that decodes pictures."""
    program = (
        "import sys, axilla.web.app, axilla.web.prediction.prediction_page, "
        "axilla.web.prediction.worker.image_preview;"
        "print([m for m in ('torch', 'torchvision', 'captum') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_two_hundred_predictions_leave_the_memory_flat(clinic, run_once, rows) -> None:
    files = [files_of(run_once, row) for row in rows]

    def asked(count: int) -> int:
        with clinic.client("vi") as client, ThreadPoolExecutor(8) as pool:

            def ask(place: int) -> int:
                return client.post("/api/predict", files=files[place % len(files)]).status_code

            assert set(pool.map(ask, range(count))) == {200}
        return sum(map(own_kib, family(clinic.process.pid)))

    before = asked(40)
    after = asked(200)
    assert after < before + 30_000


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    found = {int(child) for file in (children, *threads) for child in file.read_text().split()}
    return [pid, *found]


def own_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
