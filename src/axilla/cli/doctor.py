"""`axilla doctor`: is this installation able to run a study, and if not, what mends it?"""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

import typer

from axilla.cli.console import out

State = Literal["PASS", "WARN", "FAIL"]
_COLOURS: dict[State, str] = {"PASS": "green", "WARN": "yellow", "FAIL": "red"}
_PACKAGES = ("torch", "torchvision", "timm", "scikit-learn", "scikit-image", "pandas", "pillow")
_FREE_GIB = 2
_SHIPPED_WEIGHTS = ("densenet121", "squeezenet", "efficientnet_lite0")


class InstallationCheck(NamedTuple):
    """One checked thing: how it is, what was seen, and the fix if one is needed."""

    state: State
    subject: str
    seen: str
    fix: str = ""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("doctor")(doctor)


def doctor() -> None:
    """Check the installation: PASS, WARN or FAIL for each part, with the fix; exit 1 on FAIL.

    Example: `axilla doctor`
    """
    failed = False
    for check in (_python, _packages, _pairing, _device, _weights, _sample, _disk):
        for finding in check():
            failed |= finding.state == "FAIL"
            colour = _COLOURS[finding.state]
            fix = f" Fix: {finding.fix}" if finding.fix else ""
            out.print(f"[{colour}]{finding.state}[/] {finding.subject}: {finding.seen}.{fix}")
    raise typer.Exit(1 if failed else 0)


def _python() -> Iterator[InstallationCheck]:
    yield InstallationCheck("PASS", "Python", f"{platform.python_version()} on {platform.system()}")


def _packages() -> Iterator[InstallationCheck]:
    for name in _PACKAGES:
        try:
            yield InstallationCheck("PASS", name, version(name))
        except PackageNotFoundError:
            yield InstallationCheck(
                "FAIL", name, "not installed", "pip install -r requirements.lock"
            )


def _pairing() -> Iterator[InstallationCheck]:
    """A torchvision built for another torch fails at import, or has no operators."""
    try:
        import torch  # noqa: PLC0415
        import torchvision  # noqa: PLC0415

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        yield InstallationCheck(
            "FAIL", "torch with torchvision", reason, "pip install -r requirements.lock"
        )
    else:
        yield InstallationCheck("PASS", "torch with torchvision", "they fit")


def _device() -> Iterator[InstallationCheck]:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        yield InstallationCheck("PASS", "GPU", torch.cuda.get_device_name())
    else:
        cores = os.cpu_count() or 1
        seen = f"none, {cores} CPU cores; frozen studies take minutes, fine-tuning takes days"
        yield InstallationCheck("WARN", "GPU", seen, "none needed for the quick preset")


def _weights() -> Iterator[InstallationCheck]:
    from axilla.models.backbones import find_backbone  # noqa: PLC0415
    from axilla.models.pretrained import FOLDER_VARIABLE, load_pretrained  # noqa: PLC0415
    from axilla.records.errors import WeightsError  # noqa: PLC0415

    for name in _SHIPPED_WEIGHTS:
        try:
            load_pretrained(name, find_backbone(name).build())
        except WeightsError as error:
            yield InstallationCheck(
                "FAIL", f"weights of {name}", str(error), "Install axilla again."
            )
        else:
            yield InstallationCheck("PASS", f"weights of {name}", "shipped, and they fit")
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder and not Path(folder).is_dir():
        yield InstallationCheck(
            "FAIL", FOLDER_VARIABLE, "names no folder", "Point it at a folder, or unset it."
        )
    elif not folder:
        seen = "not set: other networks' weights come from the hubs, or not at all"
        yield InstallationCheck(
            "WARN", FOLDER_VARIABLE, seen, "Set it to a folder of weights if offline."
        )


def _sample() -> Iterator[InstallationCheck]:
    images = sum(1 for _ in (files("axilla") / "sample" / "images").iterdir())
    expected = 3 * 211
    complete = images == expected
    yield InstallationCheck(
        "PASS" if complete else "FAIL",
        "sample cohort",
        f"{images} of {expected} images",
        "" if complete else "Install axilla again.",
    )


def _disk() -> Iterator[InstallationCheck]:
    free_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    enough = free_gib > _FREE_GIB
    yield InstallationCheck(
        "PASS" if enough else "WARN",
        "disk here",
        f"{free_gib:.0f} GiB free",
        "" if enough else f"Free {_FREE_GIB} GiB: results and caches need room.",
    )
    if sys.maxsize < 2**32:
        yield InstallationCheck("FAIL", "Python build", "32 bit", "Install 64-bit Python.")
