"""All pages, in one place."""

from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from nicegui import app as nicegui_app
from nicegui import ui

from axilla.web.accounts import account_page, administration_page
from axilla.web.core.http_errors import NotSignedInError
from axilla.web.core.page_context import visit_of
from axilla.web.core.page_layout import WAYS, build_frame, text
from axilla.web.core.plain_pages import plain_page
from axilla.web.prediction import prediction_page
from axilla.web.reader_study import lead_page, reader_page
from axilla.web.results import results_page
from axilla.web.rois import annotation_page, review_page
from axilla.web.state import AppState

_ROOMS: Final = (
    account_page,
    administration_page,
    annotation_page,
    prediction_page,
    reader_page,
    results_page,
    review_page,
    lead_page,
)


def install(app: FastAPI, web: AppState) -> None:
    """Register every page, and put NiceGUI under the application."""
    for room in _ROOMS:
        room.register(web)

    @ui.page("/")
    def start(request: Request) -> Response | None:
        """Lead everybody to the first page that their roles open."""
        try:
            visit = visit_of(web, request)
        except NotSignedInError:
            return RedirectResponse("/login", status_code=303)
        for path, _, permissions in WAYS:
            if any(visit.actor.may(permission) for permission in permissions):
                return RedirectResponse(path, status_code=303)
        with build_frame(visit, "axilla"):
            text("p", visit.say("Your account has no role yet. Ask the study's lead for one."))
        return None

    nicegui_app.add_exception_handler(HTTPStatus.NOT_FOUND, _missing)
    ui.run_with(
        app,
        title="axilla",
        dark=None,
        tailwind=False,
        favicon='<svg xmlns="http://www.w3.org/2000/svg"/>',
        binding_refresh_interval=None,
        show_welcome_message=False,
    )


def _missing(request: Request, _error: Exception) -> Response:
    return plain_page(request, "missing.html.j2", {}, status=HTTPStatus.NOT_FOUND)
