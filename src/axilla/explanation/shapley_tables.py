"""What mattered, as tables: per patient, and for the cohort with intervals by group."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.explanation.faithfulness.clustered_mean import clustered_mean
from axilla.explanation.shapley import ClinicalImportance, Shapley
from axilla.records.estimate import Estimate
from axilla.records.patients import Patient
from axilla.records.table_columns import CLINICAL_IMPORTANCE, SHAPLEY_SUMMARY

_Told = tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_], Sequence[Patient]]


def shapley_table(parts: Sequence[tuple[Shapley, Sequence[Patient]]]) -> pd.DataFrame:
    """Return results/shapley.csv: patient_id, label, logit, base, and phi_MODALITY for each.

    `parts` are folds with their patients. Who was tested in several repeats has one row, of means:
    phi still add up to logit less base.
    """
    frames = [
        pd.DataFrame(
            {
                "patient_id": [patient.patient_id for patient in patients],
                "label": pd.array([patient.label for patient in patients], dtype="Int64"),
                "logit": shapley.logits,
                "base": shapley.bases,
            }
            | {
                f"phi_{modality}": shapley.phi[:, place]
                for place, modality in enumerate(shapley.modalities)
            }
        )
        for shapley, patients in parts
    ]
    table = pd.concat(frames, ignore_index=True)
    # Repeats have one label each, and means of a nullable label would be no label.
    labels = table.groupby("patient_id", sort=True)["label"].first()
    means = table.drop(columns="label").groupby("patient_id", sort=True).mean().reset_index()
    means.insert(1, "label", labels.to_numpy())
    return means


def shapley_summary(parts: Sequence[tuple[Shapley, Sequence[Patient]]]) -> pd.DataFrame:
    """Return results/shapley_summary.csv: mean |phi| with its interval, and mean phi, by modality.

    Over the patients who bring a modality; the interval is Student's, clustered by group.
    """
    told: list[_Told] = [(s.modalities, s.phi, s.brought, patients) for s, patients in parts]
    method = parts[0][0].method if parts else ""
    rows = []
    for name in _names(told):
        size, signed = _estimate(told, name, absolute=True), _estimate(told, name, absolute=False)
        means = (size.value, size.low, size.high, signed.value)
        rows.append((name, *means, size.n, f"{method}; {size.method}"))
    return pd.DataFrame(rows, columns=list(SHAPLEY_SUMMARY))


def clinical_table(
    parts: Sequence[tuple[ClinicalImportance, Sequence[Patient]]],
) -> pd.DataFrame:
    """Return results/clinical_importance.csv: how far each column moves the logit, largest first.

    Over the patients whose value is known.
    """
    told: list[_Told] = [(c.columns, c.moves, c.brought, patients) for c, patients in parts]
    method = parts[0][0].method if parts else ""
    rows = []
    for name in _names(told):
        size = _estimate(told, name, absolute=True)
        rows.append((name, size.value, size.low, size.high, size.n, f"{method}; {size.method}"))
    table = pd.DataFrame(rows, columns=list(CLINICAL_IMPORTANCE))
    return table.sort_values("mean_abs", ascending=False, kind="stable", ignore_index=True)


def _names(told: Sequence[_Told]) -> list[str]:
    return list(dict.fromkeys(name for names, *_ in told for name in names))


def _estimate(told: Sequence[_Told], name: str, *, absolute: bool) -> Estimate:
    """Return the mean over patients who bring `name`; of repeats, a patient's mean counts."""
    found: dict[str, list[float]] = {}
    who: dict[str, Patient] = {}
    for names, values, brought, patients in told:
        if name not in names:
            continue
        place = names.index(name)
        for row, patient in enumerate(patients):
            value = float(values[row, place])
            if brought[row, place] and np.isfinite(value):
                who[patient.patient_id] = patient
                mine = found.setdefault(patient.patient_id, [])
                mine.append(abs(value) if absolute else value)
    return clustered_mean(
        [float(np.mean(values)) for values in found.values()],
        [patient.group for patient in who.values()],
        positive=[patient.label == 1 for patient in who.values()],
    )
