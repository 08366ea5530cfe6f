"""A reader's own packet over the API: cases, pictures, answers, and the end of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from axilla.explanation.reader_study.blinding_key import Key
from axilla.records.errors import Problem
from axilla.records.types import ImageModality
from axilla.web.accounts.roles import Actor, Permission
from axilla.web.core import audit_log
from axilla.web.core.api_errors import WebPart, refusals, require_permission
from axilla.web.core.http_errors import InvalidError, NotFoundError
from axilla.web.reader_study import reader_answers
from axilla.web.reader_study.packet_contents import (
    PictureKind,
    Places,
    answers_of,
    open_questions,
    questions,
)
from axilla.web.reader_study.reader_answers import ReadCase, ReaderAnswer, ReadingPlace
from axilla.web.reader_study.reader_scores import write_answers

router = APIRouter(prefix="/api/readings/mine", responses=refusals(404), tags=["readings"])
Reader = Annotated[Actor, Depends(require_permission(Permission.READ))]
Code = Annotated[str, Path(pattern=r"^C[0-9]{2,6}$")]


class CaseState(BaseModel):
    """A case of the packet, and how many of its questions are answered."""

    code: str
    answered: int
    of: int


class OwnPacket(BaseModel):
    """What somebody reads: cases in their own order, and where they stopped."""

    reader: str
    cases: list[CaseState]
    at: str
    finished: bool


class OwnAnswer(BaseModel, extra="forbid"):
    """An answer to one criterion; null is not answered yet."""

    modality: ImageModality
    criterion: Annotated[str, Field(min_length=1, max_length=120)]
    present: bool | None = None
    matches: bool | None = None
    comment: Annotated[str, Field(max_length=500)] = ""


class PacketImage(BaseModel):
    """An image of a case; `box` says where its map lies: left, top, width, height in percent."""

    modality: ImageModality
    width: int
    height: int
    box: list[float]


class OwnCase(BaseModel):
    """A case as a reader sees it; `version` goes with the answers when they are saved."""

    code: str
    version: int
    images: list[PacketImage]
    answers: list[OwnAnswer]


class OwnAnswers(BaseModel, extra="forbid"):
    """Answers to one case, over the version that was seen."""

    version: Annotated[int, Field(ge=0, le=2**31 - 2)]
    answers: Annotated[list[OwnAnswer], Field(max_length=200)]


class SaveResult(BaseModel):
    """What is kept now."""

    version: int
    answered: int
    of: int


@router.get("")
def packet(web: WebPart, actor: Reader) -> OwnPacket:
    """Return your packet."""
    key = web.packets.key()
    with web.database.reading() as session:
        place, kept = _own(session, key, actor)
    states = [_state(key, code, kept.get(code)) for code in key.orders[place.reader]]
    return OwnPacket(
        reader=place.reader,
        cases=states,
        at=place.at,
        finished=place.submitted_at is not None,
    )


@router.get("/cases/{code}")
def case(web: WebPart, actor: Reader, code: Code) -> OwnCase:
    """Return one case; it is where you go on next time."""
    key = web.packets.key()
    with web.database.writing() as session:
        place, kept = _own(session, key, actor)
        _require_case(key, place.reader, code)
        shown = web.packets.places(place.reader)
        place.at = code
        audit_log.record(session, actor, "reading.see", code, detail={"reader": place.reader})
    found = kept.get(code)
    return OwnCase(
        code=code,
        version=found.version if found else 0,
        images=[_picture(shown, code, modality) for modality in key.item(code).modalities],
        answers=[OwnAnswer(**_plain(one)) for one in answers_of(key, code, found)],
    )


@router.put("/cases/{code}", responses=refusals(404, 409, 503))
def save(web: WebPart, actor: Reader, code: Code, given: OwnAnswers) -> SaveResult:
    """Save your answers to one case; refused if another window saved others meanwhile."""
    with web.database.writing() as session:
        reader_answers.hold(session)
        web.exports.require_none()
        key = web.packets.key()
        place, _ = _own(session, key, actor)
        _require_case(key, place.reader, code)
        answers = _check_answers(key, code, given.answers)
        kept = reader_answers.save_case(
            session, place, code, version=given.version, answers=answers
        )
        detail = {"reader": place.reader, "version": kept.version}
        audit_log.record(session, actor, "reading.save", code, detail=detail)
        state = _state(key, code, kept)
    return SaveResult(version=kept.version, answered=state.answered, of=state.of)


@router.get(
    "/cases/{code}/images/{modality}/{kind}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A PNG."}, **refusals(404)},
)
def picture(
    web: WebPart, actor: Reader, code: Code, modality: ImageModality, kind: PictureKind
) -> Response:
    """Return the image of a case, or the map to lay over it."""
    key = web.packets.key()
    with web.database.reading() as session:
        place, _ = _own(session, key, actor)
    _require_case(key, place.reader, code)
    if modality not in key.item(code).modalities:
        raise NotFoundError(Problem(code, f"no {modality}", "an image that the case has"))
    content = web.packets.picture(place.reader, code, modality, kind=kind)
    return Response(content, media_type="image/png")


@router.post("/finish", status_code=204, responses=refusals(404, 409))
def finish(web: WebPart, actor: Reader) -> None:
    """Say that you have read everything; answers cannot be changed afterwards."""
    key = web.packets.key()
    with web.database.writing() as session:
        place, kept = _own(session, key, actor)
        order = key.orders[place.reader]
        left = {code: open_questions(key, code, kept.get(code)) for code in order}
        unanswered = {code: number for code, number in left.items() if number}
        reader_answers.submit(session, place, unanswered=unanswered)
        audit_log.record(session, actor, "reading.finish", place.reader)
    write_answers(web.settings.folder, key, {place.reader: kept})


def _own(session: Session, key: Key, actor: Actor) -> tuple[ReadingPlace, dict[str, ReadCase]]:
    """Return the actor's place and answers; raise `NotFoundError` without a packet."""
    place = reader_answers.place_of(session, key.packet, user_id=actor.user_id)
    if place.reader not in key.orders:
        raise NotFoundError(Problem("packet", "none that is yours", "one of the last export"))
    return place, reader_answers.read_cases(session, key.packet, reader=place.reader)


