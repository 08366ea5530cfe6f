"""The evaluation stage: from predictions.csv to metrics.csv and the tables beside it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from axilla.evaluation.comparisons import comparison_table
from axilla.evaluation.material import Material
from axilla.evaluation.metrics import THRESHOLD_METRICS, evaluate_model
from axilla.evaluation.predictions import ModelPredictions, check_predictions, model_predictions
from axilla.evaluation.subgroups import subgroup_table
from axilla.evaluation.table1_study import study_table1
from axilla.records.digests import digest_of
from axilla.records.folder import RunFolder
from axilla.records.patients import Patient
from axilla.records.study import StudyConfig
from axilla.records.tables import (
    AVAILABILITY,
    AVAILABILITY_METRICS,
    METRICS,
    PREDICTIONS,
    read_results,
)

# Tables beside metrics.csv; None where the study has no subject for one.
TABLES: Mapping[str, Callable[[Material], pd.DataFrame | None]] = {
    "table1.csv": study_table1,
    "comparisons.csv": comparison_table,
    "subgroups.csv": subgroup_table,
}


def evaluate(config: StudyConfig, folder: RunFolder, patients: Iterable[Patient]) -> pd.DataFrame:
    """Write metrics.csv of the study's predictions and return it, one row per model and metric.

    `patients` are the cohort's. The same predictions and seed give the same file, and a model's
    rows do not depend on the other models. The tables of `TABLES` are written beside it. Raise
    `StudyError` if predictions.csv is missing or faulty, before anything is computed.
    """
    table = check_predictions(read_results(folder.table("predictions.csv"), PREDICTIONS))
    known = tuple(patients)
    groups = {patient.patient_id: patient.group for patient in known}
    by_model = {str(model): rows for model, rows in table.groupby("model", sort=False)}
    rows = [
        row
        for model, predictions in by_model.items()
        for row in _rows(model, predictions, config=config, groups=groups)
    ]
    metrics = pd.DataFrame(rows, columns=list(METRICS))
    folder.write_table("metrics.csv", metrics)
    withheld: dict[str, ModelPredictions] = {}
    if folder.table("availability.csv").is_file():
        availability = read_results(folder.table("availability.csv"), AVAILABILITY)
        availability = availability.assign(kind="fusion", modality=availability["shown"])
        by_pattern = _by_pattern(availability, config=config, groups=groups)
        folder.write_table("availability_metrics.csv", by_pattern)
        withheld = _withheld(availability, groups=groups)
    models = {
        model: model_predictions(predictions, groups=groups)
        for model, predictions in by_model.items()
    }
    material = Material(config, known, table, models, groups, withheld)
    for name, make in TABLES.items():
        if (made := make(material)) is not None:
            folder.write_table(name, made)
        else:
            folder.table(name).unlink(missing_ok=True)
    return metrics


def _withheld(
    availability: pd.DataFrame, *, groups: Mapping[str, str]
) -> dict[str, ModelPredictions]:
    """Return what fusions of three modalities or more say without one of them."""
    found = {}
    for model, rows in availability.groupby("model", sort=False):
        whole = max(rows["shown"], key=lambda shown: shown.count("+")).split("+")
        if len(whole) <= len(("one", "other")):
            continue
        for modality in whole:
            rest = "+".join(part for part in whole if part != modality)
            name = f"{model} without {modality}"
            fewer = rows[(rows["shown"] == rest) & (rows["withheld"] == 1)].assign(model=name)
            if len(fewer):
                found[name] = model_predictions(fewer, groups=groups)
    return found


def _by_pattern(
    availability: pd.DataFrame, *, config: StudyConfig, groups: Mapping[str, str]
) -> pd.DataFrame:
    """Return the fusions' metrics by what each patient's prediction was made from."""
    rows = [
        (model, shown, withheld, *row[1:])
        for (model, shown, withheld), predictions in availability.groupby(
            ["model", "shown", "withheld"], sort=False
        )
        for row in _rows(
            f"{model} {shown} {withheld}",
            check_predictions(predictions, source="availability.csv"),
            config=config,
            groups=groups,
        )
    ]
    return pd.DataFrame(rows, columns=list(AVAILABILITY_METRICS))


def _rows(
    model: str, predictions: pd.DataFrame, *, config: StudyConfig, groups: Mapping[str, str]
) -> Iterator[tuple[object, ...]]:
    reader = predictions["kind"].iloc[0] == "reader"
    rule = "reading" if reader else config.validation.threshold
    rng = np.random.default_rng([config.study.seed, int(digest_of(model), 16)])
    for metric, estimate in evaluate_model(predictions, groups=groups, rng=rng):
        yield (
            model,
            metric,
            estimate.value,
            estimate.low,
            estimate.high,
            estimate.n,
            estimate.n_positive,
            rule if metric in THRESHOLD_METRICS else "",
            estimate.method,
        )
