"""What the tests measured on one image, and how images become one number per patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from axilla.explanation.faithfulness.clustered_mean import clustered_mean
from axilla.records.estimate import Estimate
from axilla.records.types import ImageModality


@dataclass(frozen=True, slots=True)
class Measured:
    """The measures of one image's map by name, NaN where one is not defined.

    `curves` are the logit changes that a figure draws, from no step to all steps, each as a share
    of the largest difference between any two alterations of this image.
    """

    modality: ImageModality
    method: str
    patient_id: str
    group: str
    positive: bool
    measures: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def estimate_of(
    measured: Sequence[Measured], measure: str, *, minus: str | None = None
) -> Estimate:
    """Return the mean over patients of a measure, or of how much it exceeds `minus`."""
    values = [
        one.measures.get(measure, np.nan) - (one.measures.get(minus, np.nan) if minus else 0.0)
        for one in measured
    ]
    return mean_over_patients(measured, values)


def mean_over_patients(measured: Sequence[Measured], values: Sequence[float]) -> Estimate:
    """Return the mean over patients of one value per image, with its interval by group.

    A patient who was tested several times (repeats of the folds) counts once, by the mean.
    """
    by_patient: dict[str, list[float]] = {}
    who: dict[str, Measured] = {}
    for one, value in zip(measured, values, strict=True):
        who[one.patient_id] = one
        mine = by_patient.setdefault(one.patient_id, [])
        if np.isfinite(value):
            mine.append(value)
    return clustered_mean(
        [float(np.mean(mine)) if mine else np.nan for mine in by_patient.values()],
        [one.group for one in who.values()],
        positive=[one.positive for one in who.values()],
    )
