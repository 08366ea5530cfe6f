"""Models of other distributions, found through their entry points."""

from collections.abc import Callable, Container
from importlib.metadata import EntryPoint, entry_points
from typing import TypeGuard, TypeVar

from axilla.records.errors import ConfigError, Problem

Entry = TypeVar("Entry")


def installed_plugins(group: str, *, taken: Container[str]) -> dict[str, EntryPoint]:
    """Return the entry points of `group` by name, without importing any.

    Raises `ConfigError` for all that carry a name in `taken`, or one another's name.
    """
    found: dict[str, EntryPoint] = {}
    problems: list[Problem] = []
    for point in sorted(entry_points(group=group), key=_place):
        if point.name in taken:
            problems.append(_name_in_use(point, "axilla itself"))
        elif point.name in found:
            problems.append(_name_in_use(point, _publisher(found[point.name])))
        else:
            found[point.name] = point
    if problems:
        raise ConfigError(problems)
    return found


def load_plugin(
    point: EntryPoint, *, accepts: Callable[[object], TypeGuard[Entry]], wanted: str
) -> Entry:
    """Import what an entry point names; raise `ConfigError` if that fails or is not `wanted`."""
    try:
        entry: object = point.load()
    except Exception as error:  # a stranger's module may raise anything when it is imported
        raise ConfigError(
            Problem(
                _place(point),
                f"{point.value}, whose import fails: {type(error).__name__}: {error}",
                "an importable object",
                f"Mend or update {_publisher(point)}, or uninstall it.",
            )
        ) from error
    if not accepts(entry):
        raise ConfigError(
            Problem(
                _place(point),
                f"{point.value}, a {type(entry).__name__}",
                wanted,
                f"Correct the entry point of {_publisher(point)}, or uninstall it.",
            )
        )
    return entry


def distribution_of(point: EntryPoint) -> str:
    """Return the name and version of the distribution that an entry point belongs to."""
    dist = point.dist
    return f"{dist.name} {dist.version}" if dist else f"a module {point.module}"


def _name_in_use(point: EntryPoint, holder: str) -> Problem:
    return Problem(
        _place(point),
        f"the name {point.name!r}, which {holder} uses",
        "a name of its own",
        f"Rename the entry point, or uninstall {_publisher(point)}.",
    )


def _publisher(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def _place(point: EntryPoint) -> str:
    return f"entry point {point.name} ({point.group}) of {distribution_of(point)}"
