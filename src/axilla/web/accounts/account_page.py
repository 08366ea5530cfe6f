"""Your own account: password, and tokens for programs."""

import time
from collections.abc import Callable

from nicegui import ui

from axilla.web.accounts import sessions
from axilla.web.accounts.page_errors import doing
from axilla.web.core import audit_log
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, text
from axilla.web.state import AppState

_DAYS = 90
# What became of a change of the password, as the form's answer names it.
_SAID = {
    "changed": N_("The password is changed; your other sessions have ended."),
    "wrong": N_("The old password is wrong."),
    "weak": N_(
        "The new password is easily guessed: take at least 12 characters, without your name."
    ),
    "patience": N_("Too many wrong passwords. Try again in a quarter of an hour."),
}


def register(web: AppState) -> None:
    """Register the page."""
    page(web, "/account", title=N_("Account"))(_build)


def _build(visit: PageContext) -> None:
    say = visit.say
    text("h1", say("Account"))
    text("p", f"{visit.actor.name}: {', '.join(say(role) for role in visit.actor.roles)}")
    if not visit.web.settings.no_auth:
        _password_form(visit)
    text("h2", say("Tokens for programs"))
    text("p", say("A token lets a program do what you may do, without your password."))
    shown_key = ui.element("div").props('role="status"')
    listed = ui.element("div")

    def refresh() -> None:
        listed.clear()
        with visit.web.database.reading() as session:
            tokens = sessions.tokens_of(session, visit.actor.user_id)
        with listed:
            _tokens(visit, tokens, refresh)

    def make() -> None:
        with doing(visit):
            actor = visit.confirm()
            with visit.web.database.writing() as session:
                token, key = sessions.make_token(
                    session, actor.user_id, name=name.value or "", days=_DAYS
                )
                audit_log.record(session, actor, "token.make", token.name)
            shown_key.clear()
            with shown_key:
                text("p", say("Copy this key now; it is not shown again:"))
                text("code", key).classes("ax-key")
            name.value = ""
            refresh()

    with ui.element("div").classes("ax-row"):
        name = ui.input(say("What it is for")).props("dense outlined maxlength=80")
        ui.button(say("Make a token"), on_click=make).props("unelevated no-caps")
    refresh()


def _tokens(
    visit: PageContext, tokens: tuple[sessions.ApiToken, ...], refresh: Callable[[], None]
) -> None:
    say = visit.say

    def end(token_id: int) -> None:
        with doing(visit):
            actor = visit.confirm()
            with visit.web.database.writing() as session:
                sessions.end_token(session, token_id, user_id=actor.user_id)
                audit_log.record(session, actor, "token.end", str(token_id))
            refresh()

    if not tokens:
        text("p", say("No tokens.")).classes("ax-muted")
    for token in tokens:
        with ui.element("div").classes("ax-row"):
            text("span", token.name)
            ends = time.strftime("%Y-%m-%d", time.gmtime(token.ends_at))
            text("span", say("until {day}").format(day=ends)).classes("ax-muted")
            ui.button(say("End"), on_click=lambda _, one=token.id: end(one)).props(
                "flat dense no-caps"
            )


def _password_form(visit: PageContext) -> None:
    say = visit.say
    text("h2", say("Password"))
    said = visit.query.get("said", "")
    if said in _SAID:
        message = text("p", say(_SAID[said])).props("role=status")
        message.classes("note" if said == "changed" else "fault")
    with ui.element("form").props('method="post" action="/account/password"').classes("ax-form"):
        hidden = f'type="hidden" name="csrf" value="{visit.actor.csrf}"'
        ui.element("input").props(hidden)
        for name, label, kind in (
            ("old", say("Old password"), "current-password"),
            ("new", say("New password, at least 12 characters"), "new-password"),
        ):
            text("label", label).props(f"for={name}")
            ui.element("input").props(
                f"id={name} name={name} type=password required maxlength=256 autocomplete={kind}"
            )
        text("button", say("Change the password"))
