"""Annotation over the API: what may be saved by whom, and what nobody loses."""

import json
import os
import random
import shutil
import signal
import sqlite3
import threading
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageChops
from pydicom.data import get_testdata_file

from axilla.annotation.importing import Choice
from axilla.annotation.reviews import read_reviews
from axilla.annotation.stage import import_rois
from axilla.cohort.opening import open_picture
from axilla.cohort.reading import read_cohort
from axilla.cohort.rois import read_rois
from axilla.records.patients import ImageFile
from axilla.records.roi import Roi
from axilla.records.toml import read_study

PEOPLE = {"anna": "annotator", "ben": "annotator reviewer", "rea": "reviewer", "vi": "viewer"}
THREADS, EACH = 8, 25
SIDES = ("left", "top", "width", "height")


def rect(left: int, top: int = 20, width: int = 60, height: int = 40) -> dict[str, int]:
    return {"left": left, "top": top, "width": width, "height": height}


def drawn(version: int, left: int = 10) -> dict[str, object]:
    return {"version": version, "roi": rect(left)}


def images(client: httpx.Client) -> list[dict]:
    return client.get("/api/rois").json()["items"]


def submitted(served, key: str, roi: dict[str, int], *, by: str = "anna") -> int:
    """Draw and hand in; return the version."""
    with served.client(by) as client:
        known = client.get(f"/api/rois/{key}").json()["item"]["version"]
        answer = client.put(f"/api/rois/{key}", json={"version": known, "roi": roi})
        assert answer.status_code == 200, answer.text
        answer = client.post(f"/api/rois/{key}/submit", json={"version": answer.json()["version"]})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["version"])


@pytest.fixture
def team(unfinished: Path, serve, populate):
    return populate(serve(unfinished), **PEOPLE)


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request, unfinished: Path, serve, populate):
    """A server on each kind of database."""
    database = request.getfixturevalue("department") if request.param == "postgresql" else ""
    options = ["--database", database] if database else []
    return populate(serve(unfinished, *options), **PEOPLE)


def test_the_worklist_tells_what_annotating_needs_and_no_more(team, unfinished: Path) -> None:
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str)
    with team.client("anna") as anna:
        answer = anna.get("/api/rois")
        items = answer.json()["items"]
        assert [item["patient_id"] for item in items] == list(table["patient_id"])
        assert answer.json()["counts"] == {
            "new": 24, "draft": 0, "submitted": 0, "accepted": 0, "disagreement": 0
        }  # fmt: skip
        for told in (answer.text, anna.get(f"/api/rois/{items[0]['image']}").text):
            for secret in ("malignant", "birads", "images/", ".jpg", "benign", "label"):
                assert secret not in told
        first = anna.get(f"/api/rois/{items[0]['image']}").json()
        row = table.iloc[0]
        assert first["suggestion"] == {
            "roi": rect(*(int(row[f"roi_{side}"]) for side in ("left", "top", "width", "height"))),
            "source": "cohort.csv",
        }
        assert anna.get("/api/rois", params={"state": "draft"}).json()["items"] == []
        assert anna.get("/api/rois", params={"state": "nonsense"}).status_code == 422


