"""A worker process as the server sees it, and the messages between them."""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from axilla.records.errors import Problem

Target = Callable[..., None]
_PREFIX: Final = "axilla-"
_START_S: Final = 120.0
_MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@dataclass(frozen=True, slots=True)
class Message:
    """JSON content, and the bytes of files that it counts from 0."""

    content: dict[str, Any]
    blobs: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Return the bytes of its files."""
        return sum(map(len, self.blobs))


def send(connection: Connection, messages: Sequence[Message]) -> None:
    """Send messages; `receive` at the other end returns them."""
    heads = [{"content": one.content, "blobs": len(one.blobs)} for one in messages]
    connection.send_bytes(json.dumps(heads).encode())
    for one in messages:
        for blob in one.blobs:
            connection.send_bytes(blob)


def receive(connection: Connection) -> list[Message]:
    """Return what was sent; raise `EOFError` or `OSError` if nobody is there any more."""
    heads = json.loads(connection.recv_bytes())
    return [
        Message(head["content"], tuple(connection.recv_bytes() for _ in range(head["blobs"])))
        for head in heads
    ]


def refusal_message(*problems: Problem) -> Message:
    """Return the answer that something of the request is wrong."""
    return Message({"problems": [[p.place, p.found, p.expected, p.remedy] for p in problems]})


def problems_in(message: Message) -> tuple[Problem, ...]:
    """Return what an answer says is wrong; nothing, if it is a real one."""
    return tuple(Problem(*texts) for texts in message.content.get("problems", ()))


class WorkerGone(Exception):  # noqa: N818 - reads as what it is
    """The process ended, or was ended because it took too long (`late`)."""

    def __init__(self, *, late: bool) -> None:
        self.late = late
        super().__init__("late" if late else "ended")


class Worker:
    """A process that runs `target(connection, folder, *arguments)`, and the pipe to it.

    `folder` is the process's own, private and in memory where the system has that; it is removed
    with the process.
    """

    def __init__(self, target: Target, *arguments: str) -> None:
        """Start the process; it is asked once it says that it is ready."""
        prefix = f"{_PREFIX}{os.getpid()}-"
        self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_in_memory()))
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._connection = ours
        self._process = context.Process(
            target=target, args=(theirs, str(self._folder), *arguments), daemon=True
        )
        self._process.start()
        theirs.close()
        self._ready = False
        self._stopping = threading.Lock()

    @property
    def pid(self) -> int:
        """Return the process's number."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.is_alive()

    def wait(self) -> None:
        """Wait until the process is ready; raise `WorkerGone`."""
        if not self._ready:
            self._within(_START_S, lambda: receive(self._connection))
            self._ready = True

    def ask(self, batch: Sequence[Message], *, timeout_s: float) -> list[Message]:
        """Return the answers to a batch and, last, what the worker says of itself.

        Raises `WorkerGone`.
        """
        self.wait()

        def exchange() -> list[Message]:
            send(self._connection, batch)
            return receive(self._connection)

        return self._within(timeout_s, exchange)

    def stop(self) -> None:
        """End the process at once; it may be called again, and from several threads."""
        with self._stopping:
            self._process.kill()
            self._process.join()
            if not self._connection.closed:
                self._connection.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _within(self, seconds: float, work: Callable[[], list[Message]]) -> list[Message]:
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            return work()
        except (EOFError, OSError) as error:
            raise WorkerGone(late=late.is_set()) from error
        finally:
            timer.cancel()


def sweep() -> None:
    """Remove the folders of workers whose server was killed before it could."""
    for folder in Path(_in_memory() or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not _runs(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _in_memory() -> str | None:
    return str(_MEMORY_FOLDER) if _MEMORY_FOLDER.is_dir() else None
