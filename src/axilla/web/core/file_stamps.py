"""Whether files have changed since they were read."""

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[str, int, int, int], ...]


def stamp_of(paths: Iterable[Path]) -> Stamp:
    """Return what changes when one of these files does, comes, or goes."""
    stamps = []
    for path in paths:
        try:
            state = path.stat()
        except (OSError, ValueError):
            stamps.append((str(path), 0, -1, 0))
            continue
        stamps.append((str(path), state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(stamps)
