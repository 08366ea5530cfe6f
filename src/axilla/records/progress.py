"""How long work tells how far it is, without knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Opens one bar per task; the opened context yields a function that advances it."""

    def task(self, description: str, *, total: int) -> AbstractContextManager[Advance]:
        """Show `description` while the context is open, `total` steps long."""
        ...


class Silent:
    """A listener that shows nothing; what tests and libraries pass."""

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Yield a function that does nothing."""
        del description, total
        yield lambda _steps: None


class Both:
    """Tells two listeners the same."""

    def __init__(self, one: Progress, other: Progress) -> None:
        """Forward to both, the first one first."""
        self._one, self._other = one, other

    @contextmanager
    def task(self, description: str, *, total: int) -> Iterator[Advance]:
        """Open the task with both; what advances it advances both."""
        with (
            self._one.task(description, total=total) as first,
            self._other.task(description, total=total) as second,
        ):

            def advance(steps: int) -> None:
                first(steps)
                second(steps)

            yield advance
