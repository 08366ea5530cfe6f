"""The reader study over the API: nothing unblinds, nothing is lost, the numbers are the same."""

import io
import json
import re
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from axilla.cli.main import app

MINE = "/api/readings/mine"


def export(served, *, cases=10, readers=2, seed=None, replace=False) -> dict:
    """Export packets and wait until they are written."""
    with served.client("lead") as lead:
        wish = {"cases": cases, "readers": readers, "seed": seed, "replace": replace}
        answer = lead.post("/api/readings/exports", json=wish)
        assert answer.status_code == 202, answer.text
        for _ in range(300):
            study = lead.get("/api/readings").json()
            if study["job"]["state"] != "running":
                return study
            time.sleep(0.1)
    pytest.fail("the export does not end")


def assign(served, **readers: str) -> None:
    with served.client("lead") as lead:
        ids = {one["name"]: one["id"] for one in lead.get("/api/readings").json()["candidates"]}
        for reader, name in readers.items():
            answer = lead.put(f"/api/readings/readers/{reader}", json={"user_id": ids[name]})
            assert answer.status_code == 204, answer.text


@pytest.fixture
def reading(serve, populate, mapped: Path):
    """A server with ten cases exported, reed reading R1 and rex reading R2."""
    served = populate(serve(mapped), reed="reader", rex="reader", vi="viewer", anna="annotator")
    study = export(served)
    assert study["job"]["state"] == "done", study["job"]
    assign(served, R1="reed", R2="rex")
    return served, mapped


def key_of(study: Path) -> dict:
    return json.loads((study / "results/review/key.json").read_text(encoding="utf-8"))


def answer_case(client, code: str, answers, *, version: int | None = None):
    case = client.get(f"{MINE}/cases/{code}").json()
    given = [
        {"modality": one["modality"], "criterion": one["criterion"], **answers(one)}
        for one in case["answers"]
    ]
    body = {"version": case["version"] if version is None else version, "answers": given}
    return client.put(f"{MINE}/cases/{code}", json=body)


def read_all(client, answers) -> None:
    for one in client.get(MINE).json()["cases"]:
        answer = answer_case(client, one["code"], lambda a, code=one["code"]: answers(code, a))
        assert answer.status_code == 200, answer.text


def test_a_reader_sees_the_own_packet_in_the_own_order(reading) -> None:
    served, study = reading
    orders = key_of(study)["orders"]
    assert orders["R1"] != orders["R2"]
    for name, reader in (("reed", "R1"), ("rex", "R2")):
        with served.client(name) as client:
            packet = client.get(MINE).json()
            assert packet["reader"] == reader
            assert [one["code"] for one in packet["cases"]] == orders[reader]
            case = client.get(f"{MINE}/cases/{orders[reader][3]}").json()
            assert client.get(MINE).json()["at"] == orders[reader][3]
            assert set(case) == {"code", "version", "images", "answers"}
            assert set(case["answers"][0]) == {
                *("modality", "criterion", "present", "matches", "comment"),
            }


def test_nothing_that_a_reader_gets_unblinds(reading) -> None:
    served, study = reading
    key = key_of(study)
    cohort = pd.read_csv(study / "cohort.csv", dtype=str)
    secrets = [*cohort["patient_id"], *cohort["pathology_donor"], *cohort["pathology"]]
    secrets += ["decoy", "real", "multilayer", "malignant", "benign", key["packet"], str(study)]
    secrets += ["probab", "predict", "label", "outcome", "gradcam"]
    hidden = re.compile("|".join(map(re.escape, secrets)))
    sizes: dict[str, set[int]] = {}
    with served.client("reed") as client:
        answers = [client.get(MINE)]
        for code in key["orders"]["R1"]:
            answers.append(client.get(f"{MINE}/cases/{code}"))
            for modality in ("ultrasound", "pathology"):
                for kind in ("image", "map"):
                    picture = client.get(f"{MINE}/cases/{code}/images/{modality}/{kind}")
                    answers.append(picture)
                    assert chunks(picture.content) <= {"IHDR", "PLTE", "tRNS", "IDAT", "IEND"}
                    if kind == "map":
                        sizes.setdefault(patient(key, code) + modality, set()).add(
                            len(picture.content)
                        )
        answers.append(answer_case(client, code, lambda _: {"present": False}))
    for answer in answers:
        assert answer.status_code == 200, answer.url
        assert not {"etag", "last-modified"} & set(answer.headers)
        assert answer.headers["cache-control"] == "no-store"
        if "image" not in answer.headers["content-type"]:
            assert not hidden.findall(answer.text), answer.url
    # A case and its decoy have maps of the same length.
    assert sum(len(one) for one in sizes.values()) == len(sizes)


