"""Hunting: workers that try cases, a watchdog over each, and what all of them saw."""

import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

MOST_CPU_SECONDS = 5.0
MOST_PEAK_MIB = 1024
_MIB = 1 << 20
_POLL_SECONDS = 0.05
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a case may cost, and from where on its worker is ended.

    Processor time is what counts, as other programs may hold the clock up; the clock only ends
    what sleeps. Memory is the resident set's growth during the case.
    """

    cpu_seconds: float = MOST_CPU_SECONDS
    peak_mib: int = MOST_PEAK_MIB
    kill_cpu_seconds: float = 3 * MOST_CPU_SECONDS
    kill_mib: int = 4 * MOST_PEAK_MIB
    kill_wall_seconds: float = 240.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A case by its number, or a file by its path."""

    form: str
    number: int = 0
    seed: int = 0
    path: Path | None = None

    def as_json(self, folder: str) -> dict[str, Any]:
        """Return what a worker is told; it writes the case into `folder`."""
        if self.path:
            return {"format": self.form, "path": str(self.path)}
        return {"format": self.form, "number": self.number, "seed": self.seed, "folder": folder}


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case: read, refused, traceback, slow, memory, hang or crash.

    `history` is the seed's name and what was done to it; `content` is kept of failures only.
    """

    asked: Asked
    outcome: str
    said: str
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_mib: int = 0
    history: tuple[str, ...] = ()
    content: bytes = b""

    @property
    def failed(self) -> bool:
        return self.outcome not in ("read", "refused")


class Worker:
    """A process that tries cases one after another; it is replaced if a case ends it."""

    def __init__(self, limits: Limits, *, formats: str = "fuzz.formats") -> None:
        """Start nothing yet: the process starts with the first case."""
        self._limits = limits
        self._formats = formats
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._errors.close()
        self._folder.cleanup()

    def attempt(self, asked: Asked) -> Seen:
        """Try one case; whatever becomes of the process, say what happened."""
        process = self._process = self._process or self._started()
        if process.stdin is None:
            raise RuntimeError("a worker without pipes")
        try:
            process.stdin.write((json.dumps(asked.as_json(self._folder.name)) + "\n").encode())
        except BrokenPipeError:
            return self._lost(asked, "crash", Path())
        begun = self._reply(process)
        if isinstance(begun, str):
            return self._lost(asked, f"crash in making the case ({begun})", Path())
        path = Path(begun["path"])
        history = (path.name, *begun["history"])
        most_mib = begun["resident_mib"] + self._limits.kill_mib
        answer = self._reply(process, most_mib=most_mib)
        if isinstance(answer, str):
            seen = self._lost(asked, answer, path)
        else:
            seen = self._judged(asked, answer, path)
        if asked.path is None:
            path.unlink()
        return replace(seen, history=history)

    def _judged(self, asked: Asked, answer: dict[str, Any], path: Path) -> Seen:
        if answer["outcome"] != "traceback" and answer["cpu_seconds"] > self._limits.cpu_seconds:
            answer["outcome"] = "slow"
        elif answer["outcome"] != "traceback" and answer["peak_mib"] > self._limits.peak_mib:
            answer["outcome"] = "memory"
        seen = Seen(asked, **answer)
        return replace(seen, content=path.read_bytes()) if seen.failed else seen

    def _reply(self, process: subprocess.Popen[bytes], *, most_mib: float = math.inf) -> Any:
        """Return the next line's JSON, or the word for why none came."""
        if process.stdout is None:
            raise RuntimeError("a worker without pipes")
        until = time.monotonic() + self._limits.kill_wall_seconds
        while time.monotonic() < until:
            if select.select([process.stdout], [], [], _POLL_SECONDS)[0]:
                line = process.stdout.readline()
                return json.loads(line) if line else self._cause_of_end(process)
            if most_mib < math.inf and _resident_mib(process.pid) > most_mib:
                return "memory"
        return "hang"

    def _cause_of_end(self, process: subprocess.Popen[bytes]) -> str:
        return "hang" if process.wait() == -signal.SIGPROF else "crash"

    def _lost(self, asked: Asked, outcome: str, path: Path) -> Seen:
        code = self._end()
        self._errors.seek(0)
        errors = self._errors.read().decode("utf-8", "replace")[-4_000:]
        content = path.read_bytes() if path.is_file() else b""
        return Seen(asked, outcome, f"worker ended with {code}\n{errors}", content=content)

    def _started(self) -> subprocess.Popen[bytes]:
        self._errors.seek(0)
        self._errors.truncate()
        quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
        paths = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "fuzz.worker", self._formats,
             str(self._limits.kill_cpu_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            cwd=_ROOT,
            env=os.environ | quiet | {"PYTHONPATH": paths},
        )  # fmt: skip

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.kill()
        return process.wait()


def hunt(
    cases: Iterable[Sequence[Asked]],
    *,
    workers: int,
    limits: Limits,
    formats: str = "fuzz.formats",
    told: Callable[[Seen], None] = lambda _: None,
) -> list[Seen]:
    """Try all cases, chunk by chunk, on several workers; `told` hears of each as it ends."""
    queue: Queue[Sequence[Asked]] = Queue()
    for chunk in cases:
        queue.put(chunk)

    def work() -> list[Seen]:
        seen = []
        with Worker(limits, formats=formats) as worker:
            for chunk in _drained(queue):
                for asked in chunk:
                    one = worker.attempt(asked)
                    if "hang" in one.outcome:  # a machine that slept meanwhile looks like one
                        one = worker.attempt(asked)
                    seen.append(one)
                    told(one)
        return seen

    with ThreadPoolExecutor(workers) as pool:
        done = [pool.submit(work) for _ in range(workers)]
        return [seen for future in done for seen in future.result()]


def _drained(queue: Queue[Sequence[Asked]]) -> Iterator[Sequence[Asked]]:
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _resident_mib(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:  # ended meanwhile, or not Linux
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") // _MIB
