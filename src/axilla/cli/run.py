"""`axilla run`: the whole study."""

from pathlib import Path
from typing import Annotated

import typer

from axilla.cli.console import out, reporting, study_folder
from axilla.cli.pipeline import run_study
from axilla.config.load import read_study

Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda; default: study.toml's.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes that train networks.")]
Engine = Annotated[str | None, typer.Option(help="local or ray; default: study.toml's.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("run")(run)


def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    preset: Annotated[
        str | None, typer.Option(help="Use this preset instead of the file's.")
    ] = None,
    device: Device = None,
    jobs: Jobs = None,
    engine: Engine = None,
) -> None:
    """Check, train, validate and report a study; finished trials are not trained again.

    Example: `axilla run my-study --preset quick`
    """
    with reporting():
        place = study_folder(folder)
        asked = {"device": device, "jobs": jobs, "engine": engine}
        config = read_study(place.root / "study.toml", preset=preset, compute=asked)
        report = run_study(config, place)
        out.print(f"Report: {report}")
        out.print(f"Bundle: {place.bundle}")
