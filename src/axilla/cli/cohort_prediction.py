"""Predict a whole cohort table, once torch and pandas are needed."""

from dataclasses import replace
from pathlib import Path

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, progress
from axilla.cohort.cohort_reader import read_cases, study_wanted
from axilla.cohort.cohort_schema import CohortSchema
from axilla.config.load import read_study
from axilla.inference.case_io import clinical_columns
from axilla.inference.prediction_table import predicted_table
from axilla.inference.predictor import Predictor
from axilla.records.run_folder import write_bytes


def predict_cohort(
    predictor: Predictor, table: Path, output: Path, *, bundle: Path, study: Path | None = None
) -> None:
    """Predict every row of a cohort table and write predictions.csv.

    The table is read as that of `study` is, if one is named: its headers, codes, drawn ROIs.
    """
    manifest = predictor.manifest
    read = _as_in(study) if study else CohortSchema(())
    wanted = replace(
        read,
        modalities=tuple(part.modality for part in manifest.modalities),
        clinical=clinical_columns(manifest),
        outcome=manifest.outcome,
        positive=manifest.positive,
        asked_by=bundle.name,
        tiles=manifest.preprocessing.tiles,
        tile_px=manifest.preprocessing.image_size_px,
    )
    cases = read_cases(table, wanted, progress=progress)
    if cases.digest == manifest.cohort_digest:
        err.print(
            "[yellow]warning[/] this is the cohort that the bundle was made from: "
            "how well it predicts these patients says nothing about others"
        )
    predictions = predictor.predict(cases.patients, progress=progress)
    content = predicted_table(manifest, cases.patients, predictions).assign(
        call=["positive" if prediction.positive else "negative" for prediction in predictions],
        warnings=["; ".join(prediction.warnings) for prediction in predictions],
    )
    write_bytes(output, content.to_csv(index=False, lineterminator="\n").encode())
    err.print(RESEARCH_USE_ONLY)


def _as_in(study: Path) -> CohortSchema:
    """Return how a study reads a table, whatever it reads it for."""
    config = read_study(study / "study.toml")
    whole = study_wanted(config, study)
    return CohortSchema(
        (), columns=whole.columns, values=whole.values, drawn=whole.drawn, plans=whole.plans
    )
