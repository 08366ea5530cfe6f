"""The reader study over the API, for its lead: packets, readers, answers and scores."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from axilla.explanation.reader_study.blinding_key import Key
from axilla.records.errors import Problem
from axilla.web.accounts import account_store
from axilla.web.accounts.roles import Actor, Permission, Role
from axilla.web.core import audit_log
from axilla.web.core.api_errors import Number, WebPart, refusals, require_permission
from axilla.web.core.http_errors import InvalidError, NotFoundError
from axilla.web.reader_study import reader_answers
from axilla.web.reader_study.packet_contents import open_questions
from axilla.web.reader_study.packet_exports import ExportRequest, Job
from axilla.web.reader_study.reader_answers import ReadCase
from axilla.web.reader_study.reader_scores import SUMMARY, answers_table, last_scores, score
from axilla.web.state import AppState

router = APIRouter(prefix="/api/readings", responses=refusals(), tags=["readings"])
Lead = Annotated[Actor, Depends(require_permission(Permission.SCORE))]
ReaderName = Annotated[str, Path(pattern=r"^R[0-9]{1,2}$")]


class ReaderState(BaseModel):
    """A reader of the export: who it is, and how far."""

    reader: str
    user_id: int | None
    name: str | None
    cases_done: int
    answered: int
    of: int
    last_saved_at: float | None
    finished_at: float | None


class ReaderAccount(BaseModel):
    """An account that may read."""

    id: int
    name: str


class ExportSummary(BaseModel):
    """The last export: cases, and how many of them are shown once more with a decoy map."""

    packet: str
    seed: int
    model: str
    patients: int
    decoys: int
    criteria: dict[str, list[str]]
    readers: list[ReaderState]


class ReadingStudy(BaseModel):
    """The whole reader study; `exported` is null before the first export."""

    exported: ExportSummary | None
    candidates: list[ReaderAccount]
    job: Job
    scored: bool


class NewExport(BaseModel, extra="forbid"):
    """What to export; `replace` gives up an earlier export that nobody has answered."""

    cases: Annotated[int, Field(ge=1, le=9999)] = 50
    readers: Annotated[int, Field(ge=1, le=99)] = 2
    seed: Annotated[int | None, Field(ge=0, le=2**32 - 1)] = None
    replace: bool = False


class Assigned(BaseModel, extra="forbid"):
    """Who reads a packet; null for nobody."""

    user_id: Number | None


class NewScores(BaseModel, extra="forbid"):
    """How to score; `strict` scores nothing unless every answer is there and valid."""

    strict: bool = False


class Scores(BaseModel):
    """What the answers come to, as results/review/summary.json has it."""

    packet: str
    model: str
    readers: list[str]
    cases: int
    decoys: int
    ratings: int
    model_right: int
    model_known: int
    faults: list[str]
    missing: list[str]
    agreement: list[dict[str, Any]]
    comparison: list[dict[str, Any]]


@router.get("")
def study(web: WebPart, _lead: Lead) -> ReadingStudy:
    """Return the export, its readers and how far they are."""
    try:
        key = web.packets.key()
    except NotFoundError:
        key = None
    with web.database.reading() as session:
        return ReadingStudy(
            exported=_summarise_export(session, key) if key else None,
            candidates=_candidates(session, web),
            job=web.exports.job,
            scored=web.settings.folder.table(SUMMARY).is_file(),
        )


@router.post("/exports", status_code=202, responses=refusals(503))
def export(web: WebPart, lead: Lead, new: NewExport) -> Job:
    """Begin to write one packet per reader; GET /api/readings tells how far it is."""
    job = web.exports.start(
        ExportRequest(**new.model_dump()), held=lambda: _list_answering_readers(web)
    )
    with web.database.writing() as session:
        audit_log.record(session, lead, "reading.export", detail=new.model_dump())
    return job


@router.put("/readers/{reader}", status_code=204, responses=refusals(404, 409))
def assign(web: WebPart, lead: Lead, reader: ReaderName, given: Assigned) -> None:
    """Give a packet to an account that may read, or to nobody."""
    key = _key_with(web, reader)
    with web.database.writing() as session:
        name = ""
        if given.user_id is not None:
            name = account_store.user_of(session, given.user_id).name
            if given.user_id not in {one.id for one in _candidates(session, web)}:
                expected = "an open account with the role reader"
                raise InvalidError(Problem(name, "no reader", expected, "Give it the role first."))
        reader_answers.assign(session, key.packet, reader=reader, user_id=given.user_id)
        audit_log.record(session, lead, "reading.assign", reader, detail={"to": name})


@router.post("/readers/{reader}/reopen", status_code=204, responses=refusals(404))
def reopen(web: WebPart, lead: Lead, reader: ReaderName) -> None:
    """Let a reader who has finished change answers again."""
    key = _key_with(web, reader)
    with web.database.writing() as session:
        reader_answers.reopen(session, key.packet, reader=reader)
        audit_log.record(session, lead, "reading.reopen", reader)


@router.get(
    "/answers.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "A table."}, **refusals(404)},
)
def answers(web: WebPart, lead: Lead) -> Response:
    """Return all answers as `axilla review score` reads them."""
    key = web.packets.key()
    with web.database.writing() as session:
        kept = _load_answers(session, key)
        audit_log.record(session, lead, "reading.answers", key.packet)
    headers = {"Content-Disposition": 'attachment; filename="answers.csv"'}
    return Response(answers_table(key, kept), media_type="text/csv", headers=headers)


@router.post("/scores", responses=refusals(404))
def make_scores(web: WebPart, lead: Lead, new: NewScores) -> Scores:
    """Score all answers, and write the tables of `axilla review score` into results/review."""
    key = web.packets.key()
    with web.database.writing() as session:
        kept = _load_answers(session, key)
        audit_log.record(session, lead, "reading.score", key.packet)
    return Scores.model_validate(score(web.settings.folder, key, kept, strict=new.strict))


@router.get("/scores", responses=refusals(404))
def scores(web: WebPart, _lead: Lead) -> Scores:
    """Return what was scored last."""
    return Scores.model_validate(last_scores(web.settings.folder))


def _list_answering_readers(web: AppState) -> tuple[str, ...]:
    """Return who has answered the present export, after the last answer under way is saved."""
    try:
        packet = web.packets.key().packet
    except NotFoundError:
        return ()
    with web.database.writing() as session:
        reader_answers.hold(session)
        return reader_answers.readers_with_answers(session, packet)


def _key_with(web: AppState, reader: str) -> Key:
    key = web.packets.key()
    if reader not in key.orders:
        expected = f"one of {', '.join(key.orders)}"
        raise NotFoundError(Problem("reader", reader, expected))
    return key


def _load_answers(session: Session, key: Key) -> dict[str, dict[str, ReadCase]]:
    found = {r: reader_answers.read_cases(session, key.packet, reader=r) for r in key.orders}
    return {reader: cases for reader, cases in found.items() if cases}


def _summarise_export(session: Session, key: Key) -> ExportSummary:
    patients = len({item.patient_id for item in key.items})
    places, kept = reader_answers.places_of(session, key.packet), _load_answers(session, key)
    names = {user.id: user.name for user in account_store.all_users(session)}
    states = []
    for reader, order in key.orders.items():
        place, own = places.get(reader), kept.get(reader, {})
        left = {code: open_questions(key, code, own.get(code)) for code in order}
        of = sum(open_questions(key, code, None) for code in order)
        states.append(
            ReaderState(
                reader=reader,
                user_id=place.user_id if place else None,
                name=names.get(place.user_id) if place else None,
                cases_done=sum(not number for number in left.values()),
                answered=of - sum(left.values()),
                of=of,
                last_saved_at=max((one.saved_at for one in own.values()), default=None),
                finished_at=place.submitted_at if place else None,
            )
        )
    return ExportSummary(
        packet=key.packet,
        seed=key.seed,
        model=key.model,
        patients=patients,
        decoys=len(key.items) - patients,
        criteria={modality: list(texts) for modality, texts in key.criteria.items()},
        readers=states,
    )


def _candidates(session: Session, web: AppState) -> list[ReaderAccount]:
    """Return who may read; without accounts, whoever sits at this machine."""
    return [
        ReaderAccount(id=user.id, name=user.name)
        for user in account_store.all_users(session)
        if (user.active and Role.READER in user.roles) or user.id == web.local
    ]
