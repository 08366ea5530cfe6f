"""The external set: patients kept out of development, predicted once by the finished bundle."""

from collections.abc import Iterator, Sequence

import pandas as pd

from axilla.config.study import StudyConfig
from axilla.evaluation.stage import evaluate_external
from axilla.inference.thresholds import NEUTRAL
from axilla.records.patients import Cohort, Patient
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import PREDICTIONS

NAMES = ("external_predictions.csv", "external_metrics.csv")


def validate_externally(
    config: StudyConfig, folder: RunFolder, cohort: Cohort, progress: Progress
) -> None:
    """Predict the cohort's external patients with the study's bundle and measure that.

    The bundle is the one that travels: its weights, recalibration and threshold are frozen, and
    nothing is chosen on these patients. Without any, results of an earlier run are removed.
    """
    patients = [patient for patient in cohort.labelled_patients if patient.split == "external"]
    for name in NAMES:
        folder.table(name).unlink(missing_ok=True)
    if not patients:
        return
    from axilla.inference.bundle import read_bundle  # noqa: PLC0415 - torch is slow to import
    from axilla.inference.prediction_table import predicted_table  # noqa: PLC0415
    from axilla.inference.predictor import Predictor  # noqa: PLC0415

    predictor = Predictor(read_bundle(folder.bundle))
    known = [part.modality for part in predictor.manifest.modalities]
    cases = [patient for patient in patients if any(patient.has(m) for m in known)]
    predictions = predictor.predict(cases, progress=progress)
    table = predicted_table(predictor.manifest, cases, predictions)
    readings = pd.DataFrame(_readings(config, patients), columns=list(PREDICTIONS))
    folder.write_table(NAMES[0], pd.concat([table, readings]) if len(readings) else table)
    evaluate_external(config, folder, patients)


def _readings(config: StudyConfig, patients: Sequence[Patient]) -> Iterator[tuple[object, ...]]:
    if config.reader is None:
        return
    name = config.reader.name or config.reader.column
    for patient in patients:
        if patient.reader_positive is not None:
            reading = float(patient.reader_positive)
            yield (
                patient.patient_id,
                name,
                "reader",
                "reader",
                0,
                0,
                patient.label,
                reading,
                NEUTRAL,
            )
