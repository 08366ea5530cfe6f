"""Signing in, signing out and the first account: plain forms, which work before any script does."""

import hmac
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from axilla.records.errors import Problem
from axilla.web.accounts import account_store, sessions
from axilla.web.accounts.account_store import User
from axilla.web.accounts.passwords import checked_password, fits, hash_password, needs_rehash
from axilla.web.accounts.roles import Role
from axilla.web.core import audit_log
from axilla.web.core.api_errors import web_of
from axilla.web.core.http_errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotSignedInError,
    TooManyError,
)
from axilla.web.core.i18n import COOKIE, LANGUAGES, N_, language_of, translate_problem, words_of
from axilla.web.core.page_context import THEME_COOKIE
from axilla.web.core.plain_pages import plain_page
from axilla.web.state import AppState, address_of, cookie_name

router = APIRouter(include_in_schema=False)
_YEAR_S: Final = 365 * 24 * 60 * 60
_WRONG: Final = N_("Name or password is wrong.")
Text = Annotated[str, Form(max_length=300)]


@router.get("/login")
def loginplain_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the URL's word
    """Show the form."""
    web = web_of(request)
    with web.database.reading() as session:
        if not web.settings.no_auth and not account_store.has_users(session):
            return plain_page(request, "unready.html.j2", {}, status=503)
    return plain_page(request, "login.html.j2", {"next": _local(next), "name": "", "fault": ""})


@router.post("/login")
def login(request: Request, name: Text, password: Text, next: Text = "/") -> Response:  # noqa: A002
    """Sign in: a new session, whatever the browser brought."""
    web, address = web_of(request), address_of(request)
    try:
        user = _check_password(web, name, password=password, address=address)
    except (NotSignedInError, TooManyError) as refusal:
        language = language_of(request)
        said = words_of(language).gettext(_WRONG)
        fault = (
            translate_problem(refusal.problem, language)
            if isinstance(refusal, TooManyError)
            else said
        )
        content = {"next": _local(next), "name": name, "fault": fault}
        answer = plain_page(request, "login.html.j2", content, status=refusal.status)
        if refusal.retry_after_s:
            answer.headers["Retry-After"] = str(refusal.retry_after_s)
        return answer
    return _begun(request, user, to=_local(next))


@router.post("/logout")
def logout(request: Request) -> Response:
    """Sign out: the session ends on the server too."""
    web = web_of(request)
    key = request.cookies.get(cookie_name(request), "")
    try:
        actor = web.by_session(key, address_of(request))
    except NotSignedInError:
        return _gone(request)
    with web.database.writing() as session:
        sessions.end_session(session, key)
        audit_log.record(session, actor, "sign_out")
    return _gone(request)


@router.get("/setup")
def setupplain_page(request: Request, key: str = "") -> Response:
    """Show the form that makes the first account to whoever has the link."""
    _require_first(request, key)
    return plain_page(request, "setup.html.j2", {"key": key, "name": "", "fault": ""})


@router.post("/setup")
def setup(request: Request, key: Text, name: Text, password: Text) -> Response:
    """Make the first account, a lead; the link is worth nothing afterwards."""
    _require_first(request, key)
    web = web_of(request)
    try:
        with web.database.writing() as session:
            if account_store.has_users(session):
                raise NotAllowedError(_used_link_problem())
            user = account_store.add_user(session, name, password=password, roles=[Role.LEAD])
            audit_log.record(
                session, user.name, "user.first", user.name, address=address_of(request)
            )
    except (InvalidError, ConflictError) as refusal:
        fault = translate_problem(refusal.problem, language_of(request))
        content = {"key": key, "name": name, "fault": fault}
        return plain_page(request, "setup.html.j2", content, status=refusal.status)
    return _begun(request, user, to="/")