def chunks(png: bytes) -> set[str]:
    found, at = set(), 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.add(png[at + 4 : at + 8].decode())
        at += 12 + length
    return found


def patient(key: dict, code: str) -> str:
    return next(item["patient_id"] for item in key["items"] if item["case"] == code)


def test_a_map_has_the_pixels_of_the_packet(reading) -> None:
    served, study = reading
    with served.client("reed") as client:
        got = client.get(f"{MINE}/cases/C03/images/pathology/map").content
    with Image.open(study / "review/R1/images/C03-pathology-map.png") as kept:
        expected = np.asarray(kept.convert("RGBA"))
    with Image.open(io.BytesIO(got)) as image:
        assert np.array_equal(np.asarray(image.convert("RGBA")), expected)


def test_who_may_see_what(reading) -> None:
    served, _ = reading
    of_readers = [("GET", MINE), ("GET", f"{MINE}/cases/C01"), ("POST", f"{MINE}/finish")]
    of_leads = [
        *(("GET", "/api/readings"), ("GET", "/api/readings/scores")),
        *(("GET", "/api/readings/answers.csv"), ("POST", "/api/readings/scores")),
        *(("POST", "/api/readings/exports"), ("POST", "/api/readings/readers/R1/reopen")),
    ]
    for name, paths in (("vi", of_readers), ("anna", of_readers), ("lead", of_readers),
                        ("vi", of_leads), ("reed", of_leads)):  # fmt: skip
        with served.client(name) as client:
            for method, path in paths:
                answer = client.request(method, path, json={} if method == "POST" else None)
                assert answer.status_code == 403, (name, path)
    with served.client("reed") as client:
        assert client.get(f"{MINE}/cases/C99").status_code == 404
        assert client.get(f"{MINE}/cases/C99/images/pathology/map").status_code == 404


def test_answers_are_checked_and_stale_ones_refused(reading) -> None:
    served, _ = reading
    yes = {"present": True, "matches": True, "comment": "=1+1"}
    with served.client("reed") as client:
        assert (
            answer_case(client, "C01", lambda _: {"present": False, "matches": True}).status_code
            == 422
        )
        body = {"version": 0, "answers": [{"modality": "pathology", "criterion": "none of it"}]}
        assert client.put(f"{MINE}/cases/C01", json=body).status_code == 422
        assert answer_case(client, "C01", lambda _: yes).json() == {
            "version": 1,
            "answered": 3,
            "of": 3,
        }
        stale = answer_case(client, "C01", lambda _: {"present": False}, version=0)
        assert stale.status_code == 409
        assert stale.json()["version"] == 1
        assert {one["comment"] for one in stale.json()["answers"]} == {"=1+1"}
        kept = client.get(f"{MINE}/cases/C01").json()
        assert all(one["matches"] for one in kept["answers"])
    with served.client("lead") as lead:
        table = lead.get("/api/readings/answers.csv").content.decode("utf-8-sig")
        assert "'=1+1" in table
        assert ",=1+1" not in table


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_two_windows_that_save_at_once_one_wins(
    database: str, serve, populate, mapped: Path, request
) -> None:
    options = []
    if database == "postgresql":
        options = ["--database", request.getfixturevalue("department")]
    served = populate(serve(mapped, *options), reed="reader")
    export(served)
    assign(served, R1="reed")
    start = threading.Barrier(8)

    def attempt(number: int) -> int:
        with served.client("reed") as client:
            start.wait()
            said = {"present": True, "matches": True, "comment": str(number)}
            return answer_case(client, "C02", lambda _: said, version=0).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(attempt, range(8)))
    assert sorted(codes) == [200, *[409] * 7]


