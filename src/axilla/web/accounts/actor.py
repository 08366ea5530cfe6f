"""The person behind a request."""

from dataclasses import dataclass

from axilla.records.errors import Problem
from axilla.web.accounts.roles import Permission, Role, permissions_of
from axilla.web.core.http_errors import NotAllowed


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
        """Raise `NotAllowed` unless one of these is granted."""
        if not any(self.may(permission) for permission in permissions):
            found = ", ".join(self.roles) or "no role"
            expected = f"one who may {' or '.join(permissions)}"
            remedy = "Ask the study's lead for the role."
            raise NotAllowed(Problem(self.name, found, expected, remedy))
