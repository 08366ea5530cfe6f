"""Main functions of the worker processes."""

from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from axilla.web.core.file_stamps import Stamp, stamp_of
from axilla.web.prediction.worker.worker_loop import serve_batches, stand_back
from axilla.web.prediction.worker.worker_process import Message

if TYPE_CHECKING:
    from axilla.web.prediction.worker.bundle_runtime import BundleRuntime


MORE_BYTES: Final = 6 << 30
PREVIEW_BYTES: Final = 3 << 30


def predict_for(connection: Connection, folder: str, bundle: str, legend: str) -> None:
    """Answer cases with a bundle until the server is gone; `legend` is a study's heatmaps folder.

    A bundle that is exchanged on disk is read again before the next batch.
    """
    stand_back()
    with closing(connection):
        desk = _Bundle(Path(bundle), Path(legend) if legend else None, Path(folder))
        desk.current()
        serve_batches(connection, Path(folder), desk.answer, more_bytes=MORE_BYTES)


class _Bundle:
    """The bundle on disk, and its networks in memory."""

    def __init__(self, path: Path, legend: Path | None, folder: Path) -> None:
        self._path, self._legend, self._folder = path, legend, folder
        self._stamp: Stamp | None = None
        self._loaded: BundleRuntime | Message | None = None

    def current(self) -> "BundleRuntime | Message":
        """Return the networks of the file as it is now, or why there are none."""
        from axilla.web.prediction.worker.bundle_runtime import load  # noqa: PLC0415 - torch

        stamp = stamp_of((self._path,))
        if self._loaded is None or stamp != self._stamp:
            self._loaded = load(self._path, self._legend)
            self._stamp = stamp
        return self._loaded

    def answer(self, batch: Sequence[Message]) -> list[Message]:
        loaded = self.current()
        if isinstance(loaded, Message):
            return [loaded] * len(batch)
        return loaded.answer(batch, self._folder)


def show_for(connection: Connection, folder: str) -> None:
    """Answer pictures until the server is gone."""
    stand_back()
    from axilla.web.prediction.worker.image_preview import PreviewDecoder  # noqa: PLC0415 - the readers are slow

    with closing(connection):
        desk = PreviewDecoder(Path(folder))
        serve_batches(connection, Path(folder), desk.answer, more_bytes=PREVIEW_BYTES)
