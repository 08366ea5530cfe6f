"""Annotation over the API: what may be saved by whom, and what nobody loses."""

import json
import os
import random
import shutil
import signal
import threading
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from drawing import PEOPLE, SIDES, drawn, images, rect
from PIL import Image, ImageChops
from pydicom.data import get_testdata_file

from axilla.imaging.open_image import open_picture
from axilla.records.patients import ImageFile

THREADS, EACH = 8, 25


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


def test_keys_lead_to_no_other_file(team) -> None:
    with team.client("anna") as anna:
        for key in KEYS:
            for path in ("", "/picture", "/history"):
                answer = anna.get(f"/api/rois/{key}{path}")
                assert answer.status_code in {404, 422}, (key, answer.text)
                assert "[study]" not in answer.text, key
            put = anna.put(f"/api/rois/{key}", json=drawn(0))
            assert put.status_code in {404, 405, 422}, key


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
