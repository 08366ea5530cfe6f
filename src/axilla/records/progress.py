"""Progress of work, and results/progress.json for other programs."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final, Literal, Protocol

from pydantic import TypeAdapter, ValidationError

from axilla.records.errors import AxillaError
from axilla.records.run_folder import RunFolder

Advance = Callable[[int], None]
NAME: Final = "progress.json"
State = Literal["running", "finished", "failed", "stopped", "lost"]
_EVERY_S: Final = 1.0
_LOST_AFTER_S: Final = 15.0
_UNEXPECTED: Final = "It ended by an error of its own; what it printed tells more."
_LONGEST: Final = 2000


class Progress(Protocol):
    """Opens one bar per task; the opened context yields a function that advances it."""

    def task(self, description: str, *, total: int) -> AbstractContextManager[Advance]:
        """Show `description` while the context is open, `total` steps long."""
        ...


class Silent:
    """A listener that shows nothing; what tests and libraries pass."""

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Yield a function that does nothing."""
        del description, total
        yield lambda _steps: None


class Both:
    """Tells two listeners the same."""

    def __init__(self, one: Progress, other: Progress) -> None:
        """Forward to both, the first one first."""
        self._one, self._other = one, other

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Open the task with both; what advances it advances both."""
        with (
            self._one.task(description, total=total) as first,
            self._other.task(description, total=total) as second,
        ):

            def advance(steps: int) -> None:
                first(steps)
                second(steps)

            yield advance


@dataclass(frozen=True, slots=True)
class Task:
    """A part of a stage that counts its steps; `seconds` is how long it has taken so far."""

    name: str
    done: int
    total: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage of the study, and how long it took, or has taken so far."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a study's last run; `lost` is one that gave no sign of life any more.

    `stages` are those that are done, `stage` and `task` what is going on. Times are seconds since
    1970, UTC.
    """

    state: State
    started: float
    seen: float
    pid: int
    message: str = ""
    stage: StageProgress | None = None
    task: Task | None = None
    stages: tuple[StageProgress, ...] = ()
    planned: tuple[str, ...] = ()


_RUN: Final = TypeAdapter(Run)


@dataclass(slots=True)
class _Now:
    """What is going on, while it changes; began_* are of the monotonic clock."""

    stage: str = ""
    stage_began: float = 0.0
    task: str = ""
    task_began: float = 0.0
    done: int = 0
    total: int = 0
    finished: list[StageProgress] = field(default_factory=list)


class ProgressFile:
    """Listens to a run and writes what it hears once a second; a full disk does not stop a run."""

    def __init__(self, folder: RunFolder, *, stages: tuple[str, ...]) -> None:
        """Write into `folder`; `stages` are those to come, in their order."""
        self._path = folder.table(NAME)
        self._planned = stages
        self._lock = Lock()
        self._now = _Now()
        self._started = time.time()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tell that the run goes on while the block runs, and how the block ended."""
        stop = Event()
        beat = Thread(target=self._beat, args=(stop,), name="progress", daemon=True)
        state: State = "failed"
        message = _UNEXPECTED
        self._write("running")
        beat.start()
        try:
            yield
            state, message = "finished", ""
        except AxillaError as error:
            message = str(error)
            raise
        except OSError as error:
            message = error.strerror or type(error).__name__
            raise
        except KeyboardInterrupt:
            state, message = "stopped", ""
            raise
        finally:
            stop.set()
            beat.join()
            self._write(state, message[:_LONGEST])

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tell that a stage of the study goes on while the block runs."""
        with self._lock:
            self._now.stage, self._now.stage_began = name, time.monotonic()
        yield
        with self._lock:
            took = time.monotonic() - self._now.stage_began
            self._now.finished.append(StageProgress(name, round(took, 1)))
            self._now.stage = self._now.task = ""

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Tell of one task while the context is open."""
        with self._lock:
            now = self._now
            now.task, now.task_began = description, time.monotonic()
            now.done, now.total = 0, total

        def advance(steps: int) -> None:
            with self._lock:
                self._now.done += steps

        yield advance
        with self._lock:
            self._now.task = ""

    def _beat(self, stop: Event) -> None:
        while not stop.wait(_EVERY_S):
            self._write("running")

    def _write(self, state: State, message: str = "") -> None:
        with self._lock:
            run = self._make_run(state, message)
        content = json.dumps(asdict(run), ensure_ascii=False)
        # Not folder.write_json: once a second, nothing has to survive a power cut, and whoever is
        # killed here may leave one small file behind, not one a time.
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_name(f".{NAME}")
            beside.write_text(f"{content}\n", encoding="utf-8")
            beside.replace(self._path)

    def _make_run(self, state: State, message: str) -> Run:
        now, clock = self._now, time.monotonic()
        stage = StageProgress(now.stage, round(clock - now.stage_began, 1)) if now.stage else None
        seconds = round(clock - now.task_began, 1)
        task = Task(now.task, now.done, now.total, seconds) if now.task else None
        return Run(
            state=state,
            started=round(self._started, 3),
            seen=round(time.time(), 3),
            pid=os.getpid(),
            message=message,
            stage=stage,
            task=task,
            stages=tuple(now.finished),
            planned=self._planned,
        )


def read_run(path: Path) -> Run | None:
    """Return what progress.json tells of the last run; None without a readable one."""
    try:
        run = _RUN.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    silent = time.time() - run.seen > _LOST_AFTER_S
    return replace(run, state="lost") if run.state == "running" and silent else run
