"""Whether a gap in the data tells the outcome.

A measurement is often made because of a suspicion. Then its absence is a hint that no other
hospital can rely on, and imputing it hides where the hint comes from. missingness.csv gives the
share of positives with and without each value.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.random import default_rng
from scipy.stats import fisher_exact

from axilla.checks.leakage.crossfit_auc import DRAWS, Columns, holm, p_by_chance, shuffled_outcomes
from axilla.cohort.cohort_schema import CohortSchema
from axilla.records.arrays import BoolArray, FloatArray, IntArray
from axilla.records.errors import Problem
from axilla.records.findings import Finding, warning
from axilla.records.patients import Patient
from axilla.records.types import IMAGE_MODALITIES

LEVEL = 0.05


def missingness_findings(
    patients: Sequence[Patient],
    wanted: CohortSchema,
    *,
    table: str,
    seed: int,
    draws: int = DRAWS,
) -> Iterator[Finding]:
    """Yield a warning for each column whose gaps are related to the outcome.

    Looked at are modalities, clinical columns, the reading, and whether the lesion is marked, in
    the patients of the development set whose outcome is known. The test is Fisher's, or shuffles
    outcomes between groups where patients share one; Holm's correction is for all columns.
    """
    known = [p for p in patients if p.label is not None and p.split == "development"]
    labels = np.array([patient.label for patient in known], dtype=np.int64)
    names = [patient.group for patient in known]
    groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    gaps = {name: gap for name, gap in _gaps(known, wanted).items() if 0 < gap.sum() < len(gap)}
    p_values = _p_values(gaps, labels=labels, groups=groups, seed=seed, draws=draws)
    for name, p in holm(p_values, tests=len(p_values)).items():
        if p < LEVEL:
            who = [known[index].patient_id for index in np.flatnonzero(gaps[name])]
            problem = _problem(name, labels, gap=gaps[name], p=p, table=table)
            yield warning("missingness", problem, patients=who)


def _gaps(patients: Sequence[Patient], wanted: CohortSchema) -> dict[str, BoolArray]:
    """Return, per column, who lacks it (N,)."""
    gaps: dict[str, list[bool]] = {}
    for modality in IMAGE_MODALITIES:
        if modality in wanted.modalities:
            gaps[modality] = [not patient.has(modality) for patient in patients]
    if "ultrasound" in wanted.modalities:
        gaps["mask or rectangle of the lesion"] = [
            bool(patient.ultrasound)
            and not any(file.roi or file.mask for file in patient.ultrasound)
            for patient in patients
        ]
    for column in wanted.clinical:
        gaps[column] = [patient.clinical.get(column) is None for patient in patients]
    if wanted.reader:
        gaps[wanted.reader] = [patient.reader_positive is None for patient in patients]
    return {name: np.array(gap, dtype=np.bool_) for name, gap in gaps.items()}


def _p_values(
    gaps: Mapping[str, BoolArray], *, labels: IntArray, groups: IntArray, seed: int, draws: int
) -> dict[str, float]:
    if not gaps or len(np.unique(labels)) <= 1:
        return {}
    if groups.max() + 1 == len(groups):
        return {
            name: float(fisher_exact(_counts(labels, gap)).pvalue) for name, gap in gaps.items()
        }
    lacking = np.array(list(gaps.values()), dtype=np.float64)
    observed = _difference(lacking, labels[:, np.newaxis].astype(np.float64))[:, 0]
    shuffles = shuffled_outcomes(labels, groups, rng=default_rng((seed, 2)), draws=draws)
    by_chance = np.hstack([_difference(lacking, outcomes) for outcomes in shuffles])
    return {
        name: p_by_chance(float(observed[index]), by_chance[index])
        for index, name in enumerate(gaps)
    }


def _difference(lacking: FloatArray, outcomes: Columns) -> FloatArray:
    """Return how far the shares of positives are apart, (columns, shuffles)."""
    without = lacking @ outcomes / lacking.sum(axis=1, keepdims=True)
    present = 1 - lacking
    return np.asarray(np.abs(without - present @ outcomes / present.sum(axis=1, keepdims=True)))


def _counts(labels: IntArray, gap: BoolArray) -> IntArray:
    """Rows: lacking it, having it; columns: negative, positive."""
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (1 - gap.astype(np.int64), labels), 1)
    return counts


def _problem(name: str, labels: IntArray, *, gap: BoolArray, p: float, table: str) -> Problem:
    (lacking_negative, lacking_positive), (_, having_positive) = _counts(labels, gap).tolist()
    lacking, having = lacking_negative + lacking_positive, len(labels) - int(gap.sum())
    size = f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"  # noqa: PLR2004 - as papers print it
    return Problem(
        f"{table}, {name}",
        f"{lacking_positive} of {lacking} patients without it positive, {having_positive} of "
        f"{having} with it ({size} corrected for all columns)",
        "gaps that have nothing to do with the outcome",
        "Find out why it is missing, and fill in what exists; or leave the column out, since a "
        "model can learn the gap instead of the value.",
    )
