"""A study's results as the report reads them, and the proof that they belong together."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from axilla.annotation.roi_reviews import REVIEWS, RoiReview, read_reviews
from axilla.config.study import StudyConfig
from axilla.evaluation.metrics.curves import ConfusionMatrix, RocCurve, confusion_matrix, roc_curve
from axilla.evaluation.prediction_arrays import check_predictions
from axilla.records.errors import CohortError, Problem, StudyError
from axilla.records.estimate import Estimate
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import (
    AVAILABILITY_METRICS,
    CALIBRATION,
    COMPARISONS,
    CONFOUNDING,
    DECISION_CURVE,
    LEARNING_CURVE,
    METRICS,
    MISSINGNESS,
    PREDICTIONS,
    SEARCH,
    SPLITS,
    SUBGROUPS,
    read_results,
)
from axilla.report.number_format import pluralise
from axilla.report.reported_models import StudyModel, line_up
from axilla.report.tables.explanation_results import ExplanationResults, load_explained

_REMEDY = "Run `axilla run` again: both files must come from one run."


@dataclass(frozen=True, slots=True)
class StudyResults:
    """Everything the report prints; optional files are empty when a run did not write them."""

    config: StudyConfig
    predictions: pd.DataFrame
    metrics: pd.DataFrame
    entries: tuple[StudyModel, ...]
    splits: pd.DataFrame
    search: pd.DataFrame
    availability: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    decision_curve: pd.DataFrame
    subgroups: pd.DataFrame
    learning_curve: pd.DataFrame
    table1: pd.DataFrame
    confounding: pd.DataFrame
    missingness: pd.DataFrame
    external: pd.DataFrame
    explained: ExplanationResults
    roi_reviews: tuple[RoiReview, ...]
    flow: Any
    check: Any
    provenance: Mapping[str, Any]
    _estimates: Mapping[tuple[str, str], Estimate] = field(init=False, repr=False, compare=False)
    _external: Mapping[tuple[str, str], Estimate] = field(init=False, repr=False, compare=False)
    _confusions: dict[str, ConfusionMatrix] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index the estimates: a page asks for them some hundred times."""
        object.__setattr__(self, "_estimates", _first_estimates(self.metrics))
        object.__setattr__(self, "_external", _first_estimates(self.external))

    @property
    def from_elsewhere(self) -> bool:
        """Tell predictions that another program made from those of a study."""
        return any(entry.family == "models" for entry in self.entries)

    def estimate(self, model: str, metric: str) -> Estimate | None:
        """Return one estimate of metrics.csv, or None where the table has no such number."""
        return self._estimates.get((model, metric))

    def external_estimate(self, model: str, metric: str) -> Estimate | None:
        """Return one estimate of external_metrics.csv, or None."""
        return self._external.get((model, metric))

    def rank_models(self, entries: Sequence[StudyModel]) -> tuple[StudyModel, ...]:
        """Return the models, highest AUC first, then the chosen, the trivial, and the readers."""

        def rank(entry: StudyModel) -> tuple[bool, bool, bool, float]:
            auc = self.estimate(entry.name, "auc")
            height = -auc.value if auc else math.inf
            return entry.family == "reader", entry.trivial, entry.chosen, height

        return tuple(sorted(entries, key=rank))

    def confusion(self, model: str) -> ConfusionMatrix:
        """Return a model's calls, each at the threshold of its own fold."""
        if model not in self._confusions:
            self._confusions[model] = confusion_matrix(self._rows_of(model))
        return self._confusions[model]

    def roc(self, model: str) -> RocCurve | None:
        """Return a model's ROC curve, or None where a repeat holds patients of one class only."""
        rows = self._rows_of(model)
        share = rows.groupby("repeat")["label"].mean()
        one_class = share.isin((0, 1)).any()
        return None if one_class else roc_curve(rows)

    def operating_point(self, model: str) -> tuple[float, float]:
        """Return a model's sensitivity and specificity; NaN without patients to count among."""
        counts = self.confusion(model)
        return (
            _share(counts.true_positive, counts.false_negative),
            _share(counts.true_negative, counts.false_positive),
        )

    def _rows_of(self, model: str) -> pd.DataFrame:
        return self.predictions[self.predictions["model"] == model]


def estimate_of(row: Mapping[Any, Any] | None) -> Estimate | None:
    """Return the estimate in a row of a results table, or None without a number."""
    if row is None or pd.isna(row["value"]):
        return None
    return Estimate(
        value=float(row["value"]),
        low=float(row["low"]),
        high=float(row["high"]),
        n=int(row["n"]),
        n_positive=int(row["n_positive"]),
        method="" if pd.isna(row["method"]) else str(row["method"]),
    )


def first_estimate(rows: pd.DataFrame) -> Estimate | None:
    """Return the estimate in the first row, or None without a row or number."""
    return estimate_of(next(iter(rows.to_dict("records")), None))


