"""The queue before the worker: bounded, and nothing is lost when the worker is."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pandas as pd
import pytest
import uvicorn
from served import PROBABILITY_TOLERANCE

from axilla.records.run_folder import RunFolder
from axilla.web.app import create_app
from axilla.web.core.http_errors import BusyError
from axilla.web.core.settings import Limits, ServeSettings
from axilla.web.prediction.uploaded_case import TempFiles
from axilla.web.prediction.worker import worker_process
from axilla.web.prediction.worker.worker_main import show_for
from axilla.web.prediction.worker.worker_process import Message, Worker
from axilla.web.prediction.worker.worker_queue import WorkerQueue


@contextmanager
def served_here(study: Path, limits: Limits) -> Iterator[tuple[httpx.Client, object]]:
    """Serve in a thread of this process, so that limits can be small and the worker be found."""
    settings = ServeSettings(RunFolder(study), no_auth=True, limits=limits)
    app = create_app(settings, pages=False)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=240) as client:
            yield client, app.state.web.desks
    finally:
        server.should_exit = True
        thread.join()


def cases_of(study: Path) -> list[list]:
    table = pd.read_csv(study / "cohort.csv", dtype=str, keep_default_na=False)
    return [
        [
            ("ultrasound", ("a.png", (study / row["ultrasound"]).read_bytes())),
            ("pathology", ("b.png", (study / row["pathology"]).read_bytes())),
        ]
        for row in table.to_dict("records")
    ]


def all_at_once(client: httpx.Client, cases: list[list], **data: str) -> list[httpx.Response]:
    def ask(files: list) -> httpx.Response:
        return client.post("/api/predict", files=files, data=data)

    with ThreadPoolExecutor(len(cases)) as pool:
        return list(pool.map(ask, cases))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_full_queue_says_when_to_come_back_and_the_rest_is_right(finished: Path) -> None:
    cases = cases_of(finished)[:12]
    with served_here(finished, Limits(waiting=3, batch=2)) as (client, _):
        alone = [client.post("/api/predict", files=files).json() for files in cases]
        answers = all_at_once(client, cases, heatmaps="true")
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer, wanted in zip(answers, alone, strict=True):
        if answer.status_code == 503:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.json()["detail"]["place"] == "queue"
        else:
            assert answer.json()["probability"] == pytest.approx(
                wanted["probability"], abs=PROBABILITY_TOLERANCE
            )
    assert sum(answer.status_code == 200 for answer in answers) >= 3


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(finished: Path) -> None:
    cases = cases_of(finished)[:12]
    with served_here(finished, Limits()) as (client, desks):
        alone = [client.post("/api/predict", files=files).json() for files in cases]
        first = desks.predictions.worker_pid
        killer = threading.Timer(0.4, os.kill, (first, signal.SIGKILL))
        killer.start()
        answers = all_at_once(client, cases, heatmaps="true")
        killer.join()
        assert desks.predictions.worker_pid != first
    assert [answer.status_code for answer in answers] == [200] * len(cases)
    for answer, wanted in zip(answers, alone, strict=True):
        assert answer.json()["probability"] == pytest.approx(
            wanted["probability"], abs=PROBABILITY_TOLERANCE
        )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_another_bundle_on_disk_is_read_before_the_next_prediction(finished: Path) -> None:
    case, bundle = cases_of(finished)[0], finished / "results" / "bundle.axilla"
    with served_here(finished, Limits()) as (client, desks):
        whole = bundle.read_bytes()
        before = client.post("/api/predict", files=case).json()
        worker_process = desks.predictions.worker_pid
        bundle.write_bytes(whole[:-100])
        assert client.post("/api/predict", files=case).status_code == 503
        bundle.unlink()
        assert client.post("/api/predict", files=case).status_code == 404
        bundle.write_bytes(whole)
        after = client.post("/api/predict", files=case).json()
        assert desks.predictions.worker_pid == worker_process
    assert after["probability"] == before["probability"]
    assert after["digest"] == before["digest"]


def desk(*, timeout_s: float = 60, waiting: int = 8) -> WorkerQueue:
    return WorkerQueue(lambda: Worker(show_for), waiting=waiting, batch=1, timeout_s=timeout_s)


def picture(content: bytes = b"no image") -> Message:
    return Message({"kind": "ultrasound", "suffix": ".png", "frame": None}, (content,))


def test_what_takes_too_long_is_ended_tried_again_and_said() -> None:
    slow = desk(timeout_s=0.0005)
    slow.start(at_once=True)
    try:
        with pytest.raises(BusyError, match="no answer within"):
            slow.submit(picture()).result(timeout=60)
    finally:
        slow.stop()


def test_a_closed_desk_answers_who_waits() -> None:
    closing = desk()
    closing.start(at_once=False)
    waiting = [closing.submit(picture(b"x" * 1000)) for _ in range(4)]
    closing.stop()
    for future in waiting:
        assert isinstance(future.exception(timeout=10), Exception)
    with pytest.raises(BusyError):
        closing.submit(picture())


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files in memory are Linux's")
def test_an_upload_is_never_a_file_with_content(tmp_path: Path) -> None:
    """While a picture is decoded the worker's folder holds links; afterwards nothing."""

    with TempFiles(tmp_path) as held:
        path = held.put(b"secret", "ultrasound-1.png")
        assert path.read_bytes() == b"secret"
        assert path.is_symlink()
        assert "memfd" in str(path.resolve()) or "/proc/" in str(path.readlink())
    assert not [one for one in tmp_path.rglob("*") if one.is_file() or one.is_symlink()]


def test_folders_of_killed_servers_are_swept_and_no_others(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(worker_process, "_MEMORY_FOLDER", tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folders = [f"axilla-{ended.pid}-x", f"axilla-{os.getpid()}-x", "axilla-mine", "axilla-1-x"]
    for name in folders:
        (tmp_path / name / "held").mkdir(parents=True)
    worker_process.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(folders[1:])
