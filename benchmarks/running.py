"""Run benchmarks, each in a fresh process, keep what they found in results.json, and print it."""

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import Result, machine

NAMES = (
    "embedding",
    "onnx_embedding",
    "finetune",
    "heads",
    "linear_heads",
    "study",
    "scale",
    "evidence",
    "duplicates",
    "check_speed",
    "explaining",
    "gpu",
    "serving",
    "startup",
    "time_limits",
)
RESULTS = Path(__file__).parent / "results.json"


def alone(name: str) -> None:
    """Run one benchmark: `python -m benchmarks.NAME [--quick]`."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    _add_quick(parser)
    run([name], quick=parser.parse_args().quick)


def main() -> None:
    """Run all benchmarks, or those named: `python -m benchmarks [NAME ...] [--quick]`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    _add_quick(parser)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    if asked.here:
        (name,) = asked.names
        print("RESULT " + json.dumps(_module(name).measure(quick=asked.quick)))
    else:
        run(asked.names or NAMES, quick=asked.quick)


def run(names: Sequence[str], *, quick: bool) -> None:
    """Run benchmarks one after another; what one found is kept whatever becomes of the next."""
    failed = [name for name in names if not _run(name, quick=quick)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def lines_of(name: str, result: Result) -> list[str]:
    """Return what a benchmark found as lines of Markdown."""
    skipped = result.get("skipped")
    return [f"Not measured: {skipped}."] if skipped else _module(name).report(result)


def known_results() -> Result:
    """Return what was found so far, by benchmark."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}


def _add_quick(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="tiny settings: does it run at all?")


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def _run(name: str, *, quick: bool) -> bool:
    call = [sys.executable, "-m", "benchmarks", name, "--here", *(["--quick"] if quick else [])]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(  # noqa: S603
        call, stdout=subprocess.PIPE, text=True, env=environment, check=False
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if done.returncode or line is None:
        return False
    result = json.loads(line.removeprefix("RESULT "))
    print(f"## {name}", "", *lines_of(name, result), "", sep="\n", flush=True)
    if not quick:
        found = known_results() | {name: {"machine": machine(), **result}}
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return True
