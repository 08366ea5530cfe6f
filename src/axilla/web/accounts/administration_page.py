"""For the study's lead: accounts of the others, and the audit log."""

import json
import time
from collections.abc import Callable, Sequence

from nicegui import ui

from axilla.web.accounts import account_store, sessions
from axilla.web.accounts.account_store import User
from axilla.web.accounts.page_errors import doing
from axilla.web.accounts.roles import Permission, Role
from axilla.web.core import audit_log
from axilla.web.core.i18n import N_
from axilla.web.core.page_context import PageContext
from axilla.web.core.page_layout import page, text
from axilla.web.state import AppState

_ENTRIES = 500
_DIGITS = 10

# For translators and their checks: roles are shown by these names.
ROLE_NAMES = (N_("lead"), N_("annotator"), N_("reviewer"), N_("reader"), N_("viewer"))


def register(web: AppState) -> None:
    """Register the pages."""
    page(web, "/accounts", Permission.MANAGE, title=N_("Accounts"))(_accounts)
    page(web, "/audit", Permission.AUDIT, title=N_("Audit log"))(_audit)


def _accounts(visit: PageContext) -> None:
    say = visit.say
    text("h1", say("Accounts"))
    listed = ui.element("div").classes("ax-list")

    def refresh() -> None:
        listed.clear()
        with visit.web.database.reading() as session:
            users = account_store.all_users(session)
        with listed:
            for user in users:
                _account(visit, user, refresh)

    refresh()
    text("h2", say("A new account"))
    text("p", say("Readers stay blind: nobody can be a reader and see results.")).classes(
        "ax-muted"
    )
    options = {role.value: say(role.value) for role in Role}
    with ui.element("div").classes("ax-row"):
        name = ui.input(say("User name")).props("dense outlined maxlength=64")
        password = ui.input(say("First password"), password=True).props(
            "dense outlined maxlength=256 autocomplete=new-password"
        )
        roles = ui.select(options, label=say("Roles"), multiple=True, value=[]).props(
            "dense outlined"
        )
        roles.classes("ax-wide")

        def add() -> None:
            with doing(visit):
                lead = visit.confirm(Permission.MANAGE)
                with visit.web.database.writing() as session:
                    user = account_store.add_user(
                        session, name.value, password=password.value, roles=roles.value
                    )
                    detail = {"roles": user.role_names}
                    audit_log.record(session, lead, "user.add", user.name, detail=detail)
                name.value, password.value, roles.value = "", "", []
                refresh()

        ui.button(say("Make the account"), on_click=add).props("unelevated no-caps")


def _account(visit: PageContext, user: User, refresh: Callable[[], None]) -> None:
    say = visit.say

    def change(*, roles: list[str] | None = None, active: bool | None = None) -> None:
        with doing(visit):
            lead = visit.confirm(Permission.MANAGE)
            with visit.web.database.writing() as session:
                account_store.change_user(session, user.id, roles=roles, active=active)
                sessions.end_all_sessions(session, user.id, but=lead.session_id)
                detail = {"roles": roles, "active": active}
                audit_log.record(session, lead, "user.change", user.name, detail=detail)
        refresh()

    with ui.element("div").classes("ax-row ax-line"):
        text("strong", user.name).classes("ax-name")
        options = {role.value: say(role.value) for role in Role}
        picked = ui.select(options, multiple=True, value=[str(role) for role in user.roles])
        picked.props(f'dense outlined aria-label="{say("Roles")}"').classes("ax-wide")
        ui.button(say("Save roles"), on_click=lambda: change(roles=picked.value)).props(
            "flat dense no-caps"
        )
        label = say("Close the account") if user.active else say("Open the account again")
        ui.button(label, on_click=lambda: change(active=not user.active)).props(
            "flat dense no-caps"
        )
        if not user.active:
            text("span", say("closed")).classes("ax-muted")


def _audit(visit: PageContext) -> None:
    say = visit.say
    text("h1", say("Audit log"))
    with visit.web.database.reading() as session:
        chain = audit_log.verify(session)
        found = audit_log.entries(session, before=_number(visit.query.get("before")), most=_ENTRIES)
    if chain.broken_at is None:
        text("p", say("{count} entries; the log is as it was written.").format(count=chain.entries))
    else:
        broken = say("Entry {number} is not as it was written: the log was changed.")
        text("p", broken.format(number=chain.broken_at)).classes("fault").props("role=alert")
    search = ui.input(say("Search in these entries")).props("dense outlined clearable")
    _log_table(visit, found).bind_filter_from(search, "value")
    if len(found) == _ENTRIES:
        with ui.element("a").props(f'href="/audit?before={found[-1].id}"'):
            text("span", say("Older entries"))


def _number(given: str | None) -> int | None:
    return int(given) if given and given.isdecimal() and len(given) < _DIGITS else None


def _log_table(visit: PageContext, found: Sequence[audit_log.AuditEntry]) -> ui.table:
    say = visit.say
    columns = [
        ("at", say("Time (UTC)")),
        ("actor", say("Who")),
        ("action", say("What")),
        ("subject", say("Of what")),
        ("detail", say("Detail")),
        ("address", say("From")),
    ]
    rows = [
        {
            "id": entry.id,
            "at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(entry.at)),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": "" if entry.detail == "{}" else _plain(entry.detail),
            "address": entry.address,
        }
        for entry in found
    ]
    table = ui.table(
        columns=[
            {"name": name, "label": label, "field": name, "align": "left", "sortable": True}
            for name, label in columns
        ],
        rows=rows,
        row_key="id",
        pagination=50,
    )
    label = say("Entries per page:")
    table.props(f'dense flat rows-per-page-label="{label}"').classes("ax-table")
    return table


def _plain(detail: str) -> str:
    content = json.loads(detail)
    return ", ".join(f"{name}: {value}" for name, value in content.items())
