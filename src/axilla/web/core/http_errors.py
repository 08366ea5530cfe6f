"""Why a request is not done: each says what was found, what was expected and what to do."""

from collections.abc import Mapping
from typing import Any

from axilla.records.errors import Problem


class HttpError(Exception):
    """A request that is not done; `status` is HTTP's, `more` goes into the answer's JSON."""

    status = 400

    def __init__(
        self,
        problem: Problem,
        *,
        more: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.problem = problem
        self.more = dict(more or {})
        self.retry_after_s = retry_after_s
        super().__init__(str(problem))


class NotSignedInError(HttpError):
    """Nobody is signed in, or the session or token has ended."""

    status = 401


class NotAllowedError(HttpError):
    """The person's roles do not include this."""

    status = 403


class NotFoundError(HttpError):
    """There is no such thing, or it is not this person's to see."""

    status = 404


class ConflictError(HttpError):
    """Somebody else changed it meanwhile; `more` holds both versions."""

    status = 409


class TooLargeError(HttpError):
    """A body above the limit."""

    status = 413


class InvalidError(HttpError):
    """Values that cannot be."""

    status = 422


class TooManyError(HttpError):
    """Too many attempts; come back after `retry_after_s`."""

    status = 429


class BusyError(HttpError):
    """The queue is full, or what answers is not there now; come back after `retry_after_s`."""

    status = 503
