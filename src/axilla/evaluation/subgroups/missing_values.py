"""What is missing, and whether that itself tells the outcome."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.config.study import StudyConfig
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.subgroups.confounding import relation_of
from axilla.evaluation.table1.group_tests import Tested, not_tested
from axilla.records.arrays import IntArray
from axilla.records.patients import Patient
from axilla.records.table_columns import MISSINGNESS
from axilla.records.types import IMAGE_MODALITIES, ImageModality


def missingness_table(material: EvaluationInputs) -> pd.DataFrame | None:
    """Return missingness.csv: per modality, clinical column and reading, who lacks it.

    `prevalence_missing` and `prevalence_known` are the shares of positives without and with it;
    the test asks whether they differ. None without patients whose outcome is known.
    """
    known = [patient for patient in material.patients if patient.label is not None]
    if not known:
        return None
    labels = np.array([patient.label for patient in known], dtype=np.int64)
    clusters = np.unique([patient.group for patient in known], return_inverse=True)[1]
    rows = []
    for column, has in _columns(material.config).items():
        missing = np.array([not has(patient) for patient in known])
        tested = _test_missingness(labels, missing, clusters=clusters)
        rows.append(
            (
                column,
                len(known),
                int(missing.sum()),
                _prevalence(labels[missing]),
                _prevalence(labels[~missing]),
                tested.p,
                tested.test,
            )
        )
    return pd.DataFrame(rows, columns=list(MISSINGNESS)) if rows else None


def _columns(config: StudyConfig) -> Mapping[str, Callable[[Patient], bool]]:
    """What a patient may lack, by the name that the table gives it."""
    used = {"ultrasound": config.models.ultrasound, "pathology": config.models.pathology}
    named: dict[str, Callable[[Patient], bool]] = {
        modality: partial(_has_image, modality=modality)
        for modality in IMAGE_MODALITIES
        if used[modality]
    }
    if config.models.clinical:
        named |= {column: partial(_has_value, column=column) for column in config.clinical}
    if config.reader is not None:
        named[config.reader.column] = _was_read
    return named


def _has_image(patient: Patient, *, modality: ImageModality) -> bool:
    return patient.has(modality)


def _has_value(patient: Patient, *, column: str) -> bool:
    return patient.clinical.get(column) is not None


def _was_read(patient: Patient) -> bool:
    return patient.reader_positive is not None


def _test_missingness(
    labels: IntArray, missing: NDArray[np.bool_], *, clusters: IntArray
) -> Tested:
    if not missing.any():
        return not_tested("nothing is missing")
    if missing.all():
        return not_tested("all of it is missing")
    return relation_of(labels, missing.astype(np.int64), clusters=clusters)


def _prevalence(labels: IntArray) -> float:
    return float(np.mean(labels)) if len(labels) else np.nan
