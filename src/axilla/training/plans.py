"""A plan: trials that search, a choice among them, one trial on all that may be trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from axilla.records.progress import Progress
from axilla.training.engine import Engine, Trial, is_finished


class Plan(Protocol):
    """Work in two rounds, of which the second depends on what the first showed."""

    @property
    def path(self) -> Path:
        """File of the result, named by everything that decides it."""
        ...

    def searched(self) -> Sequence[Sequence[Trial]]:
        """Return the trials of the first round: per grid point, one per inner split."""
        ...

    def final(self) -> Trial:
        """Return the trial of the second round, once those of the first are finished."""
        ...

    def assemble(self) -> None:
        """Write the result from the finished trials."""
        ...


def carry_out(
    plans: Sequence[Plan],
    engine: Engine,
    *,
    label: str,
    progress: Progress,
    beside: Sequence[Trial] = (),
) -> None:
    """Finish every plan that has no result yet, and beside its first round some other trials."""
    missing = [plan for plan in plans if not is_finished(plan.path)]
    search = [trial for plan in missing for row in plan.searched() for trial in row]
    # Networks take longest: started first, they leave no process idle at the end.
    engine.finish([*search, *beside], label, progress=progress)
    engine.finish([plan.final() for plan in missing], "Training chosen networks", progress=progress)
    for plan in missing:
        plan.assemble()
