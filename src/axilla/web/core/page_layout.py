"""Layout of every page: access, header, navigation, scripts."""

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from axilla import RESEARCH_USE_ONLY
from axilla.web.accounts.roles import Permission
from axilla.web.core.http_errors import NotAllowedError, NotSignedInError
from axilla.web.core.i18n import LANGUAGES, N_, translate_problem
from axilla.web.core.page_context import PageContext, visit_of
from axilla.web.state import AppState

Build = Callable[[PageContext], Awaitable[None] | None]
# Path, name, and who may open it (any of these).
WAYS: Final = (
    ("/annotate", N_("Annotate"), (Permission.ANNOTATE,)),
    ("/review", N_("Review"), (Permission.REVIEW, Permission.SETTLE)),
    ("/predict", N_("Predict"), (Permission.PREDICT,)),
    ("/reading", N_("Read"), (Permission.READ,)),
    ("/scoring", N_("Scoring"), (Permission.SCORE,)),
    ("/results", N_("Results"), (Permission.SEE_RESULTS,)),
    ("/accounts", N_("Accounts"), (Permission.MANAGE,)),
    ("/audit", N_("Audit log"), (Permission.AUDIT,)),
)
_THEMES: Final = (("auto", N_("Auto")), ("light", N_("Light")), ("dark", N_("Dark")))
_DARK: Final = {"light": False, "dark": True, "auto": None}


def script(
    name: str, *, data: Mapping[str, Any], styles: Sequence[str] = (), place: str = ""
) -> None:
    """Add assets/NAME.js as a module, its styles, and `data` as JSON under #NAME-data.

    The script fills the element #NAME of class `place`, which is made here. Without `styles` its
    style is NAME.css, and without `place` its class is NAME.
    """
    # "<" could end the element.
    content = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    for style in styles or (name,):
        ui.add_head_html(f'<link rel="stylesheet" href="/assets/{style}.css">')
    ui.element("div").props(f"id={name}").classes(place or name)
    ui.add_body_html(f'<script type="application/json" id="{name}-data">{content}</script>')
    ui.add_body_html(f'<script type="module" src="/assets/{name}.js"></script>')


def text(tag: str, content: str) -> TextElement:
    """Return an element such as `p`, `h1` or `td` with this text in it."""
    return TextElement(tag=tag, text=content)


def page(
    web: AppState, path: str, *permissions: Permission, title: str
) -> Callable[[Build], Callable[..., Awaitable[Response | None]]]:
    """Register a page that only people with one of `permissions` can open.

    The decorated function gets the `PageContext` and builds what lies between head and foot.
    """

    def decorate(build: Build) -> Callable[..., Awaitable[Response | None]]:
        @ui.page(path, title=f"{title} · axilla")
        async def show_page(request: Request) -> Response | None:
            try:
                visit = visit_of(web, request)
                if permissions:
                    visit.actor.require(*permissions)
            except NotSignedInError:
                target = quote(request.url.path)
                return RedirectResponse(f"/login?next={target}", status_code=303)
            except NotAllowedError as refusal:
                with build_frame(visit, title):
                    ui.label(translate_problem(refusal.problem, visit.language)).classes("fault")
                return None
            with build_frame(visit, title):
                if inspect.isawaitable(going := build(visit)):
                    await going
            return None

        return show_page

    return decorate


def build_frame(visit: PageContext, title: str) -> ui.element:
    """Draw head and foot; return the element that holds what lies between, to be entered."""
    say = visit.say
    ui.page_title(f"{say(title)} · axilla")
    ui.dark_mode(_DARK[visit.theme])
    ui.add_head_html('<link rel="stylesheet" href="/assets/axilla.css">')
    ui.add_head_html(f'<meta name="csrf-token" content="{escape(visit.actor.csrf)}">')
    idle_s = 0 if visit.web.settings.no_auth else int(visit.web.settings.limits.idle_s)
    ui.add_head_html(f'<meta name="idle-seconds" content="{idle_s}">')
    ui.add_body_html('<script type="module" src="/assets/idle.js"></script>')
    ui.add_body_html(
        f"<script>document.documentElement.lang={visit.language!r};"
        f"document.documentElement.dataset.theme={visit.theme!r};</script>"
    )
    with ui.element("header").classes("ax-head"):
        with ui.element("a").props('href="#content"').classes("ax-skip"):
            text("span", say("Skip to the content"))
        with ui.element("a").props('href="/"').classes("ax-brand"):
            ui.element("img").props('src="/assets/icon.svg" alt="" width="24" height="24"')
            text("span", "axilla")
        with ui.element("nav").classes("ax-ways").props(f'aria-label="{escape(say("Pages"))}"'):
            for path, name, permissions in WAYS:
                if any(visit.actor.may(permission) for permission in permissions):
                    _way(path, say(name), here=visit.path.startswith(path))
        _who(visit)
    # Quasar's page around all of this is the document's main landmark.
    main = ui.element("div").classes("ax-main").props("id=content tabindex=-1")
    with ui.element("footer").classes("ax-foot"):
        text("p", say(RESEARCH_USE_ONLY))
    return main


def _who(visit: PageContext) -> None:
    say = visit.say
    with ui.element("details").classes("ax-who"):
        with ui.element("summary"):
            text("span", visit.actor.name)
        with ui.element("div").classes("ax-menu"):
            _way("/account", say("Account and tokens"), here=visit.path == "/account")
            _choices(say("Language"), "/language", LANGUAGES.items(), visit.language, visit)
            themes = [(code, say(name)) for code, name in _THEMES]
            _choices(say("Colours"), "/theme", themes, visit.theme, visit)
            if not visit.web.settings.no_auth:
                with ui.element("form").props('method="post" action="/logout"'):
                    text("button", say("Sign out"))


def _choices(
    label: str, path: str, choices: Iterable[tuple[str, str]], chosen: str, visit: PageContext
) -> None:
    with ui.element("p").classes("ax-choices"):
        text("span", label)
        for code, name in choices:
            _way(f"{path}/{code}?next={quote(visit.path)}", name, here=code == chosen)


def _way(path: str, name: str, *, here: bool) -> None:
    current = ' aria-current="page"' if here else ""
    with ui.element("a").props(f'href="{escape(path)}"{current}'):
        text("span", name)
