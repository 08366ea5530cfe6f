"""One visit to a page: who looks, in which language, and proof on every action."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Final

from starlette.requests import HTTPConnection

from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core.i18n import language_of, words_of
from axilla.web.state import AppState, address_of, cookie_name

THEME_COOKIE: Final = "axilla_theme"


@dataclass(frozen=True, slots=True)
class PageContext:
    """A page while somebody has it open; `say` translates."""

    web: AppState
    actor: Actor
    language: str
    theme: str
    path: str
    query: Mapping[str, str]
    words: NullTranslations
    _key: str

    @property
    def say(self) -> Callable[[str], str]:
        """Return what translates a text."""
        return self.words.gettext

    def confirm(self, *permissions: Permission) -> Actor:
        """Return who acts now: pages stay open longer than sessions and roles last.

        Raises `NotSignedInError` or `NotAllowedError`.
        """
        actor = self.web.by_session(self._key, self.actor.address)
        if permissions:
            actor.require(*permissions)
        return actor


def visit_of(web: AppState, connection: HTTPConnection) -> PageContext:
    """Begin a visit; raise `NotSignedInError`."""
    language = language_of(connection)
    key = connection.cookies.get(cookie_name(connection), "")
    return PageContext(
        web,
        web.by_session(key, address_of(connection)),
        language,
        theme_of(connection),
        connection.url.path,
        dict(connection.query_params),
        words_of(language),
        key,
    )


def theme_of(connection: HTTPConnection) -> str:
    """Return light, dark, or auto for the system's choice."""
    chosen = connection.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in ("light", "dark") else "auto"
