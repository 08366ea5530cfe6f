"""One line about a running task: as a bar of a terminal, or as text of a log."""

from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

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
        return f"{task.description} ..." if task.total is None else _counted(task)
    parts = [f"{duration(seconds)} so far"]
    if (left := task.seconds_left(now)) is not None:
        parts.append(f"about {duration(left)} left")
    start = f"{task.description}: " if task.total is None else f"{_counted(task)}, "
    return start + ", ".join(parts)


def last_log_line(task: RunningTask, *, now: float) -> str | None:
    """Return what a log says of a finished task; None of one that took two seconds or less."""
    if task.seconds(now) <= SHORTEST_S:
        return None
    end = f"in {duration(task.seconds(now))}"
    return f"{task.description}: done {end}" if task.total is None else f"{_counted(task)} {end}"


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
        return Text(f"{_fitted(task.description, max(room, 0))}{_GAP}{numbers}"[: max(width, 0)])
    return Text.assemble(
        set_cell_size(task.description, name),
        _GAP,
        *_drawn(task, bar, now=now, finished=finished, ascii_only=ascii_only),
        _GAP,
        numbers,
    )


def _counted(task: RunningTask) -> str:
    return f"{task.description}: {task.done:,} of {task.total:,}"


def _numbers(task: RunningTask, *, now: float, finished: bool) -> str:
    elapsed = f"{duration(task.seconds(now)):>7}"
    left = task.seconds_left(now)
    rest = "" if finished or left is None else f"{_GAP}{duration(left)} left"
    count = "" if task.total is None else f"{task.done}/{task.total}"
    return f"{count:>9}{elapsed}{rest:<15}"


def _drawn(
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


def _fitted(text: str, width: int) -> str:
    """Return a text of exactly `width` cells, cut with an ellipsis if it is longer."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return f"{set_cell_size(text, max(width - 3, 0))}..."[: max(width, 0)]
