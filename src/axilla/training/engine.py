"""Finish independent trials: on CPU in one-thread processes, on a GPU one after another.

A trial is plain data with a content-addressed file; whoever runs it, however often the study was
stopped, the file holds the same bytes' worth of numbers.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open

from axilla.models.allocator import keep_freed_memory
from axilla.records.progress import Progress


class Trial(Protocol):
    """A unit of work that writes its result to `path`, whole or not at all."""

    @property
    def path(self) -> Path:
        """File of the result, named by everything that decides it."""
        ...

    def run(self, device: torch.device) -> None:
        """Do the work and write the result."""
        ...


class Engine:
    """Runs trials on this machine; `jobs` processes never change a number."""

    def __init__(self, device: torch.device, pool: ProcessPoolExecutor | None) -> None:
        """Hold where trials run: in `pool`, or without one here on `device`."""
        self.device = device
        self._pool = pool

    def finish(self, trials: Sequence[Trial], label: str, *, progress: Progress) -> None:
        """Run every trial that has no readable result yet."""
        missing = [trial for trial in trials if not is_finished(trial.path)]
        if not missing:
            return
        with progress.task(label, total=len(missing)) as advance:
            if self._pool is None:
                for trial in missing:
                    trial.run(self.device)
                    advance(1)
                return
            running = [self._pool.submit(trial.run, self.device) for trial in missing]
            for finished in as_completed(running):
                finished.result()
                advance(1)


@contextmanager
def local_engine(device: torch.device, *, jobs: int) -> Iterator[Engine]:
    """Open an engine for this machine.

    On CPU trials get one thread each: small networks and heads gain more from processes than from
    threads, and sums have the same order whatever the number of jobs.
    """
    if device.type != "cpu":
        yield Engine(device, None)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_start_worker)
    try:
        yield Engine(device, pool)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def is_finished(path: Path) -> bool:
    """Tell whether a whole result lies there; a damaged one is computed again."""
    try:
        with safe_open(path, framework="pt") as content:
            return bool(content.metadata())
    except (OSError, SafetensorError):
        return False


def _context() -> BaseContext:
    """Return how to start workers: forked from a server that imported torch once, if possible."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["axilla.training.trials"])
    return context


def _start_worker() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
