"""Predictions as the metrics need them: checked, one patient once, repeats beside each other."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pandas as pd

from axilla.evaluation.metrics.confusion import cells_of
from axilla.records.arrays import FloatArray, IntArray
from axilla.records.errors import Problem, StudyError
from axilla.records.table_columns import PREDICTIONS
from axilla.records.types import ModelKind

_FIRST_LINE = 2  # of a CSV file, below its header
_SHOWN = 10
_TABLE = "predictions.csv"


@dataclass(frozen=True, slots=True, eq=False)
class ModelPredictions:
    """What one model said of each patient, P patients sorted by identifier, R repeats.

    `patients` are their identifiers; `labels` (P,) of 0 and 1; `clusters` (P,) numbers from 0;
    `probabilities`, `calls` and `folds` (R, P), NaN where a repeat did not test the patient; a
    call is 1 where probability >= threshold; `folds` numbers the folds that tested, from 0.
    """

    model: str
    kind: ModelKind
    patients: tuple[str, ...]
    labels: IntArray
    clusters: IntArray
    probabilities: FloatArray
    calls: FloatArray
    folds: FloatArray

    @property
    def n_clusters(self) -> int:
        """Number of groups, or of patients where each is its own."""
        return int(self.clusters.max()) + 1

    @property
    def is_clustered(self) -> bool:
        """Tell whether any two patients share a group."""
        return self.n_clusters < len(self.labels)

    @property
    def cells(self) -> FloatArray:
        """Which of TP, FP, FN, TN each prediction is: (R, P, 4) of 0 and 1."""
        return np.stack([cells_of(self.labels, calls) for calls in self.calls])

    def among(self, patients: Collection[str]) -> "ModelPredictions":
        """Return the same model's predictions of these of its patients, clusters renumbered."""
        wanted = set(patients)
        kept = np.array([patient in wanted for patient in self.patients], dtype=bool)
        return replace(
            self,
            patients=tuple(p for p, keep in zip(self.patients, kept, strict=True) if keep),
            labels=self.labels[kept],
            clusters=np.unique(self.clusters[kept], return_inverse=True)[1],
            probabilities=self.probabilities[:, kept],
            calls=self.calls[:, kept],
            folds=self.folds[:, kept],
        )


def check_predictions(table: pd.DataFrame, *, source: str = _TABLE) -> pd.DataFrame:
    """Return the table with numbers as numbers, or raise `StudyError` with every fault in it.

    Labels are 0 or 1 and agree for a patient throughout; probabilities lie in 0 to 1, thresholds
    are finite; model and repeat tell a patient's rows apart; a model has one kind. Rows are named
    by their line in `source`.
    """
    if missing := [column for column in PREDICTIONS if column not in table.columns]:
        raise StudyError(Problem(source, f"no column {', '.join(missing)}", "all of them"))
    if table.empty:
        raise StudyError(
            Problem(source, "no predictions", "a row per patient and model", "Run `axilla run`.")
        )
    numbers = {
        column: pd.to_numeric(table[column], errors="coerce")
        for column in ("repeat", "label", "probability", "threshold")
    }
    checked = table.assign(**numbers)
    if problems := list(_problems(checked, source=source)):
        raise StudyError(problems)
    return checked.assign(label=checked["label"].astype(int), repeat=checked["repeat"].astype(int))


def model_predictions(rows: pd.DataFrame, *, groups: Mapping[str, str] | None) -> ModelPredictions:
    """Arrange the rows of one model; raise `StudyError` for faulty rows or a patient of no group.

    `groups` maps patient_id to what its patients share; None makes each patient its own.
    """
    checked = check_predictions(rows)
    if (names := checked["model"].unique().tolist())[1:]:
        raise StudyError(Problem("predictions", f"models {', '.join(names)}", "rows of one model"))
    numbered = checked.assign(fold=pd.factorize(checked["fold"].astype(str))[0])
    wide = numbered.pivot_table(
        index="patient_id",
        columns="repeat",
        values=["probability", "threshold", "fold"],
        aggfunc="first",
    )
    probabilities = wide["probability"].to_numpy(dtype=np.float64).T
    thresholds = wide["threshold"].to_numpy(dtype=np.float64).T
    labels = checked.groupby("patient_id")["label"].first().loc[wide.index]
    return ModelPredictions(
        model=names[0],
        kind=checked["kind"].iloc[0],
        patients=tuple(map(str, wide.index)),
        labels=labels.to_numpy(dtype=np.int64),
        clusters=_clusters([str(patient) for patient in wide.index], groups=groups),
        probabilities=probabilities,
        calls=np.where(np.isnan(probabilities), np.nan, probabilities >= thresholds),
        folds=wide["fold"].to_numpy(dtype=np.float64).T,
    )


def _clusters(patients: list[str], *, groups: Mapping[str, str] | None) -> IntArray:
    if groups is None:
        return np.arange(len(patients), dtype=np.int64)
    if unknown := [patient for patient in patients if patient not in groups]:
        raise StudyError(
            Problem(
                _TABLE,
                f"no group for patient_id {_some(unknown)}",
                "patients of this study's cohort",
                "Run `axilla run` again, or restore the cohort table the predictions came from.",
            )
        )
    return np.unique([groups[patient] for patient in patients], return_inverse=True)[1]


def _problems(table: pd.DataFrame, *, source: str) -> Iterator[Problem]:
    """One problem per kind of fault, each with the lines it is in."""
    by_patient = table.groupby("patient_id", dropna=False)["label"]
    by_model = table.groupby("model", dropna=False)["kind"]
    faults = (
        (table["patient_id"].isna(), "no patient_id", "an identifier"),
        (table["model"].isna(), "no model", "a name"),
        (~table["kind"].isin(get_args(ModelKind)), "an unknown kind", _any_of(get_args(ModelKind))),
        (by_model.transform("nunique") > 1, "several kinds of one model", "one kind"),
        (table["repeat"].isna() | (table["repeat"] % 1 != 0), "no repeat number", "0, 1, 2, ..."),
        (~table["label"].isin((0, 1)), "a label that is neither 0 nor 1", "0 or 1"),
        (by_patient.transform("nunique") > 1, "labels that differ for one patient", "one label"),
        (~table["probability"].between(0, 1), "no probability", "a number from 0 to 1"),
        (~np.isfinite(table["threshold"]), "no threshold", "a finite number"),
        (
            table.duplicated(["patient_id", "model", "repeat"], keep=False),
            "a patient several times in one repeat of a model",
            "one row each",
        ),
    )
    # A part of a table that was read as a whole keeps the whole table's row numbers.
    numbered = pd.api.types.is_integer_dtype(table.index)
    rows = np.asarray(table.index) if numbered else np.arange(len(table))
    for faulty, found, expected in faults:
        if lines := [int(row) + _FIRST_LINE for row in rows[faulty]]:
            place = f"{source}, line{'s' if lines[1:] else ''} {_some(lines)}"
            yield Problem(place, found, expected)


def _any_of(names: Iterable[str]) -> str:
    return f"one of {', '.join(names)}"


def _some(items: list[int] | list[str]) -> str:
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return f"{shown} and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown
