"""What goes between the server and its workers: JSON and bytes, never pickles."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from axilla.records.errors import Problem


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


def refused(*problems: Problem) -> Message:
    """Return the answer that something of the request is wrong."""
    return Message({"problems": [[p.place, p.found, p.expected, p.remedy] for p in problems]})


def problems_in(message: Message) -> tuple[Problem, ...]:
    """Return what an answer says is wrong; nothing, if it is a real one."""
    return tuple(Problem(*texts) for texts in message.content.get("problems", ()))
