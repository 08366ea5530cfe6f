"""Waiting for a desk's answer, also while the server stops."""

import asyncio
from concurrent.futures import Future

from axilla.records.errors import Problem
from axilla.web.core.http_errors import Busy
from axilla.web.prediction.worker.messages import Message


async def answered(future: Future[Message]) -> Message:
    """Return the answer; raise what the desk raises, and `Busy` if the server stops first."""
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError as error:
        problem = Problem("server", "one that stops", "an answer", "Try again a little later.")
        raise Busy(problem, retry_after_s=5) from error
