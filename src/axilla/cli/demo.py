"""`axilla demo`: the sample cohort, from images to report, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from axilla.cli.console import out, reporting, study_folder
from axilla.cli.init import write_sample
from axilla.cli.pipeline import run_study
from axilla.config.load import read_study


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")] = Path(
        "demo"
    ),
) -> None:
    """Run a whole study on the 211 sample cases: check, train, validate, report.

    Running it again resumes. Example: `axilla demo`
    """
    with reporting():
        place = study_folder(folder)
        if not (place.root / "study.toml").is_file():
            write_sample("paired", place.root)
        report = run_study(read_study(place.root / "study.toml"), place)
        out.print(f"Report: {report}")
        out.print(f"Bundle: {place.bundle}")
