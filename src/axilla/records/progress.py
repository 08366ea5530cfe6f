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
