"""Table 1 of a study: the patients who were predicted, by outcome."""

from collections.abc import Sequence

import pandas as pd

from axilla.config.study import StudyConfig
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.table1.patient_table import Kind, table_one
from axilla.evaluation.table1.table1_columns import kind_of
from axilla.records.patients import ClinicalValue, Patient


def study_table1(material: EvaluationInputs) -> pd.DataFrame | None:
    """Return Table 1 of the predicted patients by outcome; None without variables or two classes.

    Variables are those of evaluation.table1, else the clinical columns, the site and the reader.
    Patients who share a group are clusters. Clinical columns hold what [clinical] says; for others
    see `kind_of`.
    """
    config = material.config
    evaluated = set(material.table["patient_id"])
    patients = [
        patient
        for patient in material.patients
        if patient.patient_id in evaluated and patient.label is not None
    ]
    if len({patient.label for patient in patients}) < 2:  # noqa: PLR2004
        return None
    values = {
        variable: [_value(patient, variable, config=config) for patient in patients]
        for variable in _variables(config)
    }
    if not values:
        return None
    outcome = config.study.outcome
    return table_one(
        pd.DataFrame(values, dtype=object),
        pd.Series([f"{outcome} {('negative', 'positive')[p.label or 0]}" for p in patients]),
        kinds={variable: _kind(variable, cells, config) for variable, cells in values.items()},
        clusters=pd.Series([patient.group for patient in patients]),
    )


def _variables(config: StudyConfig) -> tuple[str, ...]:
    if config.evaluation.table1:
        return config.evaluation.table1
    site = (config.cohort.site,) if config.cohort.site else ()
    return tuple(dict.fromkeys((*config.clinical, *site, *_reader_name(config))))


def _reader_name(config: StudyConfig) -> tuple[str, ...]:
    return (config.reader.name or config.reader.column,) if config.reader else ()


def _value(patient: Patient, variable: str, *, config: StudyConfig) -> ClinicalValue:
    if variable in patient.attributes:
        return patient.attributes[variable]
    if variable in patient.clinical:
        return patient.clinical[variable]
    if variable == config.cohort.site:
        return patient.site
    if variable in _reader_name(config) and patient.reader_positive is not None:
        return "positive" if patient.reader_positive else "negative"
    return None


def _kind(variable: str, cells: Sequence[ClinicalValue], config: StudyConfig) -> Kind:
    if variable in config.clinical:
        return config.clinical[variable]
    return kind_of(variable, [str(cell) for cell in cells if cell is not None])