def _require_case(key: Key, reader: str, code: str) -> None:
    if code not in key.orders[reader]:
        raise NotFoundError(Problem("case", "none of your packet", "a case that you were given"))


def _check_answers(key: Key, code: str, given: list[OwnAnswer]) -> list[ReaderAnswer]:
    """Return answers in the order of the questions; raise `InvalidError` for what was not asked."""
    known = questions(key, code)
    by_question = {(one.modality, one.criterion): one for one in given}
    if len(by_question) < len(given) or not set(by_question) <= set(known):
        expected = "each question of the case at most once"
        raise InvalidError(Problem("answers", "a question twice, or one not asked", expected))
    wrong = [one for one in given if one.matches is not None and one.present is not True]
    if wrong:
        expected = "whether attention matches only where the finding is present"
        raise InvalidError(Problem("answers", "a match of nothing", expected))
    kept = [by_question[pair] for pair in known if pair in by_question]
    return [ReaderAnswer(**one.model_dump()) for one in kept]


def _state(key: Key, code: str, kept: ReadCase | None) -> CaseState:
    of = len(questions(key, code))
    return CaseState(code=code, answered=of - open_questions(key, code, kept), of=of)


def _picture(shown: Places, code: str, modality: ImageModality) -> PacketImage:
    place = shown.get((code, modality))
    if place is None:
        raise NotFoundError(Problem(code, "no picture in the packet", "the packet of the key"))
    width, height = place.size_px
    return PacketImage(modality=modality, width=width, height=height, box=list(place.box_percent))


def _plain(one: ReaderAnswer) -> dict[str, object]:
    return {name: getattr(one, name) for name in OwnAnswer.model_fields}
