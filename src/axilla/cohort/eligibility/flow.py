"""The inclusion flow: how many patients remain at each step, and what they bring."""

from collections.abc import Iterable, Sequence
from typing import Any

from axilla.cohort.eligibility.criteria import Screening
from axilla.records.patients import Patient
from axilla.records.types import Modality

_NOBODY_LEFT_OUT = Screening()


def inclusion_flow(
    patients: Sequence[Patient],
    modalities: Sequence[Modality],
    *,
    screening: Screening = _NOBODY_LEFT_OUT,
) -> dict[str, Any]:
    """Return the counts of flow.json; of a table that could not be read, all are 0.

    `patients` are those who stay. `excluded` names reasons in the order in which they were
    applied; each patient is counted once, and classes count those whose outcome is known.
    """
    labelled = [patient for patient in patients if patient.label is not None]
    sites = sorted({patient.site for patient in patients if patient.site is not None})
    return {
        "in_table": len(patients) + sum(len(one.patients) for one in screening.excluded),
        "excluded": [
            {
                "reason": one.reason,
                "count": len(one.patients),
                "positive": one.positive,
                "negative": one.negative,
            }
            for one in screening.excluded
        ],
        "not_assessed": dict(screening.not_assessed),
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
