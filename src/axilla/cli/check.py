"""`axilla check`: everything that is wrong with a study's data, at once."""

import json
from pathlib import Path
from typing import Annotated

import typer

from axilla.checks import stage
from axilla.cli.check_summary import summarise
from axilla.cli.console import out, progress, reporting, study_folder
from axilla.config.load import read_study
from axilla.records.errors import CohortError
from axilla.report.images.contact_sheet import write_contact_sheet


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("check")(check)


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print check.json instead.")] = False,
) -> None:
    """Read the whole study and report every problem at once; exit 1 if there are errors.

    Writes results/check.json, and results/check.html with the images. Example: `axilla check
    my-study`
    """
    with reporting():
        place = study_folder(folder)
        config = read_study(place.root / "study.toml")
        failed = False
        try:
            with progress.activity("Checking"):
                stage.check(config, place, progress)
        except CohortError:
            failed = True
        found = json.loads(place.table("check.json").read_text(encoding="utf-8"))
        with progress.activity("Writing check.html"):
            write_contact_sheet(config, place)
        if as_json:
            out.print_json(data=found)
        else:
            summarise(found, out, name=config.study.name, folder=str(folder))
        if failed:
            raise typer.Exit(1)
