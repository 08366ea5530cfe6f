"""`axilla check`: everything that is wrong with a study's data, at once."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from axilla.cli.console import bars, err, out, reporting, show, study_folder
from axilla.cohort import stage
from axilla.records.errors import CohortError
from axilla.records.toml import read_study


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("check")(check)


def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print check.json instead.")] = False,
) -> None:
    """Read the whole study and report every problem at once; exit 1 if there are errors.

    Example: `axilla check my-study`
    """
    with reporting():
        place = study_folder(folder)
        config = read_study(place.root / "study.toml")
        failure: CohortError | None = None
        try:
            stage.check(config, place, bars)
        except CohortError as error:
            failure = error
        found = json.loads(place.table("check.json").read_text(encoding="utf-8"))
        if as_json:
            out.print_json(data=found)
        else:
            _summarise(found, failure)
        if failure is not None:
            raise typer.Exit(1)


def _summarise(found: dict[str, list[dict[str, str]]], failure: CohortError | None) -> None:
    if failure is not None:
        show(failure)
    for warning in found["warnings"]:
        words = f"{warning['place']}: {warning['found']}. {warning['remedy']}"
        err.print(f"[yellow]warning[/] {escape(words)}")
    counts = ", ".join(
        f"{len(found[kind])} {kind if len(found[kind]) != 1 else kind.removesuffix('s')}"
        for kind in ("errors", "warnings")
    )
    out.print(f"{counts}. Details: results/check.json")
