"""Roles, what each allows, and the person behind a request."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from axilla.records.errors import Problem
from axilla.web.core.http_errors import InvalidError, NotAllowedError


class Role(StrEnum):
    """What somebody is in the study; one person may be several."""

    LEAD = "lead"
    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    READER = "reader"
    VIEWER = "viewer"


class Permission(StrEnum):
    """One thing that can be done."""

    ANNOTATE = "annotate"
    REVIEW = "review"
    SETTLE = "settle"
    PREDICT = "predict"
    READ = "read"
    SCORE = "score"
    SEE_RESULTS = "see_results"
    EXPORT = "export"
    MANAGE = "manage"
    AUDIT = "audit"


GRANTED: Final[dict[Role, frozenset[Permission]]] = {
    Role.LEAD: frozenset(
        {
            *(Permission.SETTLE, Permission.PREDICT, Permission.SCORE, Permission.SEE_RESULTS),
            *(Permission.EXPORT, Permission.MANAGE, Permission.AUDIT),
        }
    ),
    Role.ANNOTATOR: frozenset({Permission.ANNOTATE}),
    Role.REVIEWER: frozenset({Permission.REVIEW}),
    Role.READER: frozenset({Permission.READ}),
    Role.VIEWER: frozenset({Permission.SEE_RESULTS, Permission.PREDICT}),
}
# Whoever sees outcomes or predictions is not blind any more.
_UNBLINDED: Final = (Role.LEAD, Role.VIEWER)


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return all that these roles allow."""
    return frozenset[Permission]().union(*(GRANTED[role] for role in roles))


def checked_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """Return roles by name; raise `InvalidError` for unknown ones and for readers who see."""
    given = set(names)
    known = [role for role in Role if role in given]
    if not known or len(known) < len(given):
        unknown = ", ".join(sorted(given - set(known))) or "none"
        raise InvalidError(Problem("roles", unknown, f"some of {', '.join(Role)}"))
    if Role.READER in known and (seen := [role for role in known if role in _UNBLINDED]):
        remedy = "Give this person two accounts only if somebody else reads."
        found = f"reader and {seen[0]}"
        expected = "readers who cannot see outcomes or predictions"
        raise InvalidError(Problem("roles", found, expected, remedy))
    return tuple(known)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, from which address, and what they may do."""

    user_id: int
    name: str
    roles: tuple[Role, ...]
    address: str = ""
    session_id: int | None = None
    csrf: str = ""
    permissions: frozenset[Permission] | None = None

    def may(self, permission: Permission) -> bool:
        """Tell whether this person may do something."""
        granted = permissions_of(self.roles) if self.permissions is None else self.permissions
        return permission in granted

    def require(self, *permissions: Permission) -> None:
        """Raise `NotAllowedError` unless one of these is granted."""
        if not any(self.may(permission) for permission in permissions):
            found = ", ".join(self.roles) or "no role"
            expected = f"one who may {' or '.join(permissions)}"
            remedy = "Ask the study's lead for the role."
            raise NotAllowedError(Problem(self.name, found, expected, remedy))
