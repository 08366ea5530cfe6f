"""Finish independent trials, here, in processes of this machine or on a cluster.

A trial is plain data with a content-addressed file; whoever runs it, however often the study was
stopped, the file holds the same bytes' worth of numbers.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import torch

from axilla.records.progress import Progress
from axilla.training.engine.cache_files import is_sealed


class Trial(Protocol):
    """A unit of work that writes its result to `path`, whole or not at all."""

    @property
    def path(self) -> Path:
        """File of the result below `cache`, named by everything that decides it."""
        ...

    @property
    def cache(self) -> Path:
        """Folder under which all files of the trial lie."""
        ...

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files below `cache` that the trial reads."""
        ...

    def run(self, device: torch.device) -> None:
        """Do the work and write the result."""
        ...


class Workers(Protocol):
    """Those who run trials; how many, and where, never changes a number."""

    def run(self, trials: Sequence[Trial], device: torch.device) -> Iterator[Trial]:
        """Run all trials, and yield each as soon as its result lies at its path."""
        ...


class Engine:
    """Finishes trials on `device`, with `workers` or without any, here and one after another."""

    def __init__(self, device: torch.device, workers: Workers | None) -> None:
        """Hold where trials run."""
        self.device = device
        self._workers = workers or _Here()

    def finish(self, trials: Sequence[Trial], label: str, *, progress: Progress) -> None:
        """Run every trial that has no whole result yet."""
        missing = [trial for trial in trials if not is_finished(trial.path)]
        if not missing:
            return
        with progress.task(label, total=len(missing)) as advance:
            for _ in self._workers.run(missing, self.device):
                advance(1)


class _Here:
    def run(self, trials: Sequence[Trial], device: torch.device) -> Iterator[Trial]:
        for trial in trials:
            trial.run(device)
            yield trial


def is_finished(path: Path) -> bool:
    """Tell whether a whole result lies there; a damaged one is computed again."""
    return is_sealed(path)
