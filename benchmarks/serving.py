"""k. Predictions over the web against the same predictions by one batch process.

The subject is `axilla serve` on a finished study: 50 clients at once ask for the cases of the
sample. The reference is what `axilla predict --cohort` does with the same cases in one process,
without its start-up. Every answer is compared with the reference's. `SERVING_STUDY` may name a
finished study of the sample cohort; without it one is made first.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pandas as pd

from benchmarks.common import Result, compared, seconds_of, spread, table
from benchmarks.memory import own_bytes
from benchmarks.running import alone

TARGET_RATIO, TARGET_START_S, TARGET_PAGE_S = 0.8, 5.0, 2.0
CLIENTS, REQUESTS, ROUNDS = 50, 1000, 5
_WITHIN = 1e-6
_AXILLA = "from axilla.cli.main import app; app()"
_BATCH = """
import sys, time
from pathlib import Path
from axilla.cli.cohort_prediction import predict_cohort
from axilla.cli.cohort_prediction import open_predictor
bundle, cohort, out = map(Path, sys.argv[1:])
predictor = open_predictor(bundle)
began = time.perf_counter()
predict_cohort(predictor, cohort, out, bundle=bundle)
print("SECONDS", time.perf_counter() - began)
"""
Files = list[tuple[str, tuple[str, bytes]]]


def measure(*, quick: bool) -> Result:
    """Batch process and clients take turns, so neither has the quieter machine."""
    load, asked, rounds = os.getloadavg()[0], 30 if quick else REQUESTS, 1 if quick else ROUNDS
    with tempfile.TemporaryDirectory() as root:
        study = _study(Path(root))
        cases = _cases(study)[: 24 if quick else None]
        with _served(study) as (process, client, start_s):
            page_s = seconds_of(lambda: client.get("/predict").raise_for_status())
            client.post("/api/predict", files=cases[0]).raise_for_status()  # the bundle is loaded
            alone_s = [_timed(client, files)[0] for files in cases[: 10 if quick else 40]]
            batches, crowds, crowd_s = [], [], []
            for _ in range(rounds):
                batches.append(_batch(study, Path(root)))
                began = time.perf_counter()
                crowds.append(_at_once(client, cases))
                crowd_s.append((time.perf_counter() - began) / len(cases))
            busy_page_s = _page_while_busy(client, cases)
            before = own_bytes(process.pid)
            _at_once(client, [cases[n % len(cases)] for n in range(asked)])
            after = own_bytes(process.pid)
    wanted = batches[0]["probabilities"]
    given = [[answer.get("probability") for _, answer in answers] for answers in crowds]
    return {
        "load_before": load,
        "cases": len(cases),
        "clients": CLIENTS,
        "lost": sum(one is None for crowd in given for one in crowd),
        "wrong": sum(
            one is not None and abs(one - other) > _WITHIN
            for crowd in given
            for one, other in zip(crowd, wanted, strict=False)
        ),
        "a_prediction": compared([one["seconds"] / len(wanted) for one in batches], crowd_s),
        "with_start_up": compared([one["whole_s"] / len(wanted) for one in batches], crowd_s),
        "alone_s": _quantiles(alone_s),
        "crowd_s": _quantiles([seconds for answers in crowds for seconds, _ in answers]),
        "start_s": start_s,
        "page_s": page_s,
        "busy_page_s": busy_page_s,
        "requests": asked,
        "memory_mib": [size / 2**20 for size in (before, after)],
    }


def report(result: Result) -> list[str]:
    """What was promised, what was found."""
    both, (before, after) = result["a_prediction"], result["memory_mib"]
    rows = [
        ("Predictions per second, API", f"{1 / both['axilla_s']:.1f}", ""),
        ("Predictions per second, batch process", f"{1 / both['reference_s']:.1f}", ""),
        ("API / batch without start-up", spread(both), f">= {TARGET_RATIO}"),
        ("API / batch with start-up", spread(result["with_start_up"]), ""),
        ("Lost; wrong by more than 1e-6", f"{result['lost']}; {result['wrong']}", "0; 0"),
        ("One client, median and 95th percentile, s", _pair(result["alone_s"]), ""),
        (f"{result['clients']} clients, the same, s", _pair(result["crowd_s"]), ""),
        (
            "`axilla serve` until /login answers, s",
            f"{result['start_s']:.1f}",
            f"< {TARGET_START_S:g}",
        ),
        ("/predict answers, s", f"{result['page_s']:.2f}", f"< {TARGET_PAGE_S:g}"),
        ("/predict while 50 wait, s", f"{result['busy_page_s']:.2f}", f"< {TARGET_PAGE_S:g}"),
        (
            f"Memory before and after {result['requests']} predictions, MiB",
            f"{before:.0f}, {after:.0f}",
            "flat",
        ),
    ]
    told = (
        f"{result['cases']} cases, {result['clients']} clients at once. Load of the machine "
        f"before: {result['load_before']:.1f} processes. Medians of {both['rounds']} rounds; in "
        "brackets the lowest and highest of single rounds."
    )
    return [told, "", *table(["Measured", "Found", "Target"], rows)]


def _study(root: Path) -> Path:
    """Return a copy of the finished study that is named, or a new one."""
    study = root / "study"
    named = os.environ.get("SERVING_STUDY")
    if named:
        shutil.copytree(named, study, ignore=shutil.ignore_patterns("cache"))
        return study
    _axilla("init", str(study), "--sample", "paired")
    _axilla("run", str(study))
    return study


def _axilla(*arguments: str) -> None:
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", _AXILLA, *arguments], stdout=subprocess.DEVNULL, check=True
    )


def _cases(study: Path) -> list[Files]:
    rows = pd.read_csv(study / "cohort.csv", dtype=str, keep_default_na=False).to_dict("records")
    names = (("ultrasound", "ultrasound"), ("mask", "ultrasound_mask"), ("pathology", "pathology"))
    return [
        [(field, (f"{field}.png", (study / row[column]).read_bytes())) for field, column in names]
        for row in rows
    ]


def _batch(study: Path, root: Path) -> Result:
    out = root / "predictions.csv"
    arguments = [study / "results" / "bundle.axilla", study / "cohort.csv", out]
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _BATCH, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    whole_s = time.perf_counter() - began
    line = next(line for line in done.stdout.splitlines() if line.startswith("SECONDS"))
    probabilities = pd.read_csv(out)["probability"].tolist()
    return {"seconds": float(line.split()[1]), "whole_s": whole_s, "probabilities": probabilities}


@contextmanager
def _served(study: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client, float]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    call = [sys.executable, "-c", _AXILLA, "serve", str(study), "--no-auth", "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL)  # noqa: S603
    limits = httpx.Limits(max_connections=CLIENTS + 1)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=300, limits=limits
        ) as client:
            while True:
                try:
                    client.get("/login")
                    break
                except httpx.TransportError:
                    time.sleep(0.02)
            yield process, client, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def _timed(client: httpx.Client, files: Files) -> tuple[float, Result]:
    began = time.perf_counter()
    answer = client.post("/api/predict", files=files)
    content = json.loads(answer.text) if answer.status_code == 200 else {}  # noqa: PLR2004
    return time.perf_counter() - began, content


def _at_once(client: httpx.Client, cases: Sequence[Files]) -> list[tuple[float, Result]]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda files: _timed(client, files), cases))


def _page_while_busy(client: httpx.Client, cases: Sequence[Files]) -> float:
    with ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(_timed, client, files) for files in cases[:CLIENTS]]
        time.sleep(0.3)
        seconds = seconds_of(lambda: client.get("/predict").raise_for_status())
        for one in waiting:
            one.result()
    return seconds


def _quantiles(seconds: Sequence[float]) -> list[float]:
    return [statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]]


def _pair(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    alone("serving")
