"""The evaluation stage: from predictions.csv to metrics.csv and the tables beside it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from axilla.config.study import StudyConfig
from axilla.evaluation.calibration.calibration_table import calibration_table
from axilla.evaluation.comparisons.comparisons_table import comparison_table
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.metrics.metrics_table import THRESHOLD_METRICS, metrics_of_predictions
from axilla.evaluation.metrics.net_benefit import decision_table
from axilla.evaluation.prediction_arrays import (
    ModelPredictions,
    check_predictions,
    model_predictions,
)
from axilla.evaluation.subgroups.confounding import confounding_table
from axilla.evaluation.subgroups.missing_values import missingness_table
from axilla.evaluation.subgroups.subgroup_metrics import subgroup_table
from axilla.evaluation.table1.study_table1 import study_table1
from axilla.records.digests import digest_of
from axilla.records.patients import Patient
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import (
    AVAILABILITY,
    AVAILABILITY_METRICS,
    METRICS,
    PREDICTIONS,
    read_results,
)

# Tables beside metrics.csv; None where the study has no subject for one.
TABLES: Mapping[str, Callable[[EvaluationInputs], pd.DataFrame | None]] = {
    "table1.csv": study_table1,
    "confounding.csv": confounding_table,
    "missingness.csv": missingness_table,
    "comparisons.csv": comparison_table,
    "subgroups.csv": subgroup_table,
    "calibration.csv": calibration_table,
    "decision_curve.csv": decision_table,
}


def evaluate(
    config: StudyConfig,
    folder: RunFolder,
    patients: Iterable[Patient],
    *,
    threshold_rule: str | None = None,
) -> pd.DataFrame:
    """Write metrics.csv of the study's predictions and return it, one row per model and metric.

    `patients` are the cohort's; `threshold_rule` names how thresholds came about where the
    settings do not. The same predictions and seed give the same file, and a model's rows do not
    depend on the other models. The tables of `TABLES` are written beside it. Raise `StudyError`
    if predictions.csv is missing or faulty, before anything is computed.
    """
    table = check_predictions(read_results(folder.table("predictions.csv"), PREDICTIONS))
    known = tuple(patients)
    groups = {patient.patient_id: patient.group for patient in known}
    models = {
        str(model): model_predictions(rows, groups=groups)
        for model, rows in table.groupby("model", sort=False)
    }
    rule = threshold_rule or config.validation.threshold
    rows = [
        (model, *row)
        for model, predictions in models.items()
        for row in _rows(predictions, model, seed=config.study.seed, rule=rule)
    ]
    metrics = pd.DataFrame(rows, columns=list(METRICS))
    folder.write_table("metrics.csv", metrics)
    withheld = _write_availability(folder, groups, seed=config.study.seed, rule=rule)
    material = EvaluationInputs(config, known, table, models, groups, withheld)
    for name, make in TABLES.items():
        if (made := make(material)) is not None:
            folder.write_table(name, made)
        else:
            folder.table(name).unlink(missing_ok=True)
    return metrics


def evaluate_external(config: StudyConfig, folder: RunFolder, patients: Iterable[Patient]) -> None:
    """Write external_metrics.csv of external_predictions.csv, at the bundle's frozen threshold."""
    name = "external_predictions.csv"
    table = check_predictions(read_results(folder.table(name), PREDICTIONS), source=name)
    groups = {patient.patient_id: patient.group for patient in patients}
    rule = f"{config.validation.threshold}, frozen"
    rows = [
        (model, *row)
        for model, part in table.groupby("model", sort=False)
        for row in _rows(
            model_predictions(part, groups=groups),
            f"external {model}",
            seed=config.study.seed,
            rule=rule,
        )
    ]
    folder.write_table("external_metrics.csv", pd.DataFrame(rows, columns=list(METRICS)))


def _write_availability(
    folder: RunFolder, groups: Mapping[str, str], *, seed: int, rule: str
) -> dict[str, ModelPredictions]:
    """Measure fusions by what they were shown, if the study says it; return `_withheld`."""
    if not folder.table("availability.csv").is_file():
        return {}
    table = read_results(folder.table("availability.csv"), AVAILABILITY)
    table = table.assign(kind="fusion", modality=table["shown"])
    rows = []
    for (model, shown, withheld), part in table.groupby(["model", "shown", "withheld"], sort=False):
        checked = check_predictions(part, source="availability.csv")
        predictions = model_predictions(checked, groups=groups)
        name = f"{model} {shown} {withheld}"
        rows += [
            (model, shown, withheld, *row) for row in _rows(predictions, name, seed=seed, rule=rule)
        ]
    folder.write_table(
        "availability_metrics.csv", pd.DataFrame(rows, columns=list(AVAILABILITY_METRICS))
    )
    return _withheld(table, groups=groups)


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


def _rows(
    predictions: ModelPredictions, name: str, *, seed: int, rule: str
) -> Iterator[tuple[object, ...]]:
    """The rows of metrics.csv of one model, without its name; `name` seeds its bootstrap."""
    rule = "reading" if predictions.kind == "reader" else rule
    rng = np.random.default_rng([seed, int(digest_of(name), 16)])
    for metric, estimate in metrics_of_predictions(predictions, rng=rng):
        yield (
            metric,
            estimate.value,
            estimate.low,
            estimate.high,
            estimate.n,
            estimate.n_positive,
            rule if metric in THRESHOLD_METRICS else "",
            estimate.method,
        )
