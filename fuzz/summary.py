"""What a hunt saw, as a table for people and as JSON."""

import os
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from platform import python_version
from typing import Any

from fuzz.hunt import Seen

_LIBRARIES = ("axilla", "pillow", "pydicom", "openpyxl", "openslide-python", "safetensors")


def as_lines(seen: Sequence[Seen], *, seconds: float) -> list[str]:
    """Return a Markdown table, one row per format."""
    rows = [_row(name, [s for s in seen if s.asked.form == name]) for name in _names(seen)]
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return [
        "| Format | Inputs | Read | Refused | Failed | Slowest, s | Highest memory, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        _row("all", seen),
        "",
        f"In {seconds:.0f} s on {os.cpu_count()} cores; Python {python_version()}, {libraries}.",
    ]


def as_json(seen: Sequence[Seen], *, seconds: float, seed: int, workers: int) -> dict[str, Any]:
    """Return the same for programs, with every failing case."""
    return {
        "inputs": len(seen),
        "seconds": round(seconds, 1),
        "seed": seed,
        "workers": workers,
        "formats": {name: _of_format(name, seen) for name in _names(seen)},
        "failed": [f"{s.asked.form}:{s.asked.number} {s.outcome}" for s in seen if s.failed],
    }


def _of_format(name: str, seen: Sequence[Seen]) -> dict[str, Any]:
    mine = [s for s in seen if s.asked.form == name]
    slowest = max(mine, key=lambda s: s.cpu_seconds)
    highest = max(mine, key=lambda s: s.peak_mib)
    return {
        "outcomes": dict(Counter(s.outcome for s in mine)),
        "slowest": f"{name}:{slowest.asked.number}",
        "slowest_cpu_seconds": round(slowest.cpu_seconds, 2),
        "highest": f"{name}:{highest.asked.number}",
        "highest_peak_mib": highest.peak_mib,
    }


def _names(seen: Sequence[Seen]) -> list[str]:
    return sorted({s.asked.form for s in seen})


def _row(name: str, seen: Sequence[Seen]) -> str:
    count = Counter(s.outcome for s in seen)
    failed = sum(s.failed for s in seen)
    slowest = max(seen, key=lambda s: s.cpu_seconds, default=None)
    highest = max((s.peak_mib for s in seen), default=0)
    cells = (name, len(seen), count["read"], count["refused"], failed,
             f"{slowest.cpu_seconds if slowest else 0:.2f}", highest)  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"
