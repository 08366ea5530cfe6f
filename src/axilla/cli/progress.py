"""Progress bars with time left, on a terminal; silence elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from axilla.records.progress import Advance


class Bars:
    """Shows each task of a study as a bar with the time left, on standard error."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, which keeps finished bars as a log of what took how long."""
        self._console = console

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Show one bar while the context is open."""
        columns = (
            TextColumn("{task.description:<40}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self._console) as bars:
            task = bars.add_task(description, total=total)
            yield lambda steps: bars.advance(task, steps)