def test_pictures_are_whole_and_come_once(team, unfinished: Path) -> None:
    with team.client("anna") as anna:
        key = images(anna)[0]["image"]
        answer = anna.get(f"/api/rois/{key}/picture")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "no-store"
        table = pd.read_csv(unfinished / "cohort.csv", dtype=str)
        own = Image.open(unfinished / table["ultrasound"][0]).convert("RGB")
        shown = Image.open(BytesIO(answer.content))
        assert ImageChops.difference(own, shown).getbbox() is None
        tag = answer.headers["etag"]
        again = anna.get(f"/api/rois/{key}/picture", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    with team.client("lead") as lead:
        entries = lead.get("/api/audit").json()["entries"]
        seen = [entry for entry in entries if entry["action"] == "roi.view"]
        first = ("anna", table["patient_id"][0])
        assert [(entry["actor"], entry["subject"]) for entry in seen] == [first] * 2


def test_scanner_files_and_several_images_of_a_patient(unfinished: Path, serve, populate) -> None:
    """DICOM with its own scale, a clip by its sharpest or named frame, two images in one cell."""
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str, keep_default_na=False)
    for name in ("examples_palette.dcm", "examples_ybr_color.dcm"):
        source = get_testdata_file(name)
        assert source is not None
        shutil.copy(source, unfinished / "images" / name)
    table["ultrasound_frame"] = ""
    still, clip = "images/examples_palette.dcm", "images/examples_ybr_color.dcm"
    cells = {"ultrasound_mask": "", **{f"roi_{side}": "" for side in SIDES}}
    for row, written in ((0, f"{still};{clip}"), (1, clip.replace("images", "./images/../images"))):
        table.loc[row, ["ultrasound", *cells]] = [written, *cells.values()]
    table.loc[1, "ultrasound_frame"] = "3"
    table.loc[1, "ultrasound_pixel_mm"] = "0.2"
    table.to_csv(unfinished / "cohort.csv", index=False)
    served = populate(serve(unfinished), **PEOPLE)
    with served.client("anna") as anna:
        items = images(anna)[:3]
        parts = [(one["patient_id"], one["part"], one["parts"]) for one in items]
        first, second = table["patient_id"][:2]
        assert parts == [(first, 1, 2), (first, 2, 2), (second, 1, 1)]
        for item, path, frame, pixel_mm in (
            (items[0], still, None, open_picture(ImageFile(unfinished / still)).pixel_mm),
            (items[1], clip, None, open_picture(ImageFile(unfinished / clip)).pixel_mm),
            (items[2], clip, 3, 0.2),
        ):
            detail = anna.get(f"/api/rois/{item['image']}").json()
            assert detail["pixel_mm"] == pixel_mm
            assert detail["suggestion"] is None
            answer = anna.get(f"/api/rois/{item['image']}/picture")
            shown = np.asarray(Image.open(BytesIO(answer.content)))
            wanted = open_picture(ImageFile(unfinished / path, frame=frame)).pixels
            np.testing.assert_array_equal(shown, wanted)
            assert (detail["width"], detail["height"]) == (wanted.shape[1], wanted.shape[0])
        assert anna.get(f"/api/rois/{items[0]['image']}").json()["pixel_mm"] is not None
        (unfinished / still).unlink()
        answer = anna.get(f"/api/rois/{items[0]['image']}")
        assert answer.status_code == 422
        assert str(unfinished) not in answer.text


@pytest.mark.parametrize("who", ["vi", "lead"])
def test_others_do_not_draw(team, who: str) -> None:
    with team.client("anna") as anna:
        key = images(anna)[0]["image"]
    with team.client(who) as client:
        assert client.put(f"/api/rois/{key}", json=drawn(0)).status_code == 403
        assert client.post(f"/api/rois/{key}/submit", json={"version": 1}).status_code == 403
        review = {"version": 1, "verdict": "accept"}
        assert client.post(f"/api/rois/{key}/review", json=review).status_code == 403
    with team.client("vi") as vi:
        for path in ("", f"/{key}", f"/{key}/picture", f"/{key}/history", "/agreement", "/export"):
            assert vi.get(f"/api/rois{path}").status_code == 403
    with team.client("rea") as rea:
        assert rea.put(f"/api/rois/{key}", json=drawn(0)).status_code == 403
        assert rea.get("/api/rois/export").status_code == 403


BAD = (
    {"roi": rect(10)},
    {"version": 0},
    {"version": 0, "roi": rect(10), "absent": True},
    {"version": 0, "roi": rect(-1)},
    {"version": 0, "roi": rect(100_000)},
    {"version": 0, "roi": rect(10, width=0)},
    {"version": -1, "roi": rect(10)},
    {"version": 2**40, "roi": rect(10)},
    {"version": 0, "roi": rect(10), "comment": "x" * 2001},
    {"version": 0, "absent": True, "comment": "nothing\u0000here"},
    {"version": 0, "absent": True, "comment": "half a sign \ud800"},
    {"version": 0, "roi": rect(10), "annotator": "rea"},
)


