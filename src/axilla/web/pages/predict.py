"""Predicting one case: images in, probability and its limits out, nothing kept unless saved."""

from typing import Any

from axilla import __version__
from axilla.web.access.roles import Permission, Role
from axilla.web.api.predicted import bundle_told
from axilla.web.pages.frame import page
from axilla.web.pages.predict_words import predict_words
from axilla.web.pages.rois import viewer_words
from axilla.web.pages.script import script
from axilla.web.pages.text import text
from axilla.web.pages.visit import Visit
from axilla.web.refusals import Refusal
from axilla.web.services import Web
from axilla.web.spoken import spoken
from axilla.web.words import N_


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
