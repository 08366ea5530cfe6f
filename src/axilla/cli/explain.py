"""`axilla explain`: heatmaps of a finished study again, and how truthful they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from axilla.cli.console import out, progress, reporting, study_folder
from axilla.cli.pipeline import require_same_cohort
from axilla.cohort.cohort_reader import read_cohort
from axilla.config.load import as_run, read_study
from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import RunFolder
from axilla.report.stage import write_report

Method = Literal["gradcam", "layercam", "integrated"]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("explain")(explain)


def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Study folder with results.")],
    method: Annotated[
        Method | None, typer.Option(help="How maps are made; default: study.toml's.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Fusion strategy to explain; default: study.toml's.")
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(min=1, help="Most patients to explain; default: study.toml's, or all."),
    ] = None,
) -> None:
    """Map what in each patient's images spoke for the outcome, by models that had not seen them.

    Writes results/heatmaps/, explanation.csv and faithfulness.csv, and the report again. The
    models come from the study's cache; what the cache has lost is trained again.

    Example: `axilla explain my-study --method layercam`
    """
    with reporting():
        place = study_folder(folder)
        current = read_study(place.root / "study.toml")
        _require_results(place)
        everybody = "all" if current.explanation.patients == "report" else None
        asked = {"method": method, "model": model, "patients": patients or everybody}
        wishes = current.explanation.model_copy(
            update={name: value for name, value in asked.items() if value is not None}
        )
        made = as_run(current, place)
        _require_trained(model, made.models.fusion)
        config = made.model_copy(update={"explanation": wishes, "compute": current.compute})
        cohort = read_cohort(config, place.root, progress=progress)
        require_same_cohort(place, cohort)
        with progress.activity("Loading PyTorch"):
            # It takes seconds to import; a missing study must not wait for it.
            from axilla.cli.explain_study import explain_study  # noqa: PLC0415
            from axilla.training import stage  # noqa: PLC0415

        with progress.activity("Finding the study's models"):
            final = stage.load(config, place, cohort, progress)
        with progress.activity("Mapping heatmaps"):
            explain_study(config, place, final, progress)
        out.print(f"Heatmaps: {place.results / 'heatmaps'}")
        with progress.activity("Writing the report"):
            report = write_report(config, place)
        out.print(f"Report: {report}")


def _require_trained(model: str | None, fusions: Sequence[str]) -> None:
    """Raise `StudyError` for a model that was asked for and is none of the study's."""
    if model is not None and model not in fusions:
        trained = ", ".join(fusions) or "no fusion: this study has none to explain"
        raise StudyError(
            Problem("--model", repr(model), f"one that the study trained: {trained}", "Name one.")
        )


def _require_results(folder: RunFolder) -> None:
    """Raise `StudyError` unless the study has run to its bundle."""
    for path in (folder.bundle, folder.table("predictions.csv")):
        if not path.is_file():
            raise StudyError(
                Problem(
                    f"results/{path.name}",
                    "no such file",
                    "a study that has run",
                    "Run `axilla run` first.",
                )
            )
