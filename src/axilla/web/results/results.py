"""Results: the answer, metrics, curves, the cases behind them, and how a run goes on."""

from axilla.web.accounts.roles import Permission
from axilla.web.core.page_layout import page
from axilla.web.core.script import script
from axilla.web.core.text import text
from axilla.web.core.visit import Visit
from axilla.web.core.words import N_
from axilla.web.results.results_page import words
from axilla.web.state import Web


def register(web: Web) -> None:
    """Register the page."""
    page(web, "/results", Permission.SEE_RESULTS, title=N_("Results"))(_build)


def _build(visit: Visit) -> None:
    text("h1", visit.say("Results"))
    script("results", data={"words": words(visit.say)})