def test_the_end_locks_and_the_lead_opens_again(reading) -> None:
    served, study = reading
    with served.client("reed") as client, served.client("lead") as lead:
        early = client.post(f"{MINE}/finish")
        assert early.status_code == 409
        read_all(client, lambda _code, _one: {"present": True, "matches": False})
        assert client.post(f"{MINE}/finish").status_code == 204
        assert client.get(MINE).json()["finished"]
        assert answer_case(client, "C01", lambda _: {"present": False}).status_code == 409
        assert (study / "review/R1/answers-R1.csv").is_file()
        assert lead.post("/api/readings/readers/R1/reopen").status_code == 204
        assert answer_case(client, "C01", lambda _: {"present": False}).status_code == 200
        actions = [one["action"] for one in lead.get("/api/audit").json()["entries"]]
        assert {"reading.save", "reading.finish", "reading.reopen", "reading.assign"} <= {*actions}


@pytest.mark.slow
def test_answers_are_never_parted_from_their_key_or_their_reader(reading) -> None:
    served, study = reading
    before = key_of(study)
    with served.client("reed") as client, served.client("lead") as lead:
        answer_case(client, "C01", lambda _: {"present": False})
        job = export(served, seed=99, replace=True)["job"]
        assert job["state"] == "failed"
        assert "answers of another export in R1" in job["message"]
        assert key_of(study) == before
        other = {one["name"]: one["id"] for one in lead.get("/api/readings").json()["candidates"]}
        given = lead.put("/api/readings/readers/R1", json={"user_id": other["rex"]})
        assert given.status_code == 409
        # One reader more is the same export; nobody's answers are between two keys meanwhile.
        lead.post("/api/readings/exports", json={"cases": 10, "readers": 3})
        waits = answer_case(client, "C02", lambda _: {"present": False})
        assert waits.status_code == 503
        assert waits.headers["retry-after"]
        while lead.get("/api/readings").json()["job"]["state"] == "running":
            time.sleep(0.1)
        assert export(served, readers=3)["job"]["state"] == "done"
        assert client.get(f"{MINE}/cases/C01").json()["version"] == 1
        assert set(key_of(study)["orders"]) == {"R1", "R2", "R3"}
        assert export(served, cases=5)["job"]["state"] == "failed"


@pytest.mark.slow
def test_the_planted_agreement_comes_back_as_from_files(reading, tmp_path: Path) -> None:
    """Simulated readers through the API, and the same answers as files: the same numbers."""
    served, study = reading
    rng = np.random.default_rng(5)
    truth: dict[tuple[str, str], bool] = {}

    def said(code: str, one: dict) -> dict:
        sees = truth.setdefault((code, one["criterion"]), bool(rng.random() < 0.6))
        present = sees if rng.random() < 0.85 else not sees
        return {"present": present, "matches": bool(rng.random() < 0.7) if present else None}

    for name in ("reed", "rex"):
        with served.client(name) as client:
            read_all(client, said)
    with served.client("lead") as lead:
        table = lead.get("/api/readings/answers.csv").content
        answer = lead.post("/api/readings/scores", json={"strict": True})
        assert answer.status_code == 200, answer.text
        assert lead.get("/api/readings/scores").json() == answer.json()
    written = {p.name: p.read_bytes() for p in (study / "results/review").iterdir()}
    answers = tmp_path / "answers.csv"
    answers.write_bytes(table)
    result = CliRunner().invoke(app, ["review", "score", str(study), str(answers), "--strict"])
    assert result.exit_code == 0, result.output
    for path in (study / "results/review").iterdir():
        assert path.read_bytes() == written[path.name], path.name
    kappa = pd.read_csv(study / "results/review/agreement.csv").query("measure == 'kappa'")
    mine = [one["value"] for one in answer.json()["agreement"] if one["measure"] == "kappa"]
    assert mine == pytest.approx(kappa["value"].tolist(), nan_ok=True)
    # Without arguments the command finds the answers that the web has written.
    again = CliRunner().invoke(app, ["review", "score", str(study), "--strict"])
    assert again.exit_code == 0, again.output
    assert (study / "results/review/agreement.csv").read_bytes() == written["agreement.csv"]
