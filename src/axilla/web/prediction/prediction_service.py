"""What answers predictions and pictures: two desks, the bundle they serve, and what was made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from axilla.web.core.settings import ServeSettings
from axilla.web.prediction.bundle_info import KnownBundle
from axilla.web.prediction.recent import Recent
from axilla.web.prediction.room import Room
from axilla.web.prediction.worker.pictures import show_for
from axilla.web.prediction.worker.worker_main import predict_for
from axilla.web.prediction.worker.worker_process import Worker, sweep
from axilla.web.prediction.worker.worker_queue import Desk

_PICTURE_S = 30.0


@dataclass(frozen=True, slots=True)
class Desks:
    """Everything that a prediction needs; `room` bounds what uploads hold together."""

    predictions: Desk
    pictures: Desk
    bundle: KnownBundle
    recent: Recent
    room: Room

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


def open_desks(settings: ServeSettings) -> Desks:
    """Make the desks of a study; nothing runs yet."""
    limits, path = settings.limits, settings.bundle_path
    legend = "" if settings.bundle else str(settings.folder.results / "heatmaps")
    return Desks(
        predictions=Desk(
            lambda: Worker(predict_for, str(path), legend),
            waiting=limits.waiting,
            batch=limits.batch,
            timeout_s=limits.prediction_s,
        ),
        pictures=Desk(
            lambda: Worker(show_for), waiting=limits.waiting, batch=1, timeout_s=_PICTURE_S
        ),
        bundle=KnownBundle(path),
        recent=Recent(),
        room=Room(limits.held_bytes),
    )
