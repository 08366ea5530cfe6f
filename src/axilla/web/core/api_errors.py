"""How the API says no, and who asks it."""

import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from axilla.records.errors import AxillaError, Problem
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core.http_errors import HttpError
from axilla.web.core.i18n import language_of, translate_problem
from axilla.web.state import AppState

_log = logging.getLogger(__name__)
_DATABASE_RETRY_S = 10
_MEANINGS = {
    401: "Nobody is signed in, or the token has ended.",
    403: "The person's roles do not include this.",
    404: "There is no such thing, or it is not yours to see.",
    409: "Somebody else changed it meanwhile: both versions are in the answer.",
    413: "The body is too large.",
    422: "A value cannot be.",
    429: "Too many attempts; see Retry-After.",
    503: "The queue is full; see Retry-After.",
}
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""The number of a row: what PostgreSQL counts with."""


class Told(BaseModel):
    """One thing that is wrong: where, what was found, what was expected, what to do.

    `said` is all of it in the language of the request, for people.
    """

    place: str
    found: str
    expected: str = ""
    remedy: str = ""
    said: str = ""


class ErrorAnswer(BaseModel):
    """Why a request was not done."""

    detail: Told
    problems: list[Told] = []


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers that a path may give besides its own, for OpenAPI."""
    always = (401, 403, 413, 422)
    return {
        status: {"model": ErrorAnswer, "description": _MEANINGS[status]}
        for status in sorted({*always, *statuses})
    }


def web_of(request: Request) -> AppState:
    """Return the application's parts."""
    web: AppState = request.app.state.web
    return web


def require_permission(*permissions: Permission) -> Callable[[Request], Actor]:
    """Return a dependency: who asks, if they may do one of these; with none, anybody signed in."""

    def dependency(request: Request) -> Actor:
        actor = web_of(request).actor(request)
        if permissions:
            actor.require(*permissions)
        return actor

    return dependency


WebPart = Annotated[AppState, Depends(web_of)]
SignedIn = Annotated[Actor, Depends(require_permission())]


def problem_json(problem: Problem, language: str) -> dict[str, str]:
    """Return a problem as the API's JSON has it, said in a language."""
    return {
        "place": problem.place,
        "found": problem.found,
        "expected": problem.expected,
        "remedy": problem.remedy,
        "said": translate_problem(problem, language),
    }


def install_answers(app: FastAPI) -> None:
    """Turn what a user can cause into one readable answer and its status."""
    app.add_exception_handler(HttpError, _answer_http_error)
    app.add_exception_handler(AxillaError, _faulty)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _of_http)
    for away in (DBAPIError, ConnectionError):
        app.add_exception_handler(away, _database_away)


def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HttpError):
        raise error
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if error.status == 401:  # noqa: PLR2004 - RFC 9110 wants the challenge
        headers["WWW-Authenticate"] = "Bearer"
    content = {"detail": problem_json(error.problem, language_of(request)), **error.more}
    return JSONResponse(content, status_code=error.status, headers=headers)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    """Say in the API's shape what the framework refuses: no such path, another method."""
    if not isinstance(error, HTTPException):
        raise error
    found = HTTPStatus(error.status_code).phrase.casefold()
    problem = Problem("request", found, "a path and method of the API")
    content = {"detail": problem_json(problem, language_of(request))}
    return JSONResponse(content, error.status_code, headers=error.headers)


def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Say which value cannot be, without saying it again: it may be a password, or a patient's."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [
        Problem(_place(one["loc"]), "a value that cannot be", one["msg"]) for one in error.errors()
    ]
    return _wrong(request, problems)


def _place(path: Iterable[object]) -> str:
    """Return where a value stands; names of keys are the sender's, and may not even be Unicode."""
    return ".".join(map(str, path)).encode(errors="backslashreplace").decode()


def _database_away(request: Request, error: Exception) -> JSONResponse:
    """Say that the database does not answer; its own words would name hosts and statements."""
    # A server that is stopping refuses with what the driver calls an error of programming.
    away = isinstance(error, OperationalError | InterfaceError | ConnectionError)
    if not away and "FATAL" not in str(error):
        raise error
    _log.error("the database does not answer: %s", type(error).__name__)
    remedy = "Try again soon; nothing of this request was kept."
    problem = Problem("database", "no answer", "one", remedy)
    headers = {"Retry-After": str(_DATABASE_RETRY_S)}
    content = {"detail": problem_json(problem, language_of(request))}
    return JSONResponse(content, status_code=503, headers=headers)


def _faulty(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, AxillaError):
        raise error
    problems = error.problems or (Problem("request", str(error), "something usable"),)
    return _wrong(request, problems)


def _wrong(request: Request, problems: Sequence[Problem]) -> JSONResponse:
    said = [problem_json(one, language_of(request)) for one in problems]
    return JSONResponse({"detail": said[0], "problems": said}, status_code=422)
