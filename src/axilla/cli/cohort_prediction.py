"""Predict a case or a whole cohort table, once torch is needed."""

from dataclasses import replace
from pathlib import Path

from rich.markup import escape

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, out, progress
from axilla.cohort.cohort_reader import read_cases, study_wanted
from axilla.cohort.cohort_schema import CohortSchema
from axilla.config.load import read_study
from axilla.inference.bundle import read_bundle
from axilla.inference.case_bags import in_tiles
from axilla.inference.case_io import as_json_of, clinical_columns, parse_clinical_values
from axilla.inference.predictor import Predictor, predicted_table
from axilla.records.patients import Patient
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


def open_predictor(path: Path) -> Predictor:
    """Read a bundle and build its networks."""
    return Predictor(read_bundle(path))


def predict_case(predictor: Predictor, case: Patient, *, as_json: bool) -> None:
    """Predict one case and print it."""
    clinical = parse_clinical_values(case.clinical, predictor.manifest, option="--set ")
    pathology, remarks = in_tiles(case.pathology, predictor.manifest)
    (prediction,) = predictor.predict([replace(case, clinical=clinical, pathology=pathology)])
    prediction = replace(prediction, warnings=(*prediction.warnings, *remarks))
    if as_json:
        out.print_json(data=as_json_of(prediction, predictor.manifest))
        return
    call = "positive" if prediction.positive else "negative"
    manifest = predictor.manifest
    out.print(
        f"probability of {manifest.outcome} = {manifest.positive}: {prediction.probability:.3f}"
    )
    out.print(f"threshold: {prediction.threshold:.3f} ({manifest.threshold_rule}), so: {call}")
    parts = ", ".join(f"{m} {prediction.by_modality[m]:.3f}" for m in prediction.used)
    before = ", not recalibrated" if manifest.strategy and manifest.recalibration else ""
    out.print(f"used: {parts} (each alone{before}); together: {manifest.model}")
    alike = ", ".join(
        f"{m} {prediction.familiarity[m].p:.0%} of {prediction.familiarity[m].patients}"
        if m in prediction.familiarity
        else f"{m} not measured"
        for m in prediction.used
    )
    out.print(f"training patients at least as far from the others: {alike}")
    for number in manifest.performance:
        if number.metric == "auc":
            known = number.low is not None and number.high is not None
            interval = f" ({number.low:.3f} to {number.high:.3f})" if known else ""
            out.print(
                f"measured AUC of the model that folds chose: {number.value:.3f}{interval}, "
                f"n = {number.n}, out of fold"
            )
    for warning in prediction.warnings:
        err.print(f"[yellow]warning[/] {escape(warning)}")
    out.print(RESEARCH_USE_ONLY)
