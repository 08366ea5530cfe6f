"""`axilla report`: tables, figures and the report again, from what is in results/."""

import json
from pathlib import Path
from typing import Annotated

import typer

from axilla.cli.console import out, reporting, study_folder
from axilla.records.errors import Problem, StudyError
from axilla.records.folder import RunFolder
from axilla.records.study import StudyConfig
from axilla.records.toml import read_study
from axilla.report.stage import write_report


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("report")(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder with results.")],
) -> None:
    """Write tables, figures and report.html from results/; nothing is trained again.

    Example: `axilla report my-study`
    """
    with reporting():
        place = study_folder(folder)
        path = write_report(_as_run(read_study(place.root / "study.toml"), place), place)
        out.print(f"Report: {path}")


def _as_run(config: StudyConfig, folder: RunFolder) -> StudyConfig:
    """Return the settings that the results were made with; title and description may be edited."""
    provenance = folder.table("provenance.json")
    if not provenance.is_file():
        return config
    try:
        made = StudyConfig.model_validate(
            json.loads(provenance.read_text(encoding="utf-8"))["config"]
        )
    except (ValueError, KeyError) as error:
        raise StudyError(
            Problem(
                provenance.name, "no readable settings", "those of the run", "Run the study again."
            )
        ) from error
    words = {"name": config.study.name, "about": config.study.about}
    return made.model_copy(update={"study": made.study.model_copy(update=words)})
