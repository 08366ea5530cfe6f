"""Environments of their own for rivals whose dependencies exclude axilla's; made on first use."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import Result

_HERE = Path(__file__).parent


def create_environment(
    name: str, wanted: Sequence[str], *, without_dependencies: Sequence[str] = ()
) -> Path:
    """Return the interpreter of environment `.NAME`, into which uv installed `wanted`."""
    environment = _HERE / f".{name}"
    python = environment / "bin" / "python"
    if not (environment / "ready").is_file():
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)  # noqa: S603
        subprocess.run([*install, *wanted], check=True)  # noqa: S603
        for package in without_dependencies:
            subprocess.run([*install, "--no-deps", package], check=True)  # noqa: S603
        (environment / "ready").touch()
    return python


def run_script(python: Path, runner: str, *arguments: object, folder: Path) -> Result:
    """Run a file of this folder by another interpreter; return what it prints after RESULT."""
    done = subprocess.run(  # noqa: S603
        [str(python), str(_HERE / runner), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"{runner} failed:\n{done.stderr[-3000:]}")
    found: Result = json.loads(line.removeprefix("RESULT "))
    return found
