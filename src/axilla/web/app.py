"""The application: API, forms and pages, behind one doorkeeper."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from axilla import RESEARCH_USE_ONLY, __version__
from axilla.records.errors import Problem
from axilla.web.accounts import accounts_api, sign_in
from axilla.web.accounts.account_store import has_users
from axilla.web.core.api_errors import install_answers, problem_json
from axilla.web.core.i18n import language_of
from axilla.web.core.middleware import BodyLimit, OriginCheck
from axilla.web.core.plain_pages import plain_page
from axilla.web.core.settings import ServeSettings
from axilla.web.prediction import prediction_api as predict_api
from axilla.web.prediction import previews_api as pictures_api
from axilla.web.prediction import saved_predictions_api as predictions_api
from axilla.web.reader_study import lead_api, reader_api
from axilla.web.results import results_api
from axilla.web.rois import roi_api as rois_api
from axilla.web.state import AppState, open_web

_UPLOAD_PATHS = ("/api/predict", "/api/pictures")


def create_app(settings: ServeSettings, *, pages: bool = True) -> FastAPI:
    """Return the application of one study; with `pages` false the API and the forms alone.

    Raises `ConfigError` if the database cannot be opened, `StudyError` if there is no study.
    """
    web = open_web(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with web.running():
            yield

    app = FastAPI(
        title="axilla",
        description=RESEARCH_USE_ONLY,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.web = web
    app.state.first_run = _first_run(web)
    install_answers(app)
    app.include_router(accounts_api.router)
    app.include_router(rois_api.router)
    app.include_router(reader_api.router)
    app.include_router(lead_api.router)
    app.include_router(results_api.router)
    app.include_router(pictures_api.router)
    app.include_router(predict_api.router)
    app.include_router(predictions_api.router)
    app.mount("/assets", StaticFiles(directory=str(files("axilla.web") / "assets")))
    _install_pages(app, web, whole=pages)
    limits = settings.limits
    app.add_middleware(
        BodyLimit,
        most=limits.body_bytes,
        uploads=limits.upload_bytes,
        upload_paths=_UPLOAD_PATHS,
    )
    app.add_middleware(OriginCheck, hosts=settings.allowed_hosts)
    return app


def _first_run(web: AppState) -> str | None:
    """Return the key of the first account's link while nobody has an account."""
    with web.database.reading() as session:
        needed = not web.settings.no_auth and not has_users(session)
    return secrets.token_urlsafe(24) if needed else None


def _install_pages(app: FastAPI, web: AppState, *, whole: bool) -> None:
    app.include_router(sign_in.router)
    app.add_exception_handler(Exception, _broken)
    if whole:
        from axilla.web.site import install  # noqa: PLC0415 - a second to import

        install(app, web)


def _broken(request: Request, _error: Exception) -> Response:
    """Say that something went wrong without saying what: the cause goes to the server's output."""
    if request.url.path.startswith("/api"):
        problem = Problem("server", "an error of the program", "none")
        return JSONResponse(
            {"detail": problem_json(problem, language_of(request))}, status_code=500
        )
    return plain_page(request, "broken.html.j2", {}, status=500)
