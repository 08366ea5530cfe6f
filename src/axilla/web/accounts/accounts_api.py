"""Accounts, tokens and the audit log over the API."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from axilla.web.accounts import account_store, sessions
from axilla.web.accounts.account_store import User
from axilla.web.accounts.roles import Actor, Permission, Role
from axilla.web.core import audit_log
from axilla.web.core.api_errors import Number, SignedIn, WebPart, refusals, require_permission

router = APIRouter(prefix="/api", responses=refusals())
Lead = Annotated[Actor, Depends(require_permission(Permission.MANAGE))]
Auditor = Annotated[Actor, Depends(require_permission(Permission.AUDIT))]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(min_length=1, max_length=256)]


class Me(BaseModel):
    """Who is signed in."""

    name: str
    roles: list[Role]
    permissions: list[Permission]


class Account(BaseModel):
    """Somebody's account."""

    id: int
    name: str
    roles: list[Role]
    active: bool
    created_at: float


class NewAccount(BaseModel, extra="forbid"):
    """An account to be made."""

    name: Name
    password: Password
    roles: Annotated[list[Role], Field(min_length=1, max_length=5)]


class AccountChange(BaseModel, extra="forbid"):
    """What of an account is to change; what is left out stays."""

    roles: Annotated[list[Role], Field(min_length=1, max_length=5)] | None = None
    active: bool | None = None
    password: Password | None = None


class Token(BaseModel):
    """A program's token, without its key."""

    id: int
    name: str
    created_at: float
    ends_at: float


class NewToken(BaseModel, extra="forbid"):
    """A token to be made."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    days: Annotated[int, Field(ge=1, le=sessions.MOST_DAYS)] = 90


class TokenMade(Token):
    """A token and its key, which is shown this once."""

    key: str


class AuditLogEntry(BaseModel):
    """One entry of the audit log; `detail` is JSON."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: str
    address: str


class Log(BaseModel):
    """Entries, the newest first, and whether the whole log is as it was written."""

    entries: list[AuditLogEntry]
    chain: Literal["whole", "broken"]
    broken_at: int | None


@router.get("/me")
def me(actor: SignedIn) -> Me:
    """Return who is signed in, and what they may do."""
    may = [permission for permission in Permission if actor.may(permission)]
    return Me(name=actor.name, roles=list(actor.roles), permissions=may)


@router.get("/users")
def users(web: WebPart, _lead: Lead) -> list[Account]:
    """Return every account."""
    with web.database.reading() as session:
        return [_account(user) for user in account_store.all_users(session)]


@router.post("/users", status_code=201, responses=refusals(409))
def add_user(web: WebPart, lead: Lead, new: NewAccount) -> Account:
    """Make an account."""
    with web.database.writing() as session:
        user = account_store.add_user(session, new.name, password=new.password, roles=new.roles)
        audit_log.record(session, lead, "user.add", user.name, detail={"roles": user.role_names})
        return _account(user)


@router.patch("/users/{user_id}", responses=refusals(404))
def change_user(web: WebPart, lead: Lead, user_id: Number, change: AccountChange) -> Account:
    """Change roles, close or open an account, or give it a new password; its sessions end."""
    with web.database.writing() as session:
        user = account_store.change_user(session, user_id, roles=change.roles, active=change.active)
        if change.password is not None:
            account_store.set_password(session, user_id, change.password)
        sessions.end_all_sessions(session, user_id, but=lead.session_id)
        detail = change.model_dump(exclude={"password"}, exclude_none=True)
        detail |= {"password": "changed"} if change.password else {}
        audit_log.record(session, lead, "user.change", user.name, detail=detail)
        return _account(user)


@router.get("/tokens")
def tokens(web: WebPart, actor: SignedIn) -> list[Token]:
    """Return your own tokens."""
    with web.database.reading() as session:
        return [
            Token.model_validate(token, from_attributes=True)
            for token in sessions.tokens_of(session, actor.user_id)
        ]


@router.post("/tokens", status_code=201)
def make_token(web: WebPart, actor: SignedIn, new: NewToken) -> TokenMade:
    """Make a token that speaks for you; its key is in this answer and nowhere else."""
    with web.database.writing() as session:
        token, key = sessions.make_token(session, actor.user_id, name=new.name, days=new.days)
        audit_log.record(session, actor, "token.make", token.name)
        own = Token.model_validate(token, from_attributes=True)
    return TokenMade(**own.model_dump(), key=key)


@router.delete("/tokens/{token_id}", status_code=204, responses=refusals(404))
def end_token(web: WebPart, actor: SignedIn, token_id: Number) -> None:
    """End one of your tokens."""
    with web.database.writing() as session:
        sessions.end_token(session, token_id, user_id=actor.user_id)
        audit_log.record(session, actor, "token.end", str(token_id))


@router.get("/audit")
def log(
    web: WebPart,
    _auditor: Auditor,
    before: Annotated[Number | None, Query()] = None,
    most: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Log:
    """Return who saw and changed what, and whether the log is whole."""
    with web.database.reading() as session:
        chain = audit_log.verify(session)
        found = audit_log.entries(session, before=before, most=most)
        return Log(
            entries=[AuditLogEntry.model_validate(entry, from_attributes=True) for entry in found],
            chain="whole" if chain.broken_at is None else "broken",
            broken_at=chain.broken_at,
        )


def _account(user: User) -> Account:
    return Account(
        id=user.id,
        name=user.name,
        roles=list(user.roles),
        active=user.active,
        created_at=user.created_at,
    )
