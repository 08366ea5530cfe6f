"""Predicting one case: images in, probability and its limits out, nothing kept unless saved."""

from typing import Any

from axilla import __version__
from axilla.web.accounts.roles import Permission, Role
from axilla.web.core.http_errors import Refusal
from axilla.web.core.i18n import spoken
from axilla.web.core.page_layout import page
from axilla.web.core.script import script
from axilla.web.core.text import text
from axilla.web.core.visit import Visit
from axilla.web.core.words import N_
from axilla.web.prediction.prediction_page import predict_words
from axilla.web.prediction.prediction_schemas import bundle_told
from axilla.web.rois.roi_page_strings import viewer_words
from axilla.web.state import Web


def register(web: Web) -> None:
    """Register the page."""
    page(web, "/predict", Permission.PREDICT, title=N_("Predict"))(_build)


def _build(visit: Visit) -> None:
    say = visit.say
    text("h1", say("Predict one case"))
    desk = visit.web.desks.bundle
    try:
        told = bundle_told(desk.known(), name=desk.name)
    except Refusal as refusal:
        text("p", say("Nothing can be predicted yet: the study has no bundle that can be read."))
        text("p", spoken(refusal.problem, visit.language)).classes("ax-muted")
        return
    data: dict[str, Any] = {
        "words": predict_words(say),
        "viewer": viewer_words(say),
        "bundle": told.model_dump(),
        "version": __version__,
        "language": visit.language,
        "lead": Role.LEAD in visit.actor.roles,
        "most_bytes": visit.web.settings.limits.upload_bytes,
    }
    script("predict", data=data, styles=("viewer", "predict"))
