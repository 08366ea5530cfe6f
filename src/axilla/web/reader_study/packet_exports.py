"""Exports of packets, beside the server: one at a time, and how far it is."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Literal

from axilla.explanation.reader_study.blinding_key import PACKETS
from axilla.records.errors import AxillaError, Problem
from axilla.records.progress import Advance
from axilla.records.run_folder import RunFolder
from axilla.web.core.http_errors import BusyError

_WAIT_S = 5


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export."""

    cases: int
    readers: int
    seed: int | None
    replace: bool


@dataclass(frozen=True, slots=True)
class Job:
    """The last export: `done` of `total` cases are drawn, or why it failed."""

    state: Literal["none", "running", "done", "failed"] = "none"
    done: int = 0
    total: int = 0
    message: str = ""


class Exports:
    """Runs exports in a thread of their own."""

    def __init__(self, folder: RunFolder) -> None:
        """Export the study of this folder."""
        self._folder = folder
        self._lock = Lock()
        self._job = Job()

    @property
    def job(self) -> Job:
        """The export that runs, or ran last."""
        with self._lock:
            return self._job

    def require_none(self) -> None:
        """Raise `BusyError` while an export runs: it may change what readers are shown."""
        if self.job.state == "running":
            raise _busy()

    def start(self, wish: ExportRequest, *, held: Callable[[], Collection[str]]) -> Job:
        """Begin an export; raise `BusyError` while another runs.

        `held` tells, once no answer can be saved any more, whose answers the database keeps.
        """
        with self._lock:
            if self._job.state == "running":
                raise _busy()
            self._job = Job("running")
        work = Thread(target=self._run, args=(wish, held), name="review-export", daemon=True)
        work.start()
        return self.job

    def _run(self, wish: ExportRequest, held: Callable[[], Collection[str]]) -> None:
        message = "The export ended unexpectedly. Run `axilla review export` to see why."
        state: Literal["done", "failed"] = "failed"
        try:
            self._export(wish, held())
            state, message = "done", ""
        except AxillaError as error:
            message = str(error)
        except OSError as error:
            message = error.strerror or type(error).__name__
        finally:
            with self._lock:
                self._job = Job(state, self._job.done, self._job.total, message)

    def _export(self, wish: ExportRequest, held: Collection[str]) -> None:
        # Reading cohorts and images takes seconds to import; serving pages must not wait for it.
        from axilla.config.load import read_study  # noqa: PLC0415
        from axilla.explanation.reader_study.stage import export_review  # noqa: PLC0415

        export_review(
            read_study(self._folder.root / "study.toml"),
            self._folder,
            cases=wish.cases,
            readers=wish.readers,
            seed=wish.seed,
            out=self._folder.root / PACKETS,
            replace=wish.replace,
            progress=self,
            held=held,
        )

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Count what the export draws."""
        del description
        with self._lock:
            self._job = Job("running", 0, total)

        def advance(steps: int) -> None:
            with self._lock:
                self._job = Job("running", self._job.done + steps, total)

        yield advance


def _busy() -> BusyError:
    problem = Problem("export", "one that runs", "none", "Wait until it is done.")
    return BusyError(problem, retry_after_s=_WAIT_S)
