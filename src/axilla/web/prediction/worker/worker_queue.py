"""A bounded queue before one worker process: nothing is lost when the process is."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from axilla.records.errors import AxillaError, Problem
from axilla.web.core.http_errors import BusyError
from axilla.web.prediction.worker.worker_process import Message, Worker, WorkerGone, problems_in

_BATCH_BYTES: Final = 64 << 20
_TRIES: Final = 2


@dataclass(slots=True)
class _QueuedRequest:
    message: Message
    future: Future[Message] = field(default_factory=Future)
    tries: int = 0


class WorkerQueue:
    """Takes requests, hands them to a worker in batches, and replaces a worker that fails.

    A batch whose worker was lost is tried once more, one request at a time, so that the one that
    kills workers harms no other.
    """

    def __init__(
        self,
        make: Callable[[], Worker],
        *,
        waiting: int,
        batch: int,
        timeout_s: float,
        heavy_bytes: int = _BATCH_BYTES,
    ) -> None:
        """Let `waiting` requests wait; hand over `batch` at once, together of `heavy_bytes`."""
        self._make = make
        self._waiting, self._batch, self._timeout_s = waiting, batch, timeout_s
        self._heavy_bytes = heavy_bytes
        self._queue: deque[_QueuedRequest] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._worker: Worker | None = None
        self._open = False
        self._each_s = 1.0

    @property
    def worker_pid(self) -> int:
        """Return the number of the worker's process; 0 while there is none."""
        worker = self._worker
        return worker.pid if worker and worker.alive else 0

    def start(self, *, at_once: bool) -> None:
        """Begin to answer; with `at_once` the worker loads before the first request."""
        self._open = True
        self._thread = threading.Thread(target=self._run, args=(at_once,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the worker; who still waits is told to come back."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        worker = self._worker
        if worker is not None:
            worker.stop()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._drop()  # one that was made meanwhile
        while self._queue:
            _fail(self._queue.popleft(), _busy("a server that stops", retry_after_s=5))

    def submit(self, message: Message) -> "Future[Message]":
        """Queue a request; raise `BusyError` if too many wait.

        The future raises `AxillaError` for what is wrong with the request, `BusyError` if no worker
        could answer it.
        """
        with self._changed:
            if not self._open or len(self._queue) >= self._waiting:
                wait_s = max(1, math.ceil(len(self._queue) * self._each_s))
                raise _busy(f"{len(self._queue)} requests that wait", retry_after_s=min(wait_s, 60))
            job = _QueuedRequest(message)
            self._queue.append(job)
            self._changed.notify()
        return job.future

    def _run(self, at_once: bool) -> None:  # noqa: FBT001 - a thread's argument
        if at_once:
            self._wake()
        while (jobs := self._next()) is not None:
            began = time.monotonic()
            try:
                *answers, said = self._ready_worker().ask(
                    [job.message for job in jobs], timeout_s=self._timeout_s
                )
            except WorkerGone as gone:
                self._again(jobs, gone)
                continue
            self._each_s = 0.8 * self._each_s + 0.2 * (time.monotonic() - began) / len(jobs)
            for job, answer in zip(jobs, answers, strict=True):
                _settle(job, answer)
            if said.content.get("leaving"):
                self._drop()
                self._wake()

    def _wake(self) -> None:
        try:
            self._ready_worker().wait()
        except WorkerGone:
            self._drop()

    def _next(self) -> list[_QueuedRequest] | None:
        """Wait for requests and return a batch; None once the desk is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or not self._open)
            if not self._open:
                return None
            jobs: list[_QueuedRequest] = []
            size = 0
            while self._queue and len(jobs) < self._batch:
                first = self._queue[0]
                size += first.message.size
                if jobs and (first.tries or size > self._heavy_bytes):
                    break
                self._queue.popleft()
                if first.tries or first.future.set_running_or_notify_cancel():
                    jobs.append(first)
                if first.tries:
                    break
            return jobs or self._next()

    def _ready_worker(self) -> Worker:
        if self._worker is None or not self._worker.alive:
            self._drop()
            try:
                self._worker = self._make()
            except OSError as error:  # no process, no memory, no folder
                raise WorkerGone(late=False) from error
        return self._worker

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def _again(self, jobs: list[_QueuedRequest], gone: WorkerGone) -> None:
        self._drop()
        with self._changed:
            for job in reversed(jobs):
                job.tries += 1
                if job.tries < _TRIES:
                    self._queue.appendleft(job)
                    continue
                found = (
                    f"no answer within {self._timeout_s:g} s"
                    if gone.late
                    else "a request whose processing ended twice"
                )
                remedy = "Try it with smaller or fewer images."
                expected = "images that can be processed here"
                problem = Problem("images", found, expected, remedy)
                _fail(job, BusyError(problem, retry_after_s=30))


def _busy(found: str, *, retry_after_s: int) -> BusyError:
    problem = Problem("queue", found, "a place in it", "Try again a little later.")
    return BusyError(problem, retry_after_s=retry_after_s)


def _settle(job: _QueuedRequest, answer: Message) -> None:
    if not (problems := problems_in(answer)):
        job.future.set_result(answer)
    elif answer.content.get("unavailable"):
        _fail(job, BusyError(problems[0], retry_after_s=30))
    else:
        _fail(job, AxillaError(problems))


def _fail(job: _QueuedRequest, error: Exception) -> None:
    if job.future.running() or job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
