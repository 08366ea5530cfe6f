"""Names for models: registered beside their code, unique, with a helpful miss."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Generic, TypeVar

from axilla.records.errors import ConfigError, Problem

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Maps a name to what was registered under it."""

    def __init__(self, kind: str) -> None:
        """Make an empty registry; `kind` is how errors call its entries."""
        self._kind = kind
        self._entries: dict[str, Entry] = {}

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
        """Return all registered names, in order of registration."""
        return tuple(self._entries)

    def __getitem__(self, name: str) -> Entry:
        if name in self._entries:
            return self._entries[name]
        near = get_close_matches(name, self._entries, n=1)
        raise ConfigError(
            Problem(
                f"study.toml, {self._kind}",
                repr(name),
                f"one of {', '.join(self._entries)}",
                f"Did you mean {near[0]}?" if near else "",
            )
        )
