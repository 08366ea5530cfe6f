"""The inside of a worker process: read requests from the pipe, answer, never outlive the server."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from axilla.records.errors import Problem
from axilla.web.prediction.worker.worker_process import Message, receive, refusal_message, send

Answer = Callable[[Sequence[Message]], list[Message]]

_STATM_RESIDENT: Final = 1


def serve_batches(connection: Connection, folder: Path, answer: Answer, *, more_bytes: int) -> None:
    """Answer batches until the server is gone; use at most `more_bytes` more than now.

    After an answer that left the process large it says that it is leaving, so that the server
    starts another.
    """
    base = _resident_bytes()
    _bound(more_bytes)
    send(connection, [Message({"ready": True})])
    try:
        while True:
            answers = answer(receive(connection))
            leaving = _resident_bytes() > base + more_bytes // 2
            send(connection, [*answers, Message({"leaving": leaving})])
    except (EOFError, OSError):
        return  # the server is gone
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stand_back() -> None:
    """Leave Ctrl+C to the server, which ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def too_large(place: str) -> Message:
    """Return the answer to a request for which the memory does not suffice."""
    expected = "images that fit into memory"
    remedy = "Export the region that was diagnosed, or a smaller copy."
    return refusal_message(Problem(place, "more than this process may hold", expected, remedy))


def _bound(more_bytes: int) -> None:
    """Let the system refuse memory, so that no upload takes the machine from the others."""
    if not sys.platform.startswith("linux"):
        return
    import resource  # noqa: PLC0415 - only where it is

    limit = _pages(0) + more_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _resident_bytes() -> int:
    return _pages(_STATM_RESIDENT) if sys.platform.startswith("linux") else 0


def _pages(place: int) -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[place]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
