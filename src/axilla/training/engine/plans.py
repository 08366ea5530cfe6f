"""A plan: trials that search, a choice among them, one trial on all that may be trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from axilla.records.progress import Progress
from axilla.training.engine.engine import Engine, Trial, is_finished


class Plan(Protocol):
    """Work in two rounds, of which the second depends on what the first showed."""

    @property
    def path(self) -> Path:
        """File of the result, named by everything that decides it."""
        ...

    @property
    def is_settled(self) -> bool:
        """Tell whether there is nothing to choose: the second round is known from the start."""
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


def first_round(plans: Sequence[Plan]) -> list[Trial]:
    """Return the trials of all plans without a result that need no other trial's."""
    missing = [plan for plan in plans if not is_finished(plan.path)]
    # Those on whole training sets take longest: started first, they leave no process idle.
    finals = [plan.final() for plan in missing if plan.is_settled]
    return [*finals, *(trial for plan in missing for row in plan.searched() for trial in row)]


def second_round(plans: Sequence[Plan], engine: Engine, *, label: str, progress: Progress) -> None:
    """Finish every plan whose first round is finished, and write its result."""
    missing = [plan for plan in plans if not is_finished(plan.path)]
    engine.finish([plan.final() for plan in missing], label, progress=progress)
    for plan in missing:
        plan.assemble()


def carry_out(plans: Sequence[Plan], engine: Engine, *, label: str, progress: Progress) -> None:
    """Finish every plan that has no result yet."""
    engine.finish(first_round(plans), label, progress=progress)
    second_round(plans, engine, label="Training chosen networks", progress=progress)
