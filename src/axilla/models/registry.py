"""Registry of models by name, with plugins of other distributions."""

from collections.abc import Callable, Container
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeGuard, TypeVar

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


def _anything(entry: object) -> TypeGuard[Any]:
    del entry
    return True


class Registry(Generic[Entry]):
    """Maps a name to what was registered under it, here or by an entry point of `group`."""

    def __init__(
        self,
        kind: str,
        *,
        group: str | None = None,
        accepts: Callable[[object], TypeGuard[Entry]] = _anything,
        wanted: str = "an entry",
    ) -> None:
        """Make an empty registry; `kind` is how errors call its entries.

        Plugins in the entry points of `group` are looked for at the first name that is not built
        in. `accepts` tells whether a plugin's object is of the right type, `wanted` names that
        type.
        """
        self._kind = kind
        self._group = group
        self._accepts = accepts
        self._wanted = wanted
        self._entries: dict[str, Entry] = {}
        self._plugins: dict[str, EntryPoint] | None = None
        self._loaded: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that files its object under `name`; a second use is an error."""

        def file(entry: Entry) -> Entry:
            if name in self._entries:
                raise ConfigError(
                    f"{self._kind} {name!r} is registered twice; choose another name."
                )
            self._entries[name] = entry
            return entry

        return file

    def names(self) -> tuple[str, ...]:
        """Return all registered names in order of registration, then all plugins' names."""
        return (*self._entries, *self._find_entry_points())

    def distribution_of(self, name: str) -> str | None:
        """Return the distribution and version of the plugin `name`, None for what is built in."""
        if name in self._entries or name not in self._find_entry_points():
            return None
        return distribution_of(self._find_entry_points()[name])

    def __getitem__(self, name: str) -> Entry:
        if name in self._entries:
            return self._entries[name]
        if name in self._find_entry_points():
            return self._plugin(name)
        near = get_close_matches(name, self.names(), n=1)
        raise ConfigError(
            Problem(
                f"study.toml, {self._kind}",
                repr(name),
                f"one of {', '.join(self.names())}",
                f"Did you mean {near[0]}?" if near else "",
            )
        )

    def _find_entry_points(self) -> dict[str, EntryPoint]:
        if self._plugins is None:
            group, taken = self._group, self._entries
            self._plugins = installed_plugins(group, taken=taken) if group else {}
        return self._plugins

    def _plugin(self, name: str) -> Entry:
        if name not in self._loaded:
            point = self._find_entry_points()[name]
            self._loaded[name] = load_plugin(point, accepts=self._accepts, wanted=self._wanted)
        return self._loaded[name]
