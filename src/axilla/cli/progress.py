"""What runs, how far it is and how long it takes: a bar on a terminal, lines in a log."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from axilla.cli.progress_display import SHORTEST_S, RunningTask, bar_line, last_log_line, log_line
from axilla.records.progress import Advance

_TICK_S: Final = 0.5
_REFRESHES_PER_SECOND: Final = 8


class ConsoleProgress:
    """Shows tasks one at a time on standard error; of tasks inside each other the innermost.

    A terminal shows a line that changes and keeps it when the task is done. Anything else (a log
    file, nohup, CI) gets plain lines: one when a task is two seconds old, one every ten seconds,
    one at its end.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to `console`, which is looked at anew by each outermost task."""
        self._console = console
        self._clock = clock
        self._lock = RLock()
        self._tasks: list[RunningTask] = []
        self._live: Live | None = None

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Show a task of `total` steps while the context is open."""
        with self._running(description, total) as task:

            def advance(steps: int) -> None:
                with self._lock:
                    task.done += steps

            yield advance

    @contextmanager
    def activity(self, description: str) -> Iterator[None]:
        """Show work that counts no steps while the context is open, between tasks inside it."""
        with self._running(description, None):
            yield

    def tick(self) -> None:
        """Write the line that a log is due by now, if any."""
        with self._lock:
            line = log_line(self._tasks[-1], now=self._clock()) if self._tasks else None
        if line is not None:
            self._write(line)

    @contextmanager
    def _running(self, description: str, total: int | None) -> Iterator[RunningTask]:
        if not self._tasks:
            with self._shown(), self._pushed(description, total) as task:
                yield task
        else:
            with self._pushed(description, total) as task:
                yield task

    @contextmanager
    def _pushed(self, description: str, total: int | None) -> Iterator[RunningTask]:
        task = RunningTask(description, total, self._clock())
        with self._lock:
            self._tasks.append(task)
        finished = False
        try:
            yield task
            finished = True
        finally:
            with self._lock:
                self._tasks.remove(task)
                if self._tasks:
                    self._tasks[-1].rest(self._clock())
            if finished:
                self._keep(task)

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Show what runs while the context is open: in place, or line by line."""
        if _is_terminal(self._console):
            self._live = Live(
                console=self._console,
                get_renderable=self._line,
                refresh_per_second=_REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            try:
                with self._live:
                    yield
            finally:
                self._live = None
            return
        stop = Event()
        ticker = Thread(target=self._tick_until, args=(stop,), name="progress lines", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()

    def _tick_until(self, stop: Event) -> None:
        while not stop.wait(_TICK_S):
            self.tick()

    def _line(self) -> Text:
        with self._lock:
            return self._bar(self._tasks[-1]) if self._tasks else Text()

    def _bar(self, task: RunningTask, *, finished: bool = False) -> Text:
        return bar_line(
            task,
            now=self._clock(),
            width=self._console.width - 1,
            finished=finished,
            ascii_only=self._console.options.ascii_only,
        )

    def _keep(self, task: RunningTask) -> None:
        """Leave a line about a finished task: what took how long."""
        now = self._clock()
        if self._live is None:
            if (line := last_log_line(task, now=now)) is not None:
                self._write(line)
        elif task.total is not None or task.seconds(now) > SHORTEST_S:
            self._console.print(self._bar(task, finished=True))

    def _write(self, line: str) -> None:
        print(line, file=self._console.file, flush=True)


def _is_terminal(console: Console) -> bool:
    """Tell whether lines can change in place; rich's own answer is yes wherever colour is asked."""
    return console.file.isatty() and os.environ.get("TERM") != "dumb"
