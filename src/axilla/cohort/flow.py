"""The inclusion flow: how many patients remain at each step, and what they bring."""

from collections.abc import Iterable, Sequence
from typing import Any

from axilla.records.patients import Patient
from axilla.records.units import Modality


def inclusion_flow(patients: Sequence[Patient], modalities: Sequence[Modality]) -> dict[str, Any]:
    """Return the counts of flow.json; of a table that could not be read, all are 0."""
    labelled = [patient for patient in patients if patient.label is not None]
    sites = sorted({patient.site for patient in patients if patient.site is not None})
    return {
        "in_table": len(patients),
        "without_outcome": len(patients) - len(labelled),
        "labelled": len(labelled),
        **_classes(labelled),
        "groups": len({patient.group for patient in labelled}),
        "external": sum(patient.split == "external" for patient in labelled),
        "modalities": {
            modality: _classes(patient for patient in labelled if patient.has(modality))
            for modality in modalities
        },
        "all_modalities": _classes(
            patient for patient in labelled if all(patient.has(m) for m in modalities)
        ),
        "sites": {
            site: _classes(patient for patient in labelled if patient.site == site)
            for site in sites
        },
    }


def _classes(patients: Iterable[Patient]) -> dict[str, int]:
    labels = [patient.label for patient in patients]
    return {"positive": labels.count(1), "negative": labels.count(0)}
