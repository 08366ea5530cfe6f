"""The evaluation stage: from predictions.csv to metrics.csv."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from axilla.evaluation.metrics import THRESHOLD_METRICS, evaluate_model
from axilla.evaluation.predictions import check_predictions
from axilla.records.digests import digest_of
from axilla.records.folder import RunFolder
from axilla.records.study import StudyConfig
from axilla.records.tables import (
    AVAILABILITY,
    AVAILABILITY_METRICS,
    METRICS,
    PREDICTIONS,
    read_results,
)


def evaluate(config: StudyConfig, folder: RunFolder, *, groups: Mapping[str, str]) -> pd.DataFrame:
    """Write metrics.csv of the study's predictions and return it, one row per model and metric.

    `groups` maps patient_id to what patients share, as the cohort says. The same predictions and
    seed give the same file, and a model's rows do not depend on the other models. Raise
    `StudyError` if predictions.csv is missing or faulty, before anything is computed.
    """
    table = check_predictions(read_results(folder.table("predictions.csv"), PREDICTIONS))
    rows = [
        row
        for model, predictions in table.groupby("model", sort=False)
        for row in _rows(str(model), predictions, config=config, groups=groups)
    ]
    metrics = pd.DataFrame(rows, columns=list(METRICS))
    folder.write_table("metrics.csv", metrics)
    if folder.table("availability.csv").is_file():
        by_pattern = _availability(config, folder, groups)
        folder.write_table("availability_metrics.csv", by_pattern)
    return metrics


def _availability(
    config: StudyConfig, folder: RunFolder, groups: Mapping[str, str]
) -> pd.DataFrame:
    """Return the fusions' metrics by what each patient's prediction was made from."""
    table = read_results(folder.table("availability.csv"), AVAILABILITY)
    table = table.assign(kind="fusion", modality=table["shown"])
    rows = [
        (model, shown, withheld, *row[1:])
        for (model, shown, withheld), predictions in table.groupby(
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
