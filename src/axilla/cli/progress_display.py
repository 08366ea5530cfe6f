"""Progress on the terminal as bars, and as lines in a log."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, RLock, Thread
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.text import Text

from axilla.records.progress import Advance

SHORTEST_S: Final = 2.0
"""A task that takes no longer leaves no line in a log."""
INTERVAL_S: Final = 10.0
"""Seconds between two lines of a task in a log."""

_FRAMES, _PLAIN_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
_FRAMES_PER_SECOND = 8
_BAR, _PLAIN_BAR = ("━", "─"), ("#", ".")
_SHORTEST_BAR, _LONGEST_BAR = 8, 30
_NAME_WIDTH, _WIDEST = 46, 110
_GAP = "  "
_MINUTE_S, _HOUR_S = 60, 3600
_TICK_S: Final = 0.5
_REFRESHES_PER_SECOND: Final = 8


@dataclass(slots=True)
class RunningTask:
    """A task while it runs; `total` is None of one that counts no steps. Times are of one clock."""

    description: str
    total: int | None
    began: float
    done: int = 0
    quiet_s: float = SHORTEST_S
    """Until the task is this old it writes nothing into a log."""

    def seconds(self, now: float) -> float:
        """Return how long the task has taken."""
        return now - self.began

    def seconds_left(self, now: float) -> float | None:
        """Return how long it will take at the pace so far; None where no step is done."""
        if self.total is None or not self.done:
            return None
        return self.seconds(now) * max(self.total - self.done, 0) / self.done

    def rest(self, now: float) -> None:
        """Write nothing for two seconds: another task inside this one has just ended."""
        self.quiet_s = max(self.quiet_s, self.seconds(now) + SHORTEST_S)


def duration(seconds: float) -> str:
    """Return seconds as 0:07, 12:30 or 1:02:03."""
    whole = int(seconds)
    minutes = f"{whole // _MINUTE_S % _MINUTE_S}:{whole % _MINUTE_S:02}"
    return minutes if whole < _HOUR_S else f"{whole // _HOUR_S}:{minutes:0>5}"


def format_rough_duration(seconds: float) -> str:
    """Format seconds as about 40 seconds, about 3 minutes or about 2.5 hours."""
    if seconds < 1.5 * _MINUTE_S:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 1.5 * _HOUR_S:
        return f"about {seconds / _MINUTE_S:.0f} minutes"
    return f"about {seconds / _HOUR_S:.1f} hours"


def log_line(task: RunningTask, *, now: float) -> str | None:
    """Return the line that a log is due at `now`, None if it is too early for one.

    A task that is two seconds old gets its first, and one more every ten seconds.
    """
    seconds = task.seconds(now)
    if seconds < task.quiet_s:
        return None
    task.quiet_s = INTERVAL_S * (seconds // INTERVAL_S + 1)
    if seconds < INTERVAL_S:
        return f"{task.description} ..." if task.total is None else _format_count(task)
    parts = [f"{duration(seconds)} so far"]
    if (left := task.seconds_left(now)) is not None:
        parts.append(f"about {duration(left)} left")
    start = f"{task.description}: " if task.total is None else f"{_format_count(task)}, "
    return start + ", ".join(parts)


def last_log_line(task: RunningTask, *, now: float) -> str | None:
    """Return what a log says of a finished task; None of one that took two seconds or less."""
    if task.seconds(now) <= SHORTEST_S:
        return None
    end = f"in {duration(task.seconds(now))}"
    return (
        f"{task.description}: done {end}" if task.total is None else f"{_format_count(task)} {end}"
    )


def bar_line(
    task: RunningTask, *, now: float, width: int, finished: bool = False, ascii_only: bool = False
) -> Text:
    """Return a terminal's line of at most `width` cells: name, bar or spinner, count and times.

    Counts and times stand in the same column whatever the name, and are never cut: a name that is
    too long takes the place of the bar, and is cut only then.
    """
    numbers = _numbers(task, now=now, finished=finished)
    room = min(width, _WIDEST) - cell_len(numbers) - len(_GAP)
    bar = min(max(room - len(_GAP) - _NAME_WIDTH, _SHORTEST_BAR), _LONGEST_BAR)
    name = room - len(_GAP) - bar
    if cell_len(task.description) > name:
        return Text(f"{_fit_width(task.description, max(room, 0))}{_GAP}{numbers}"[: max(width, 0)])
    return Text.assemble(
        set_cell_size(task.description, name),
        _GAP,
        *_draw_bar(task, bar, now=now, finished=finished, ascii_only=ascii_only),
        _GAP,
        numbers,
    )


def _format_count(task: RunningTask) -> str:
    return f"{task.description}: {task.done:,} of {task.total:,}"


def _numbers(task: RunningTask, *, now: float, finished: bool) -> str:
    elapsed = f"{duration(task.seconds(now)):>7}"
    left = task.seconds_left(now)
    rest = "" if finished or left is None else f"{_GAP}{duration(left)} left"
    count = "" if task.total is None else f"{task.done}/{task.total}"
    return f"{count:>9}{elapsed}{rest:<15}"


def _draw_bar(
    task: RunningTask, width: int, *, now: float, finished: bool, ascii_only: bool
) -> list[tuple[str, str]]:
    """Return the bar in two colours; of a task without steps its spinner, or nothing."""
    if task.total is None:
        frames = _PLAIN_FRAMES if ascii_only else _FRAMES
        frame = " " if finished else frames[int(now * _FRAMES_PER_SECOND) % len(frames)]
        return [(f"{frame:<{width}}", "cyan")]
    full, empty = _PLAIN_BAR if ascii_only else _BAR
    filled = width * min(task.done, task.total) // task.total if task.total else width
    return [
        (full * filled, "green" if finished else "cyan"),
        (empty * (width - filled), "bright_black"),
    ]


def _fit_width(text: str, width: int) -> str:
    """Return a text of exactly `width` cells, cut with an ellipsis if it is longer."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return f"{set_cell_size(text, max(width - 3, 0))}..."[: max(width, 0)]


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
            with self._display(), self._push(description, total) as task:
                yield task
        else:
            with self._push(description, total) as task:
                yield task

    @contextmanager
    def _push(self, description: str, total: int | None) -> Iterator[RunningTask]:
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
    def _display(self) -> Iterator[None]:
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
