"""Pages of plain HTML, which work before any script does and when the rest does not."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from axilla import RESEARCH_USE_ONLY
from axilla.web.core.i18n import LANGUAGES, language_of, words_of
from axilla.web.core.page_context import theme_of

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(str(files("axilla.web") / "core" / "templates")),
    autoescape=True,
    undefined=StrictUndefined,
    extensions=["jinja2.ext.i18n"],
)


def plain_page(
    request: Request, name: str, content: Mapping[str, Any], *, status: int = 200
) -> HTMLResponse:
    """Return the page of a template, in the browser's language and colours."""
    language = language_of(request)
    words = words_of(language)
    html = _TEMPLATES.get_template(name).render(
        _=words.gettext,
        language=language,
        languages=LANGUAGES,
        theme=theme_of(request),
        notice=words.gettext(RESEARCH_USE_ONLY),
        **content,
    )
    return HTMLResponse(html, status_code=status)
