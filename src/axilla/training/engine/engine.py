"""Trials and trial plans, and how they are finished.

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


class TrialPlan(Protocol):
    """Work in two rounds, of which the second depends on what the first showed."""

    @property
    def path(self) -> Path:
        """File of the result, named by everything that decides it."""
        ...

    @property
    def is_settled(self) -> bool:
        """Tell whether there is nothing to choose: the second round is known from the start."""
        ...

    def search_trials(self) -> Sequence[Sequence[Trial]]:
        """Return the trials of the first round: per grid point, one per inner split."""
        ...

    def final(self) -> Trial:
        """Return the trial of the second round, once those of the first are finished."""
        ...

    def assemble(self) -> None:
        """Write the result from the finished trials."""
        ...


def first_round(plans: Sequence[TrialPlan]) -> list[Trial]:
    """Return the trials of all plans without a result that need no other trial's."""
    missing = [plan for plan in plans if not is_finished(plan.path)]
    # Those on whole training sets take longest: started first, they leave no process idle.
    finals = [plan.final() for plan in missing if plan.is_settled]
    return [*finals, *(trial for plan in missing for row in plan.search_trials() for trial in row)]


def second_round(
    plans: Sequence[TrialPlan], engine: Engine, *, label: str, progress: Progress
) -> None:
    """Finish every plan whose first round is finished, and write its result."""
    missing = [plan for plan in plans if not is_finished(plan.path)]
    engine.finish([plan.final() for plan in missing], label, progress=progress)
    for plan in missing:
        plan.assemble()


def carry_out(
    plans: Sequence[TrialPlan], engine: Engine, *, label: str, progress: Progress
) -> None:
    """Finish every plan that has no result yet."""
    engine.finish(first_round(plans), label, progress=progress)
    second_round(plans, engine, label="Training chosen networks", progress=progress)
