"""The process that decodes uploads for display; a bomb or a crash ends it and nothing else."""

from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from axilla.web.prediction.worker.worker_loop import serve_batches, stand_back

MORE_BYTES: Final = 3 << 30


def show_for(connection: Connection, folder: str) -> None:
    """Answer pictures until the server is gone."""
    stand_back()
    from axilla.web.prediction.worker.image_preview import Pictures  # noqa: PLC0415 - the readers are slow

    with closing(connection):
        desk = Pictures(Path(folder))
        serve_batches(connection, Path(folder), desk.answer, more_bytes=MORE_BYTES)