def _first_estimates(table: pd.DataFrame) -> dict[tuple[str, str], Estimate]:
    """Return the first estimate of each model and metric, where it has a number."""
    if table.empty:
        return {}
    first = table.drop_duplicates(["model", "metric"])
    rows = ((str(row["model"]), str(row["metric"]), row) for row in first.to_dict("records"))
    found = {(model, metric): estimate_of(row) for model, metric, row in rows}
    return {key: estimate for key, estimate in found.items() if estimate is not None}


def load_results(config: StudyConfig, folder: RunFolder) -> StudyResults:
    """Read results/; raise `StudyError` if files are missing or come from different runs."""
    predictions = check_predictions(read_results(folder.table("predictions.csv"), PREDICTIONS))
    metrics = read_results(folder.table("metrics.csv"), METRICS)
    splits = _optional(folder.table("splits.csv"), SPLITS)
    if problems := [*_strangers(predictions, metrics), *_unsplit(predictions, splits)]:
        raise StudyError(problems)
    reader = config.reader.name if config.reader else None
    provenance = _read_json(folder.table("provenance.json"), default={})
    return StudyResults(
        config=config,
        predictions=predictions,
        metrics=metrics,
        entries=line_up(predictions, reader_name=reader),
        splits=splits,
        search=_optional(folder.table("search.csv"), SEARCH),
        availability=_optional(folder.table("availability_metrics.csv"), AVAILABILITY_METRICS),
        comparisons=_optional(folder.table("comparisons.csv"), COMPARISONS),
        calibration=_optional(folder.table("calibration.csv"), CALIBRATION),
        decision_curve=_optional(folder.table("decision_curve.csv"), DECISION_CURVE),
        subgroups=_optional(folder.table("subgroups.csv"), SUBGROUPS),
        learning_curve=_optional(folder.table("learning_curve.csv"), LEARNING_CURVE),
        table1=_optional(folder.table("table1.csv"), ()),
        confounding=_optional(folder.table("confounding.csv"), CONFOUNDING),
        missingness=_optional(folder.table("missingness.csv"), MISSINGNESS),
        external=_optional(folder.table("external_metrics.csv"), METRICS),
        explained=load_explained(folder),
        roi_reviews=_roi_reviews((folder.root / config.cohort.rois).with_name(REVIEWS)),
        flow=_read_json(folder.table("flow.json"), default=None),
        check=_read_json(folder.table("check.json"), default=None),
        provenance=MappingProxyType(provenance if isinstance(provenance, dict) else {}),
    )


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest else math.nan


def _strangers(predictions: pd.DataFrame, metrics: pd.DataFrame) -> list[Problem]:
    predicted, measured = set(predictions["model"]), set(metrics["model"])
    if predicted != measured:
        return [
            Problem(
                "metrics.csv",
                f"models {', '.join(sorted(measured)) or 'none'}",
                f"those of predictions.csv, {', '.join(sorted(predicted))}",
                _REMEDY,
            )
        ]
    problems = []
    for model, rows in predictions.groupby("model", sort=True):
        patients = rows.drop_duplicates("patient_id")
        stated = metrics[(metrics["model"] == model) & metrics["n"].notna()]
        for size, label in ((len(patients), "n"), (int(patients["label"].sum()), "n_positive")):
            found = sorted({int(value) for value in stated[label]} - {size})
            if found:
                numbers = ", ".join(map(str, found))
                problems.append(
                    Problem(
                        f"metrics.csv, {model}",
                        f"{label} {numbers}",
                        f"{size}, as in predictions.csv",
                        _REMEDY,
                    )
                )
    return problems


def _unsplit(predictions: pd.DataFrame, splits: pd.DataFrame) -> list[Problem]:
    """Models' predictions for patients that the fold they name did not test.

    Predictions of no fold of splits.csv, as those of an external set, are not its business.
    """
    tested = set(_in_fold(splits[splits["role"] == "test"]))
    folds = {place[:2] for place in tested}
    models = predictions[predictions["kind"] != "reader"]
    strangers = sorted(
        {place[2] for place in _in_fold(models) if place[:2] in folds and place not in tested}
    )
    if not strangers:
        return []
    return [
        Problem(
            "predictions.csv",
            f"{pluralise(len(strangers), 'patient')} whose fold did not test them, "
            f"as {strangers[0]}",
            "the test patients of splits.csv",
            _REMEDY,
        )
    ]


def _in_fold(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    columns = (table[name].astype(str) for name in ("repeat", "fold", "patient_id"))
    return zip(*columns, strict=True)


def _roi_reviews(path: Path) -> tuple[RoiReview, ...]:
    try:
        return read_reviews(path) if path.is_file() else ()
    except CohortError as error:
        raise StudyError(error.problems) from error


def _optional(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    return read_results(path, columns) if path.is_file() else pd.DataFrame(columns=list(columns))


def _read_json(path: Path, *, default: Any) -> Any:
    if not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(
            Problem(path.name, f"broken JSON ({error})", "a whole file", "Run `axilla run` again.")
        ) from error
