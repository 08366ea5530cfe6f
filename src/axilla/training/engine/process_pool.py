"""Trials on the processors of this machine: one-thread processes, a trial at a time in each."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import torch

from axilla.models.allocator import keep_freed_memory
from axilla.records.errors import Problem, StudyError
from axilla.training.engine.engine import Trial
from axilla.training.engine.processes import get_process_context, start_server


class LocalWorkers:
    """Processes of this machine."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        """Hold the pool that trials are handed to."""
        self._pool = pool

    def run(self, trials: Sequence[Trial], device: torch.device) -> Iterator[Trial]:
        """Yield trials as they finish; raise `StudyError` if a process was killed."""
        try:
            running = {self._pool.submit(trial.run, device): trial for trial in trials}
            for finished in as_completed(running):
                finished.result()
                yield running[finished]
        except BrokenProcessPool as error:
            raise StudyError(
                Problem(
                    "training",
                    "a process that was killed from outside, as happens when memory runs out",
                    "processes that end by themselves",
                    "Finished trials are kept: run again, with `--jobs 1` or more memory.",
                )
            ) from error


@contextmanager
def local_workers(*, jobs: int) -> Iterator[LocalWorkers]:
    """Start `jobs` processes, on demand, and end them when the block ends."""
    with local_pool(jobs=jobs) as pool:
        yield LocalWorkers(pool)


@contextmanager
def local_pool(*, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of `jobs` processes, started on demand, and end them when the block ends.

    Each has one thread: small networks and heads gain more from processes than from threads, and
    sums have the same order whatever the number of jobs.
    """
    start_server()
    pool = ProcessPoolExecutor(jobs, mp_context=get_process_context(), initializer=start_worker)
    finished = False
    try:
        yield pool
        finished = True
    finally:
        pool.shutdown(wait=finished, cancel_futures=not finished)


def start_worker() -> None:
    """Prepare a process for trials: one thread, an allocator that keeps memory, Ctrl+C ends it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    keep_freed_memory()
