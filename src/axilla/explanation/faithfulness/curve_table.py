"""The mean deletion and insertion curves of a cohort, for a figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from axilla.explanation.faithfulness.faithfulness_scores import Measured, mean_over_patients
from axilla.records.table_columns import FAITHFULNESS_CURVES


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
