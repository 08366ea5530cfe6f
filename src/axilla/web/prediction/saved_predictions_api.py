"""Predictions that somebody keeps: the one thing that uploads can leave behind."""

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core import audit_log
from axilla.web.core.api_errors import Number, WebPart, refusals, require_permission
from axilla.web.prediction import saved_predictions
from axilla.web.prediction.prediction_schemas import PredictionAnswer, result_of, with_pictures

router = APIRouter(prefix="/api/predictions", responses=refusals())
Predicts = Annotated[Actor, Depends(require_permission(Permission.PREDICT))]


class ToSave(BaseModel, extra="forbid"):
    """Which prediction to save, by the key of its answer, and under which name."""

    key: Annotated[str, Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(max_length=80)] = ""


class SavedSummary(BaseModel):
    """A saved prediction in short."""

    id: int
    name: str
    owner: str
    made_at: float
    saved_at: float
    bundle: str
    probability: float
    call: str


class SavedWhole(SavedSummary):
    """A saved prediction with everything that was answered, pictures included."""

    result: PredictionAnswer


@router.get("")
def list_saved(web: WebPart, actor: Predicts) -> list[SavedSummary]:
    """Return the predictions that you saved; for a lead, those of everybody."""
    with web.database.reading() as session:
        return [_short(one, owner) for one, owner in saved_predictions.seen_by(session, actor)]


@router.post("", status_code=201, responses=refusals(404))
def save(web: WebPart, actor: Predicts, wanted: ToSave) -> SavedSummary:
    """Write a prediction that you just made, with its heatmaps; uploads are not kept."""
    made = web.desks.recent.find(wanted.key, user_id=actor.user_id)
    with web.database.writing() as session:
        kept = saved_predictions.save(
            session,
            actor.user_id,
            name=wanted.name,
            made_at=made.at,
            result=result_of(made.message, made_at=made.at),
            pictures=made.message.blobs,
        )
        audit_log.record(session, actor, "prediction.save", str(kept.id))
        return _short(kept, actor.name)


@router.get("/{number}", responses=refusals(404))
def one(web: WebPart, actor: Predicts, number: Number) -> SavedWhole:
    """Return a saved prediction whole, as a file to keep."""
    with web.database.writing() as session:
        kept = saved_predictions.one_of(session, actor, number)
        pictures = [b64encode(p).decode() for p in saved_predictions.pictures_of(session, number)]
        audit_log.record(session, actor, "prediction.see", str(number))
        owner = saved_predictions.owner_of(session, kept)
        result = PredictionAnswer(**with_pictures(kept.content, pictures))
        return SavedWhole(**_short(kept, owner).model_dump(), result=result)


@router.delete("/{number}", status_code=204, responses=refusals(404))
def forget(web: WebPart, actor: Predicts, number: Number) -> None:
    """Delete a saved prediction and its pictures."""
    with web.database.writing() as session:
        saved_predictions.forget(session, saved_predictions.one_of(session, actor, number))
        audit_log.record(session, actor, "prediction.delete", str(number))


def _short(kept: saved_predictions.SavedPrediction, owner: str) -> SavedSummary:
    return SavedSummary(
        id=kept.id,
        name=kept.name,
        owner=owner,
        made_at=kept.made_at,
        saved_at=kept.saved_at,
        bundle=kept.bundle,
        probability=kept.probability,
        call=kept.call,
    )
