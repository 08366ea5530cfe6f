"""What a planned study may ask for: one clear sentence for a value that no study can have."""

from collections.abc import Sequence
from math import isfinite

from axilla.records.errors import ConfigError, Problem


def require_between(name: str, value: float, low: float, high: float, *, remedy: str = "") -> None:
    """Raise `ConfigError` unless the value lies strictly between two bounds; NaN never does."""
    if not low < value < high:
        wanted = f"a number above {low:g} and below {high:g}"
        raise ConfigError(Problem(name, f"{value:g}", wanted, remedy))


def require_at_least(name: str, value: float, least: float, *, remedy: str = "") -> None:
    """Raise `ConfigError` unless the value is finite and not below `least`."""
    if not (isfinite(value) and value >= least):
        raise ConfigError(Problem(name, f"{value:g}", f"{least:g} or more", remedy))


def require_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise `ConfigError` unless the value is one of those known."""
    if value not in known:
        raise ConfigError(Problem(name, repr(value), f"one of {', '.join(known)}"))
