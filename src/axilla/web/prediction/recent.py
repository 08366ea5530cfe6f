"""The predictions made last, so that the server itself knows what somebody saves."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from axilla.records.errors import Problem
from axilla.web.core.http_errors import NotFound
from axilla.web.prediction.worker.messages import Message

_MOST: Final = 128
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """A prediction that was made for somebody, and when (seconds since 1970)."""

    user_id: int
    at: float
    message: Message


class Recent:
    """Keeps the last predictions in memory, 128 of them and 64 MiB at most."""

    def __init__(self) -> None:
        """Start with none."""
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def keep(self, made: Made) -> str:
        """Keep a prediction, and return the key that its maker can save it by."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = made
            self._size += made.message.size
            while len(self._kept) > _MOST or self._size > _MOST_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._size -= oldest.message.size
        return key

    def made(self, key: str, *, user_id: int) -> Made:
        """Return a prediction to who made it; raise `NotFound`."""
        with self._lock:
            found = self._kept.get(key)
        if found is None or found.user_id != user_id:
            remedy = "Predict again, and save it then."
            raise NotFound(
                Problem("prediction", "none that is still known", "one of yours", remedy)
            )
        return found
