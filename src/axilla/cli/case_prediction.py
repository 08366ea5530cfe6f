"""Predict one case, once torch is needed."""

from dataclasses import replace
from pathlib import Path

from rich.markup import escape

from axilla import RESEARCH_USE_ONLY
from axilla.cli.console import err, out
from axilla.inference.bundle import read_bundle
from axilla.inference.case_bags import in_tiles
from axilla.inference.case_io import as_json_of, parse_clinical_values
from axilla.inference.predictor import Predictor
from axilla.records.patients import Patient


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
