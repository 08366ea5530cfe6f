"""Prediction service: worker queues, the bundle, recent predictions, upload budget."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from axilla.records.errors import Problem
from axilla.web.core.http_errors import BusyError, NotFoundError
from axilla.web.core.settings import ServeSettings
from axilla.web.prediction.bundle_info import KnownBundle
from axilla.web.prediction.worker.worker_main import predict_for, show_for
from axilla.web.prediction.worker.worker_process import Message, Worker, sweep
from axilla.web.prediction.worker.worker_queue import WorkerQueue

_MOST: Final = 128
_MOST_BYTES: Final = 64 << 20
_PICTURE_S = 30.0


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

    def find(self, key: str, *, user_id: int) -> Made:
        """Return a prediction to who made it; raise `NotFoundError`."""
        with self._lock:
            found = self._kept.get(key)
        if found is None or found.user_id != user_id:
            remedy = "Predict again, and save it then."
            raise NotFoundError(
                Problem("prediction", "none that is still known", "one of yours", remedy)
            )
        return found


class UploadBudget:
    """A number of bytes that requests share."""

    def __init__(self, most_bytes: int) -> None:
        """Let requests hold `most_bytes` together."""
        self._free = most_bytes
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Hold `size` bytes for the block; raise `BusyError` if there is no room for them now."""
        with self._lock:
            if size > self._free:
                remedy = "Try again a little later."
                found = "uploads of others that fill the memory"
                raise BusyError(Problem("upload", found, "room for it", remedy), retry_after_s=5)
            self._free -= size
        try:
            yield
        finally:
            with self._lock:
                self._free += size


@dataclass(frozen=True, slots=True)
class PredictionService:
    """Everything that a prediction needs; `room` bounds what uploads hold together."""

    predictions: WorkerQueue
    pictures: WorkerQueue
    bundle: KnownBundle
    recent: Recent
    room: UploadBudget

    @contextmanager
    def running(self, *, at_once: bool) -> Iterator[None]:
        """Answer while the block runs; with `at_once` the bundle is loaded right away."""
        sweep()
        self.predictions.start(at_once=at_once)
        self.pictures.start(at_once=False)
        try:
            yield
        finally:
            self.predictions.stop()
            self.pictures.stop()


def open_desks(settings: ServeSettings) -> PredictionService:
    """Make the desks of a study; nothing runs yet."""
    limits, path = settings.limits, settings.bundle_path
    legend = "" if settings.bundle else str(settings.folder.results / "heatmaps")
    return PredictionService(
        predictions=WorkerQueue(
            lambda: Worker(predict_for, str(path), legend),
            waiting=limits.waiting,
            batch=limits.batch,
            timeout_s=limits.prediction_s,
        ),
        pictures=WorkerQueue(
            lambda: Worker(show_for), waiting=limits.waiting, batch=1, timeout_s=_PICTURE_S
        ),
        bundle=KnownBundle(path),
        recent=Recent(),
        room=UploadBudget(limits.held_bytes),
    )
