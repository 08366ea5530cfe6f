"""Translations of pages and errors by gettext."""

import gettext
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import HTTPConnection

from axilla.records.errors import AxillaError, Problem

LANGUAGES: Final = {"en": "English", "zh": "中文"}
COOKIE: Final = "axilla_language"
_PAGE_SOURCES: Final = {"zh": "zh_CN.po"}
_LOCALE: Final = files("axilla.web") / "locale"
_ERROR_SOURCES: Final = {"zh": "zh_CN.refusals.po"}
_FIELD: Final = re.compile(r"\{(\d)\}")
_LISTED: Final = re.compile(r", | or | and ")


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark a text for translation where it is written, and translate it where it is shown."""
    return text


@cache
def words_of(language: str) -> gettext.NullTranslations:
    """Return the translations of a language; English for one that is not known."""
    source = _PAGE_SOURCES.get(language)
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


_SENTENCE: Final = N_("{place}: found {found}; expected {expected}. {remedy}")


@dataclass(frozen=True, slots=True)
class _Template:
    """A text with values in it, as what stands around them, and its translation with {0}."""

    literals: tuple[str, ...]
    translation: str

    def values_in(self, text: str) -> list[str] | None:
        """Return the values of a text of this kind, None for another.

        No regular expression: a hostile text can hold it up for minutes.
        """
        first, *between, last = self.literals
        if not (text.startswith(first) and text.endswith(last)):
            return None
        begin, end, values = len(first), len(text) - len(last), []
        for literal in between:
            at = text.find(literal, begin + 1, end)
            if at < 0:
                return None
            values.append(text[begin:at])
            begin = at + len(literal)
        return [*values, text[begin:end]] if begin < end else None

    def fill(self, values: Sequence[str]) -> str:
        """Return the translation with its values."""
        return _FIELD.sub(lambda field: values[int(field[1])], self.translation)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """What refusals say, in one language: whole texts, and texts with values in them."""

    texts: dict[str, str]
    templates: tuple[_Template, ...]

    def say(self, text: str) -> str:
        """Return the translation; the text itself if there is none."""
        if text in self.texts:
            return self.texts[text]
        for template in self.templates:
            if values := template.values_in(text):
                return template.fill([self._name_values(value) for value in values])
        return self._name_values(text)

    def _name_values(self, value: str) -> str:
        """Return a value; where it lists what has a name here, the names."""
        parts = [self.texts.get(part) for part in _LISTED.split(value)]
        names = [part for part in parts if part is not None]
        return "、".join(names) if len(names) == len(parts) else value


def translate_problem(problem: Problem, language: str) -> str:
    """Return a problem as a sentence, in English where a part has no translation."""
    catalogue = _catalogue(language)
    if catalogue is None:
        return str(problem)
    parts = {
        part: catalogue.say(text) if (text := getattr(problem, part)) else ""
        for part in ("place", "found", "expected", "remedy")
    }
    return words_of(language).gettext(_SENTENCE).format_map(parts).rstrip()


def spoken_of(error: AxillaError, language: str) -> str:
    """Return all problems of an error, each on its line."""
    return "\n".join(translate_problem(one, language) for one in error.problems) or str(error)


@cache
def _catalogue(language: str) -> _Catalogue | None:
    source = _ERROR_SOURCES.get(language)
    if source is None:
        return None
    with (_LOCALE / source).open("rb") as stream:
        messages = read_po(stream, locale=language)
    texts = {str(message.id): str(message.string) for message in messages if message.id}
    return _Catalogue(texts, tuple(_templates(texts)))


def _templates(texts: dict[str, str]) -> Iterator[_Template]:
    """Yield the texts with values, those with most words of their own first."""
    for text in sorted(texts, key=lambda text: -len(_FIELD.sub("", text))):
        if _FIELD.search(text):
            yield _Template(tuple(_FIELD.split(text)[::2]), texts[text])
