"""A bundle's predictions as rows of predictions.csv."""

from collections.abc import Sequence

import pandas as pd

from axilla.inference.manifest import Manifest
from axilla.inference.predictor import Prediction
from axilla.records.patients import Patient
from axilla.records.table_columns import PREDICTIONS


def predicted_table(
    manifest: Manifest, cases: Sequence[Patient], predictions: Sequence[Prediction]
) -> pd.DataFrame:
    """Return one row per case with the bundle's probability and its frozen threshold.

    Repeat and fold are 0; the modality names what each prediction was made from; the label of a
    case without a known outcome is missing.
    """
    rows = [
        (
            case.patient_id,
            manifest.model,
            "fusion" if manifest.strategy else "unimodal",
            "+".join(prediction.used),
            0,
            0,
            case.label,
            prediction.probability,
            prediction.threshold,
        )
        for case, prediction in zip(cases, predictions, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(PREDICTIONS)).astype({"label": "Int64"})