@router.post("/account/password")
def change_password(request: Request, csrf: Text, old: Text, new: Text) -> Response:
    """Change one's own password; all other sessions end."""
    web = web_of(request)
    actor = web.by_session(request.cookies.get(cookie_name(request), ""), address_of(request))
    if not hmac.compare_digest(csrf.encode(), actor.csrf.encode()):
        raise NotAllowedError(
            Problem("csrf", "no or another token", "the session's", "Reload the page.")
        )
    try:
        with web.database.writing() as session:
            account_store.require_patience(session, actor.name, actor.address)
            user = account_store.user_of(session, actor.user_id)
            said = "changed" if fits(old, user.password) else "wrong"
            if said == "changed":
                user.password = hash_password(checked_password(new, name=user.name))
                sessions.end_all_sessions(session, user.id, but=actor.session_id)
                audit_log.record(session, actor, "password.change")
            else:
                account_store.note_failure(session, actor.name, actor.address)
    except TooManyError:
        said = "patience"
    except InvalidError:
        said = "weak"
    return RedirectResponse(f"/account?said={said}", status_code=303)


@router.get("/language/{language}")
def choose_language(request: Request, language: str, next: str = "/") -> Response:  # noqa: A002
    """Remember the language of this browser."""
    return _remembering(request, COOKIE, language if language in LANGUAGES else "en", to=next)


@router.get("/theme/{theme}")
def choose_theme(request: Request, theme: str, next: str = "/") -> Response:  # noqa: A002
    """Remember light, dark or the system's choice for this browser."""
    known = theme if theme in ("light", "dark") else "auto"
    return _remembering(request, THEME_COOKIE, known, to=next)


def _check_password(web: AppState, name: str, *, password: str, address: str) -> User:
    """Return whose password this is; raise `TooManyError` or `NotSignedInError`."""
    with web.database.writing() as session:
        account_store.require_patience(session, name, address)
        # Counted before the slow work, so that a hundred tries at once are a hundred tries.
        account_store.note_failure(session, name, address)
        user = account_store.find_user(session, name)
    right = fits(password, user.password if user else None)
    with web.database.writing() as session:
        if user is None or not right or not user.active:
            audit_log.record(session, name.strip()[:64], "sign_in.refused", address=address)
            refused = True
        else:
            account_store.forgive(session, name, address)
            audit_log.record(session, user.name, "sign_in", address=address)
            refused = False
            if needs_rehash(user.password):
                account_store.user_of(session, user.id).password = hash_password(password)
    if user is None or refused:
        raise NotSignedInError(Problem("sign-in", "a wrong name or password", "the right ones"))
    return user


def _begun(request: Request, user: User, *, to: str) -> Response:
    web = web_of(request)
    with web.database.writing() as session:
        sessions.forget_ended(session, web.settings.limits)
        sessions.end_session(session, request.cookies.get(cookie_name(request), ""))
        key = sessions.start_session(session, user)
    answer = RedirectResponse(to, status_code=303)
    answer.set_cookie(
        cookie_name(request),
        key,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return answer


def _gone(request: Request) -> Response:
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(cookie_name(request), path="/")
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def _require_first(request: Request, key: str) -> None:
    first = request.app.state.first_run
    with web_of(request).database.reading() as session:
        late = account_store.has_users(session)
    if late or first is None or not hmac.compare_digest(first.encode(), key.encode()):
        raise NotAllowedError(_used_link_problem())


def _used_link_problem() -> Problem:
    remedy = "Restart the server while nobody has an account: it prints a new one."
    return Problem("setup", "a link that is used, or another one", "the printed link", remedy)


def _remembering(request: Request, cookie: str, value: str, *, to: str) -> Response:
    answer = RedirectResponse(_local(to), status_code=303)
    answer.set_cookie(
        cookie,
        value,
        max_age=_YEAR_S,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return answer


def _local(target: str) -> str:
    """Return where to go next, if it is a page of ours."""
    parts = urlsplit(target)
    ours = not parts.scheme and not parts.netloc and target.startswith("/")
    return target if ours and not target.startswith(("//", "/\\")) else "/"
