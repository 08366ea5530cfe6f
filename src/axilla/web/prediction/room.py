"""How much of uploads the server holds at once, whoever sends them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from axilla.records.errors import Problem
from axilla.web.core.http_errors import Busy


class Room:
    """A number of bytes that requests share."""

    def __init__(self, most_bytes: int) -> None:
        """Let requests hold `most_bytes` together."""
        self._free = most_bytes
        self._lock = threading.Lock()

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Hold `size` bytes for the block; raise `Busy` if there is no room for them now."""
        with self._lock:
            if size > self._free:
                remedy = "Try again a little later."
                found = "uploads of others that fill the memory"
                raise Busy(Problem("upload", found, "room for it", remedy), retry_after_s=5)
            self._free -= size
        try:
            yield
        finally:
            with self._lock:
                self._free += size
