"""English and Chinese: the words of pages, by gettext."""

import gettext
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import HTTPConnection

LANGUAGES: Final = {"en": "English", "zh": "中文"}
COOKIE: Final = "axilla_language"
_SOURCES: Final = {"zh": "zh_CN.po"}
_LOCALE: Final = files("axilla.web") / "locale"


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark a text for translation where it is written, and translate it where it is shown."""
    return text


@cache
def words_of(language: str) -> gettext.NullTranslations:
    """Return the translations of a language; English for one that is not known."""
    source = _SOURCES.get(language)
    if source is None:
        return gettext.NullTranslations()
    compiled = BytesIO()
    with (_LOCALE / source).open("rb") as stream:
        write_mo(compiled, read_po(stream, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def language_of(connection: HTTPConnection) -> str:
    """Return the language somebody chose, or the first of the browser's that we speak."""
    chosen = connection.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for wish in connection.headers.get("accept-language", "").split(","):
        short = wish.split(";")[0].strip()[:2].casefold()
        if short in LANGUAGES:
            return short
    return "en"
