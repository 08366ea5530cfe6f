"""Results: the answer, metrics, curves, the cases behind them, and how a run goes on."""

from axilla.web.access.roles import Permission
from axilla.web.pages.frame import page
from axilla.web.pages.results_words import words
from axilla.web.pages.script import script
from axilla.web.pages.text import text
from axilla.web.pages.visit import Visit
from axilla.web.services import Web
from axilla.web.words import N_


def register(web: Web) -> None:
    """Register the page."""
    page(web, "/results", Permission.SEE_RESULTS, title=N_("Results"))(_build)


def _build(visit: Visit) -> None:
    text("h1", visit.say("Results"))
    script("results", data={"words": words(visit.say)})
