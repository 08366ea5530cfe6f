"""The second look over the API, and what accepted rectangles become."""

import os
import signal
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from drawing import drawn, images, rect, submitted

from axilla.annotation.annotation_import import ShapeChoice
from axilla.annotation.roi_reviews import read_reviews
from axilla.annotation.stage import import_rois
from axilla.cohort.cohort_reader import read_cohort
from axilla.cohort.roi_table import read_rois
from axilla.config.load import read_study
from axilla.records.roi_rectangle import Roi


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
    import_rois(config, unfinished, [tmp_path / "back.json"], choice=ShapeChoice())

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
