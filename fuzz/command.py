"""The command line of the hunt, and what it leaves behind: failures to rerun, and a summary."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fuzz.formats import FORMATS
from fuzz.hunt import Asked, Limits, Seen, Worker, hunt
from fuzz.summary import as_json, as_lines

_CHUNK = 25
_LEFT = Path("build") / "fuzz"


def main() -> None:
    """Fuzz all formats, or those named; exit 1 if any case failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=main.__doc__)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--inputs", type=int, default=10_000, help="cases in all (10000)")
    parser.add_argument("--seed", type=int, default=2026, help="makes other cases (2026)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--case", metavar="FORMAT:N", help="try one case and show what it does")
    asked = parser.parse_args()
    if unknown := set(asked.formats) - set(FORMATS):
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(FORMATS)}")
    if asked.case:
        name, _, number = asked.case.partition(":")
        sys.exit(_one(Asked(name, int(number), seed=asked.seed)))
    names = asked.formats or list(FORMATS)
    sys.exit(_many(names, inputs=asked.inputs, seed=asked.seed, workers=asked.workers))


def chunks_of(names: Sequence[str], *, inputs: int, seed: int) -> list[list[Asked]]:
    """Share `inputs` cases out among formats, in chunks of one format."""
    shares = [inputs // len(names) + (i < inputs % len(names)) for i in range(len(names))]
    return [
        [Asked(name, n, seed=seed) for n in range(start, min(start + _CHUNK, share))]
        for name, share in zip(names, shares, strict=True)
        for start in range(0, share, _CHUNK)
    ]


def _many(names: Sequence[str], *, inputs: int, seed: int, workers: int) -> int:
    shutil.rmtree(_LEFT, ignore_errors=True)  # what an earlier hunt left
    begun = time.monotonic()
    told = _Teller(inputs)
    seen = hunt(chunks_of(names, inputs=inputs, seed=seed), workers=workers, limits=Limits(),
                told=told)  # fmt: skip
    seconds = time.monotonic() - begun
    print(*as_lines(seen, seconds=seconds), sep="\n")
    _LEFT.mkdir(parents=True, exist_ok=True)
    found = as_json(seen, seconds=seconds, seed=seed, workers=workers)
    (_LEFT / "results.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(any(s.failed for s in seen))


class _Teller:
    """Says how far the hunt is, and keeps each failing input as it is found."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def __call__(self, seen: Seen) -> None:
        self._done += 1
        if self._done % 500 == 0:
            print(f"{self._done} of {self._total}", flush=True)
        if seen.failed:
            print(f"{seen.outcome}: {keep(seen)}", flush=True)


def keep(seen: Seen) -> Path:
    """Write a failing input, and beside it what it did and how to try it again."""
    asked = seen.asked
    folder = _LEFT / "failures"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{asked.form}-{asked.number}-{seen.history[0] if seen.history else ''}"
    path.write_bytes(seen.content)
    told = (
        f"python -m fuzz --seed {asked.seed} --case {asked.form}:{asked.number}",
        " > ".join(seen.history),
        f"{seen.outcome}, {seen.cpu_seconds:.2f} s of processor time, {seen.peak_mib} MiB",
        seen.said,
    )
    path.with_name(f"{path.name}.txt").write_text("\n".join(told) + "\n", encoding="utf-8")
    return path


def _one(asked: Asked) -> int:
    with Worker(Limits()) as worker:
        seen = worker.attempt(asked)
    if seen.failed:
        path = keep(seen)
        print(path, path.with_name(f"{path.name}.txt").read_text(encoding="utf-8"), sep="\n")
        return 1
    print(f"{seen.outcome}, {seen.cpu_seconds:.2f} s, {seen.peak_mib} MiB: {seen.said}")
    return 0
