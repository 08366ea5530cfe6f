"""The results folder: files are written atomically, under a lock where several programs write."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import pandas as pd


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old content or the new, never a part."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path` that takes its place when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a study keeps its results; `root` is the study folder."""

    root: Path

    @property
    def results(self) -> Path:
        """Folder of everything a run writes."""
        return self.root / "results"

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again; safe to delete."""
        return self.results / "cache"

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self.results / "figures"

    @property
    def bundle(self) -> Path:
        """The file that carries the chosen model to another hospital."""
        return self.results / "bundle.axilla"

    def table(self, name: str) -> Path:
        """Path of a results table, as `predictions.csv`."""
        return self.results / name

    def write_table(self, name: str, table: "pd.DataFrame") -> None:
        """Write a table as UTF-8 CSV with full float precision."""
        write_bytes(self.table(name), table.to_csv(index=False, lineterminator="\n").encode())

    def write_json(self, name: str, content: Any) -> None:
        """Write indented JSON."""
        text = json.dumps(content, indent=2, sort_keys=False, ensure_ascii=False)
        write_bytes(self.results / name, f"{text}\n".encode())

    def update_json(self, name: str, more: dict[str, Any]) -> None:
        """Add keys to a JSON object that an earlier stage wrote."""
        content = json.loads((self.results / name).read_text(encoding="utf-8"))
        self.write_json(name, content | more)


if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold the lock of `path` while its content is read, changed and written.

    It ends with the block, and with the process, however that ends. Threads exclude each other too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a", encoding="utf-8") as stream:
        if sys.platform == "win32":
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
