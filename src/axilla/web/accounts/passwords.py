"""Passwords: Argon2id, and no difference in time between a wrong one and an unknown name."""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from axilla.records.errors import Problem
from axilla.web.core.http_errors import InvalidError

SHORTEST: Final = 12
_LONGEST: Final = 256
_FEWEST_SIGNS: Final = 5
_hasher = PasswordHasher()


def checked_password(password: str, *, name: str) -> str:
    """Return a password that may be used; raise `InvalidError` for one that is easily guessed."""
    found = None
    if not SHORTEST <= len(password) <= _LONGEST:
        found = f"{len(password)} characters"
    elif len(set(password)) < _FEWEST_SIGNS:
        found = "the same few characters over and over"
    elif name.casefold() in password.casefold():
        found = "your name in it"
    if found:
        expected = f"{SHORTEST} to {_LONGEST} characters that nobody guesses"
        remedy = "Four or five unrelated words are easy to keep in mind."
        raise InvalidError(Problem("password", found, expected, remedy))
    return password


def hash_password(password: str) -> str:
    """Return what is kept of a password: Argon2id with its salt and cost."""
    return _hasher.hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Tell whether this is the password; of nobody's, after the same work."""
    try:
        return _hasher.verify(kept or _nobodys(), password) and kept is not None
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def needs_rehash(kept: str) -> bool:
    """Tell whether a hash was made at a lower cost than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return _hasher.hash("a password that nobody has")
