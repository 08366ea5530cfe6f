"""`axilla report`: tables, figures and the report again, from what is in results/."""

from pathlib import Path
from typing import Annotated

import typer

from axilla.cli.console import out, progress, reporting, study_folder
from axilla.config.load import as_run, read_study
from axilla.report.stage import write_manuscript, write_report


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("report")(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder with results.")],
    docx: Annotated[
        bool, typer.Option("--docx", help="Also write the tables as a Word document.")
    ] = False,
) -> None:
    """Write tables, figures and report.html from results/; nothing is trained again.

    Example: `axilla report my-study --docx`
    """
    with reporting():
        place = study_folder(folder)
        config = as_run(read_study(place.root / "study.toml"), place)
        with progress.activity("Writing the report"):
            page = write_report(config, place)
        out.print(f"Report: {page}")
        if docx:
            out.print(f"Tables: {write_manuscript(config, place)}")
