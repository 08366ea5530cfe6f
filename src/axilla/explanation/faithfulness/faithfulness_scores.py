"""Results of the faithfulness tests per image and patient, and their mean curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from axilla.explanation.faithfulness.clustered_mean import clustered_mean
from axilla.records.estimate import Estimate
from axilla.records.table_columns import FAITHFULNESS_CURVES
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


def curve_table(measured: Sequence[Measured]) -> pd.DataFrame:
    """Return one row per point: how far the logit has moved once a share of the image is changed.

    `curve` is deletion or insertion, `order` map, random or edges; `value`, with its 95 %
    interval at this point, is a share of the largest difference between any two versions of an
    image, towards what the model predicts: fallen in deletion, risen in insertion.
    """
    rows = []
    for modality, method in dict.fromkeys((one.modality, one.method) for one in measured):
        mine = [one for one in measured if (one.modality, one.method) == (modality, method)]
        for name in dict.fromkeys(name for one in mine for name in one.curves):
            curve, _, order = name.partition("_")
            points = np.array([one.curves[name] for one in mine])
            shares = np.linspace(0, 1, points.shape[1])
            for share, values in zip(shares.tolist(), points.T, strict=True):
                mean = mean_over_patients(mine, values.tolist())
                found = (mean.value, mean.low, mean.high, mean.n)
                rows.append((modality, method, curve, order, share, *found))
    return pd.DataFrame(rows, columns=list(FAITHFULNESS_CURVES))
