"""API of predictions: the bundle, and one case."""

import asyncio
import time
from concurrent.futures import Future
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from axilla.records.errors import Problem
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core import audit_log
from axilla.web.core.api_errors import WebPart, refusals, require_permission
from axilla.web.core.http_errors import BusyError
from axilla.web.prediction.case_form import FORM, case_of, form_of
from axilla.web.prediction.prediction_schemas import (
    BundleTold,
    PredictionAnswer,
    bundle_told,
    prediction_told,
)
from axilla.web.prediction.prediction_service import Made
from axilla.web.prediction.worker.worker_process import Message
from axilla.web.state import AppState

router = APIRouter(prefix="/api", responses=refusals(404, 503))
Predicts = Annotated[Actor, Depends(require_permission(Permission.PREDICT))]


async def wait_for_answer(future: Future[Message]) -> Message:
    """Return the answer; raise what the desk raises, and `BusyError` if the server stops first."""
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError as error:
        problem = Problem("server", "one that stops", "an answer", "Try again a little later.")
        raise BusyError(problem, retry_after_s=5) from error


@router.get("/bundle")
def bundle(web: WebPart, _actor: Predicts) -> BundleTold:
    """Return what the served bundle predicts, from what, and how well that was measured."""
    return bundle_told(web.desks.bundle.get_info(), name=web.desks.bundle.name)


@router.post("/predict", openapi_extra=FORM)
async def predict(request: Request, web: WebPart, actor: Predicts) -> PredictionAnswer:
    """Predict one case; what is uploaded stays in memory and is gone with the answer."""
    known = await run_in_threadpool(web.desks.bundle.get_info)
    async with form_of(request, web) as form:
        message = (await case_of(form, known.manifest)).message()
        del form
        answer = await wait_for_answer(web.desks.predictions.submit(message))
    at = time.time()
    await run_in_threadpool(_record, web, actor, answer)
    key = web.desks.recent.keep(Made(actor.user_id, at, answer))
    return prediction_told(answer, key=key, made_at=at)


def _record(web: AppState, actor: Actor, answer: Message) -> None:
    """Write that somebody predicted, with which bundle and from what, and no patient's data."""
    used = answer.content["used"]
    with web.database.writing() as session:
        audit_log.record(session, actor, "predict", answer.content["digest"], detail={"used": used})
