"""`axilla evaluate`: all statistics on any predictions, axilla's own or anybody's."""

import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, out, progress, reporting
from axilla.cohort.predictions_import import ImportedPredictions, read_predictions
from axilla.config.study import StudyConfig
from axilla.evaluation.stage import evaluate as evaluate_stage
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import COMPARISONS, read_results
from axilla.report.number_format import MINUS, format_signed, number, p_value

_SHOWN = {"auc": "AUC", "recall": "sensitivity", "specificity": "specificity"}
_MOST_PAIRS = 20


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS.csv",
            help="Table with patient_id, label, probability; optional model, threshold, fold, "
            "repeat, kind (unimodal, fusion, reader), modality.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--out", help="Folder for tables, figures and report.html.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Column whose equal values make patients dependent; may be repeated."),
    ] = None,
    subgroup: Annotated[
        list[str] | None, typer.Option(help="Column to evaluate level by level; may be repeated.")
    ] = None,
    positive: Annotated[str, typer.Option(help="Label that means positive.")] = "1",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Operating threshold where the table has none.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 2025,
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics as JSON.")] = False,
) -> None:
    """Measure predictions: every metric with its interval, every pair of models tested.

    Example: `axilla evaluate predictions.csv --group donor --out evaluation`
    """
    with reporting():
        given = read_predictions(
            predictions,
            groups=tuple(group or ()),
            subgroups=tuple(subgroup or ()),
            positive=positive,
            threshold=threshold,
        )
        config = _config(predictions, given, group=group, subgroup=subgroup, seed=seed)
        if output is not None:
            metrics, comparisons = _measure(config, RunFolder(output.resolve()), given)
            from axilla.report.stage import write_report  # noqa: PLC0415 - matplotlib is slow

            with progress.activity("Writing the report"):
                report = write_report(config, RunFolder(output.resolve()))
        else:
            with tempfile.TemporaryDirectory() as temporary:
                metrics, comparisons = _measure(config, RunFolder(Path(temporary)), given)
        if as_json:
            out.print_json(
                data={
                    "notice": RESEARCH_USE_ONLY,
                    "metrics": _records(metrics),
                    "comparisons": _records(comparisons),
                }
            )
            return
        _summarise(metrics, comparisons)
        if output is not None:
            out.print(f"Report: {report}")
        err.print(RESEARCH_USE_ONLY)


def _config(
    path: Path,
    given: ImportedPredictions,
    *,
    group: list[str] | None,
    subgroup: list[str] | None,
    seed: int,
) -> StudyConfig:
    """The settings of a study that has predictions and nothing else."""
    return StudyConfig.model_validate(
        {
            "study": {"name": f"Evaluation of {path.name}", "outcome": "label", "seed": seed},
            "cohort": {"group": tuple(group or ())},
            "validation": {"threshold": "half", "scheme": given.scheme},
            "evaluation": {"subgroups": tuple(subgroup or ()), "gallery": 0},
        }
    )


def _measure(
    config: StudyConfig, folder: RunFolder, given: ImportedPredictions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder.write_table("predictions.csv", given.table)
    with progress.activity("Evaluating"):
        metrics = evaluate_stage(
            config, folder, given.patients, threshold_rule=given.threshold_rule
        )
    path = folder.table("comparisons.csv")
    if not path.is_file():
        return metrics, pd.DataFrame(columns=list(COMPARISONS))
    return metrics, read_results(path, COMPARISONS)


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def _summarise(metrics: pd.DataFrame, comparisons: pd.DataFrame) -> None:
    first = metrics.drop_duplicates("model")
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for title in _SHOWN.values():
        table.add_column(title, justify="right", no_wrap=True)
    for model in first["model"]:
        table.add_row(str(model), *_cells(metrics[metrics["model"] == model]))
    sizes = sorted(set(zip(first["n"], first["n_positive"], strict=True)))
    out.print(table)
    out.print("patients (positive): " + ", ".join(f"{n} ({positive})" for n, positive in sizes))
    pairs = comparisons[comparisons["test"] == "delong"].to_dict("records")
    for row in pairs[:_MOST_PAIRS]:
        corrected = f", Holm {p_value(row['p_holm'])}" if len(pairs) > 1 else ""
        out.print(
            f"AUC {row['model_a']} {MINUS} {row['model_b']}: {format_signed(row['estimate'])} "
            f"({format_signed(row['low'])} to {format_signed(row['high'])}), "
            f"p {p_value(row['p'])}{corrected}"
        )
    if len(pairs) > _MOST_PAIRS:
        out.print(f"... and {len(pairs) - _MOST_PAIRS} more pairs; --out writes them all.")


def _cells(rows: pd.DataFrame) -> list[str]:
    known = {str(row["metric"]): row for row in rows.to_dict("records")}
    return [_cell(known[name]) if name in known else "" for name in _SHOWN]


def _cell(row: dict[Hashable, Any]) -> str:
    if pd.isna(row["low"]):
        return number(float(row["value"]))
    return f"{row['value']:.3f} ({row['low']:.3f}–{row['high']:.3f})"  # noqa: RUF001