def test_what_cannot_be_is_refused(team) -> None:
    with team.client("anna") as anna:
        key = images(anna)[0]["image"]
        for body in BAD:
            content = json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            answer = anna.put(f"/api/rois/{key}", content=content, headers=headers)
            assert answer.status_code == 422, body
        assert anna.get(f"/api/rois/{key}").json()["drawing"] is None


KEYS = (
    "..%2f..%2fstudy.toml", "../study.toml", "%2e%2e/%2e%2e/etc/passwd", "0" * 24, "0" * 23,
    "' OR 1=1 --", "a" * 3000, "%00", "images/P001_us.jpg", "%F0%9F%92%A9",
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_keys_lead_to_no_other_file(team, key: str) -> None:
    with team.client("anna") as anna:
        for path in ("", "/picture", "/history"):
            answer = anna.get(f"/api/rois/{key}{path}")
            assert answer.status_code in {404, 422}, answer.text
            assert "[study]" not in answer.text
        assert anna.put(f"/api/rois/{key}", json=drawn(0)).status_code in {404, 405, 422}


def test_no_lesion_needs_a_reason(team) -> None:
    with team.client("anna") as anna:
        key = images(anna)[0]["image"]
        anna.put(f"/api/rois/{key}", json={"version": 0, "absent": True})
        assert anna.post(f"/api/rois/{key}/submit", json={"version": 1}).status_code == 422
        content = {"version": 1, "absent": True, "comment": "shadow over all"}
        assert anna.put(f"/api/rois/{key}", json=content).json()["absent"]
        answer = anna.post(f"/api/rois/{key}/submit", json={"version": 2})
        assert answer.json()["state"] == "submitted"


def test_a_stale_save_is_refused_with_both_versions(team) -> None:
    with team.client("anna") as anna, team.client("ben") as ben:
        key = images(anna)[0]["image"]
        assert anna.put(f"/api/rois/{key}", json=drawn(0, 10)).json()["version"] == 1
        answer = ben.put(f"/api/rois/{key}", json=drawn(0, 30))
        assert answer.status_code == 409
        assert answer.json()["yours"]["roi"] == rect(30)
        theirs = answer.json()["theirs"]
        assert (theirs["roi"], theirs["version"], theirs["annotator"]) == (rect(10), 1, "anna")
        assert ben.put(f"/api/rois/{key}", json=drawn(1, 30)).json()["version"] == 2
        assert anna.post(f"/api/rois/{key}/submit", json={"version": 1}).status_code == 409
        assert ben.post(f"/api/rois/{key}/submit", json={"version": 2}).status_code == 200
        late = anna.put(f"/api/rois/{key}", json=drawn(3, 50))
        assert late.status_code == 409
        assert late.json()["theirs"]["state"] == "submitted"


def hammer(served) -> None:
    with served.client("anna") as anna:
        key = images(anna)[0]["image"]
    acknowledged: list[tuple[int, int]] = []
    refused = []
    begin = threading.Barrier(THREADS)

    def work(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret
        with served.client("anna" if number % 2 else "ben") as client:
            begin.wait()
            version = 0
            for step in range(EACH):
                left = 1 + number * EACH + step
                body = {"version": version, "roi": rect(left)}
                answer = client.put(f"/api/rois/{key}", json=body)
                if answer.status_code == 200:
                    version = answer.json()["version"]
                    acknowledged.append((version, left))
                    if chance.random() < 0.5:
                        version -= 1  # a browser that did not notice
                else:
                    assert answer.status_code == 409, answer.text
                    refused.append(left)
                    version = answer.json()["theirs"]["version"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(acknowledged) + len(refused) == THREADS * EACH
    assert sorted(version for version, _ in acknowledged) == list(range(1, len(acknowledged) + 1))
    with served.client("anna") as anna:
        kept = [
            (one["version"], int(json.loads(one["after"])["roi"].split(",")[0]))
            for one in anna.get(f"/api/rois/{key}/history").json()
        ]
        assert kept == sorted(acknowledged)
        now = anna.get(f"/api/rois/{key}").json()["drawing"]
        assert (now["version"], now["roi"]["left"]) == kept[-1]
    assert len(acknowledged) >= EACH


def test_no_save_is_lost(ward) -> None:
    hammer(ward)


def test_every_acknowledged_save_outlives_a_kill(unfinished: Path, serve, populate) -> None:
    served = populate(serve(unfinished), **PEOPLE)
    with served.client("anna") as anna:
        keys = [item["image"] for item in images(anna)]
    acknowledged: dict[str, dict[int, int]] = {key: {} for key in keys}
    count = threading.Semaphore(0)

    def work(mine: list[str]) -> None:
        with served.client("anna") as anna:
            for step in range(200 // len(keys) + 1):
                for key in mine:
                    body = {"version": step, "roi": rect(1 + step)}
                    try:
                        answer = anna.put(f"/api/rois/{key}", json=body)
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 200, answer.text
                    acknowledged[key][answer.json()["version"]] = 1 + step
                    count.release()

    threads = [threading.Thread(target=work, args=(keys[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        assert count.acquire(timeout=60)
    os.kill(served.process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    total = sum(map(len, acknowledged.values()))
    assert 100 <= total < 200
    again = serve(unfinished)
    again.tokens.update(served.tokens)
    with again.client("anna") as anna:
        for key, saved in acknowledged.items():
            kept = {
                one["version"]: int(json.loads(one["after"])["roi"].split(",")[0])
                for one in anna.get(f"/api/rois/{key}/history").json()
            }
            assert kept.items() >= saved.items()
            assert len(kept) <= len(saved) + 1  # one that was kept and not acknowledged yet


def test_nobody_reviews_their_own(ward) -> None:
    with ward.client("anna") as anna:
        key, other = (item["image"] for item in images(anna)[:2])
    version = submitted(ward, key, rect(10), by="ben")
    with ward.client("ben") as ben, ward.client("rea") as rea:
        for verdict in ({"verdict": "accept"}, {"verdict": "redraw", "roi": rect(10)}):
            answer = ben.post(f"/api/rois/{key}/review", json={"version": version, **verdict})
            assert answer.status_code == 403
        # Anna goes on with Ben's drawing: it stays Ben's too.
        version = ben.post(f"/api/rois/{key}/reopen", json={"version": version}).json()["version"]
        version = submitted(ward, key, rect(12), by="anna")
        accept = {"version": version, "verdict": "accept"}
        assert ben.post(f"/api/rois/{key}/review", json=accept).status_code == 403
        assert rea.post(f"/api/rois/{key}/review", json=accept).status_code == 200
        # Nor does anybody settle what they drew or redrew.
        version = submitted(ward, other, rect(10), by="anna")
        redraw = {"version": version, "verdict": "redraw", "roi": rect(200)}
        answer = ben.post(f"/api/rois/{other}/review", json=redraw)
        assert answer.json()["drawing"]["state"] == "disagreement"
        settle = {"version": answer.json()["drawing"]["version"], "choice": "second"}
        assert ben.post(f"/api/rois/{other}/settle", json=settle).status_code == 403
        assert rea.post(f"/api/rois/{other}/settle", json=settle).status_code == 200


def test_accepted_rois_are_what_a_run_reads(ward, unfinished: Path) -> None:
    config = read_study(unfinished / "study.toml")
    with ward.client("anna") as anna:
        items = images(anna)
    keys = [item["image"] for item in items]
    table = pd.read_csv(unfinished / "cohort.csv", dtype=str)
    own = [
        dict(zip(("left", "top", "width", "height"), map(int, row), strict=True))
        for row in table[[f"roi_{s}" for s in ("left", "top", "width", "height")]].to_numpy()
    ]
    (unfinished / "rois.csv").write_text(
        "image,roi_left,roi_top,roi_width,roi_height,mask,source,label\n"
        f"{table['ultrasound'][5]},1,2,30,40,,by hand,lesion\n"
    )
    with ward.client("rea") as rea, ward.client("lead") as lead:

        def review(key: str, **said) -> dict:
            answer = rea.post(f"/api/rois/{key}/review", json=said)
            assert answer.status_code == 200, answer.text
            assert answer.json()["filed"], answer.text
            return answer.json()

        unchanged = review(keys[0], version=submitted(ward, keys[0], own[0]), verdict="accept")
        assert not unchanged["mask_dropped"]
        moved = own[1] | {"left": own[1]["left"] + 2}
        redrawn = review(
            keys[1], version=submitted(ward, keys[1], own[1]), verdict="redraw", roi=moved
        )
        assert redrawn["drawing"]["state"] == "accepted"
        assert redrawn["mask_dropped"]
        assert redrawn["drawing"]["iou"] == pytest.approx(
            (own[1]["width"] - 2) / (own[1]["width"] + 2)
        )
        far = review(
            keys[2], version=submitted(ward, keys[2], rect(1)), verdict="redraw", roi=rect(150)
        )
        assert far["drawing"]["state"] == "disagreement"
        assert set(read_rois(unfinished / "rois.csv")) == {
            table["ultrasound"][n] for n in (0, 1, 5)
        }
        settled = lead.post(
            f"/api/rois/{keys[2]}/settle",
            json={"version": far["drawing"]["version"], "choice": "drawn", "roi": rect(70)},
        )
        assert settled.json()["drawing"]["standing"] == rect(70)
        # Reopened: what was accepted stands.
        answer = lead.post(
            f"/api/rois/{keys[0]}/reopen", json={"version": unchanged["drawing"]["version"]}
        )
        assert answer.json()["state"] == "draft"
    cohort = read_cohort(config, unfinished)
    files = {patient.patient_id: patient.ultrasound[0] for patient in cohort}
    wanted = {0: own[0], 1: moved, 2: rect(70), 5: rect(1, 2, 30, 40)}
    for number, roi in wanted.items():
        found = files[table["patient_id"][number]]
        assert found.roi == Roi(roi["left"], roi["top"], roi["width"], roi["height"])
        assert (found.mask is not None) == (number == 0)
    rows = read_rois(unfinished / "rois.csv")
    assert [rows[table["ultrasound"][n]].source for n in (0, 1, 2, 5)] == [
        "axilla serve", "axilla serve", "axilla serve", "by hand"
    ]  # fmt: skip
    said = read_reviews(unfinished / "roi_reviews.csv")
    assert [(one.image, one.decision, one.readers) for one in said] == [
        (table["ultrasound"][1], "redrawn", ("A2", "A4")),
        (table["ultrasound"][2], "settled", ("A2", "A4")),
    ]
    assert "anna" not in (unfinished / "roi_reviews.csv").read_text()


def test_an_accepted_absence_takes_the_row_out(team, unfinished: Path) -> None:
    with team.client("anna") as anna, team.client("rea") as rea:
        key = images(anna)[0]["image"]
        version = submitted(team, key, rect(10))
        accept = {"version": version, "verdict": "accept"}
        version = rea.post(f"/api/rois/{key}/review", json=accept).json()["drawing"]["version"]
        assert len(read_rois(unfinished / "rois.csv")) == 1
        version = rea.post(f"/api/rois/{key}/reopen", json={"version": version}).json()["version"]
        absent = {"version": version, "absent": True, "comment": "a scar"}
        version = anna.put(f"/api/rois/{key}", json=absent).json()["version"]
        anna.post(f"/api/rois/{key}/submit", json={"version": version})
        accept = {"version": version + 1, "verdict": "accept"}
        answer = rea.post(f"/api/rois/{key}/review", json=accept)
        assert answer.json()["drawing"]["iou"] is None
        assert answer.json()["drawing"]["standing_absent"]
        assert not (unfinished / "rois.csv").exists()
        config = read_study(unfinished / "study.toml")
        assert len(read_cohort(config, unfinished)) == 24


def test_files_are_written_again_at_the_next_start(team, unfinished: Path, serve) -> None:
    """A server that ends between the database and rois.csv leaves a file without the row."""
    with team.client("anna") as anna, team.client("rea") as rea:
        keys = [item["image"] for item in images(anna)]
        rois = unfinished / "rois.csv"
        accept = {"version": submitted(team, keys[0], rect(10)), "verdict": "accept"}
        assert rea.post(f"/api/rois/{keys[0]}/review", json=accept).json()["filed"]
        whole = rois.read_text()
        rois.write_text("damaged")
        accept = {"version": submitted(team, keys[1], rect(33)), "verdict": "accept"}
        answer = rea.post(f"/api/rois/{keys[1]}/review", json=accept).json()
        assert (answer["filed"], answer["drawing"]["state"]) == (False, "accepted")
        assert "rois.csv" in answer["note"]
        assert rois.read_text() == "damaged"
        rois.write_text(whole)
    os.kill(team.process.pid, signal.SIGKILL)
    team.process.wait()
    (unfinished / "roi_reviews.csv").unlink()
    serve(unfinished)
    assert sorted(row.roi.left_px for row in read_rois(rois).values()) == [10, 33]
    assert len(read_reviews(unfinished / "roi_reviews.csv")) == 2


def test_an_export_comes_back_the_same(team, unfinished: Path, tmp_path: Path) -> None:
    config = read_study(unfinished / "study.toml")
    with team.client("anna") as anna, team.client("rea") as rea, team.client("lead") as lead:
        key = images(anna)[0]["image"]
        accept = {"version": submitted(team, key, rect(77)), "verdict": "accept"}
        rea.post(f"/api/rois/{key}/review", json=accept)
        table = lead.get("/api/rois/export", params={"format": "csv"})
        coco = lead.get("/api/rois/export", params={"format": "coco"})
        assert lead.get("/api/rois/export", params={"format": "exe"}).status_code == 422
    assert 'filename="rois.csv"' in table.headers["content-disposition"]
    before = {
        patient.patient_id: patient.ultrasound[0].roi for patient in read_cohort(config, unfinished)
    }
    (unfinished / "rois.csv").unlink()
    (tmp_path / "back.json").write_bytes(coco.content)
    import_rois(config, unfinished, [tmp_path / "back.json"], choice=Choice())

    def now() -> dict[str, Roi | None]:
        cohort = read_cohort(config, unfinished)
        return {patient.patient_id: patient.ultrasound[0].roi for patient in cohort}

    assert now() == before
    (unfinished / "rois.csv").write_bytes(table.content)
    assert now() == before
    assert Roi(77, 20, 60, 40) in before.values()


def test_history_only_grows(team, unfinished: Path) -> None:
    with team.client("anna") as anna:
        key = images(anna)[0]["image"]
        anna.put(f"/api/rois/{key}", json=drawn(0))
    connection = sqlite3.connect(unfinished / "web.db")
    for statement in ("DELETE FROM roi_revision", "UPDATE roi_revision SET after = ''"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            connection.execute(statement)
    connection.close()


def test_agreement_is_counted_once_two_have_looked(team) -> None:
    with team.client("anna") as anna, team.client("rea") as rea:
        assert rea.get("/api/rois/agreement").json() == {"images": 0, "numbers": []}
        assert anna.get("/api/rois/agreement").status_code == 403
        for item, left in zip(images(anna), (10, 40), strict=False):
            version = submitted(team, item["image"], rect(10))
            said = {"version": version, "verdict": "redraw", "roi": rect(left)}
            answer = rea.post(f"/api/rois/{item['image']}/review", json=said)
            assert answer.status_code == 200
        found = rea.get("/api/rois/agreement").json()
        numbers = {number["key"]: number for number in found["numbers"]}
        assert found["images"] == 2
        assert numbers["iou"]["value"] == pytest.approx((1 + 30 / 90) / 2)
        assert numbers["iou_0.5"]["value"] == 0.5
        assert numbers["unchanged"]["value"] == 0
