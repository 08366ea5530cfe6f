"""Trials on a machine without the study's folder: files are sent along, the result comes back."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from axilla.records.errors import Problem, StudyError
from axilla.training.engine.cache_files import stored
from axilla.training.engine.engine import Trial

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file that a trial reads: where the driver has it, its size, and what fetches its bytes."""

    path: Path
    size_bytes: int
    content: Any

    def lay(self, target: Path, *, fetch: Callable[[Any], NDArray[np.uint8]]) -> None:
        """Make `target` this file: a link if this machine has it too, else a fetched copy."""
        if _has_size(target, self.size_bytes):
            return
        with stored(target) as temporary:
            if _has_size(self.path, self.size_bytes):
                temporary.symlink_to(self.path)
            else:
                fetch(self.content).tofile(temporary)


def scratch_folder(run: str) -> Path:
    """Return this machine's own folder for files of a run; all its processes share it."""
    return Path(tempfile.gettempdir()) / f"axilla-{run}"


def run_relocated(
    trial: Trial,
    parcels: Sequence[Parcel],
    *,
    name: str,
    scratch: Path,
    device: torch.device,
    fetch: Callable[[Any], NDArray[np.uint8]],
) -> bytes:
    """Run a trial with `scratch` in the place of its cache; return the bytes of its result.

    `name` is what its file is called on the driver; another name here tells of other weights.
    """
    scratch.mkdir(mode=0o700, exist_ok=True)
    for parcel in parcels:
        parcel.lay(rerooted(parcel.path, trial.cache, scratch), fetch=fetch)
    moved = rerooted(trial, trial.cache, scratch)
    if moved.path.name != name:
        found = "pretrained weights of another size or date"
        remedy = "Give every node the same AXILLA_WEIGHTS, copied with their dates."
        raise StudyError(Problem("a node of the cluster", found, "those of the driver", remedy))
    moved.run(device)
    result = moved.path.read_bytes()
    moved.path.unlink()
    return result


def rerooted(value: T, old: Path, new: Path) -> T:
    """Return plain data with every path below `old` moved below `new`, and nothing else changed."""
    return _rerooted(value, old, new)  # type: ignore[no-any-return]


def _rerooted(value: Any, old: Path, new: Path) -> Any:
    if isinstance(value, Path):
        return new / value.relative_to(old) if value.is_relative_to(old) else value
    if isinstance(value, tuple | list):
        items = [_rerooted(item, old, new) for item in value]
        return value if _same(items, value) else type(value)(items)
    if isinstance(value, Mapping):
        moved = {key: _rerooted(item, old, new) for key, item in value.items()}
        return value if _same(moved.values(), value.values()) else moved
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        moved = {name: _rerooted(part, old, new) for name, part in parts.items()}
        return value if _same(moved.values(), parts.values()) else replace(value, **moved)
    return value


def _same(ours: Any, theirs: Any) -> bool:
    return all(one is other for one, other in zip(ours, theirs, strict=True))


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes
