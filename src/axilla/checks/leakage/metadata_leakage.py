"""Whether file metadata predict the outcome: names, dates, sizes, devices.

A hospital, a scanner, the size of an image or the day on which it was exported say nothing of a
disease. Where they tell the outcome, a model can learn them instead of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from axilla.checks.leakage.crossfit_auc import (
    DRAWS,
    LeakageVariable,
    Ordered,
    Rates,
    Together,
    by_level,
    by_order,
    folds_by_group,
    holm,
    p_by_chance,
    shuffled_outcomes,
)
from axilla.records.arrays import FloatArray, IntArray
from axilla.records.errors import Problem
from axilla.records.findings import Finding, warning
from axilla.records.patients import ImageFile, Patient
from axilla.records.types import IMAGE_MODALITIES, ImageModality

TOGETHER = "all of these together"
LOWEST_AUC = 0.65
LEVEL = 0.05
_FEWEST_PER_CLASS = 5
_CHANCE = 0.5

Value = float | str | None
DEVICE = "ultrasound_device"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a patient apart from the disease; None where it is not known.

    Each variable is numbers or words throughout.
    """

    patient_id: str
    group: str
    label: int
    variables: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Relation:
    """How well a variable tells the outcome of patients that it was not fitted to.

    Of a number, the better direction counts. `p` is by shuffling the outcome between groups,
    `p_holm` corrected for all variables; both are NaN below the AUC from which it matters.
    """

    name: str
    auc: float
    n: int
    n_positive: int
    p: float
    p_holm: float

    @property
    def alarming(self) -> bool:
        """Tell whether the AUC is at least 0.65 and larger than chance gives."""
        return self.auc >= LOWEST_AUC and self.p_holm < LEVEL


@dataclass(frozen=True, slots=True)
class _Tested:
    """A variable that can be tested: its predictor, and the patients who have it."""

    name: str
    predictor: LeakageVariable
    known: NDArray[np.bool_]


def metadata_findings(
    rows: Sequence[Metadata], *, table: str, seed: int, draws: int = DRAWS
) -> Iterator[Finding]:
    """Yield a warning for each variable that tells the outcome; of all together, if none alone."""
    relations = [r for r in metadata_relations(rows, seed=seed, draws=draws) if r.alarming]
    single = [relation for relation in relations if relation.name != TOGETHER]
    for relation in single or relations:
        yield warning("metadata_predicts", _problem(relation, table=table))


def metadata_relations(
    rows: Sequence[Metadata], *, seed: int, draws: int = DRAWS
) -> tuple[Relation, ...]:
    """Return how well each variable, and all together, tells the outcome, in their order.

    Left out are variables with one value, and those known of fewer than five patients of a
    class. Equal input gives equal output.
    """
    labels = np.array([row.label for row in rows], dtype=np.int64)
    groups = np.unique([row.group for row in rows], return_inverse=True)[1].astype(np.int64)
    if not _enough(labels):
        return ()
    folds = folds_by_group(groups, rng=default_rng((seed, 0)))
    tested = list(_testable(rows, labels, folds))
    aucs = {item.name: float(item.predictor.auc(_column(labels[item.known]))[0]) for item in tested}
    high = [item for item in tested if aucs[item.name] >= LOWEST_AUC]
    p_values: dict[str, float] = {}
    # All together only where no variable alone gives the alarm: it would be the same one again.
    for part in (False, True):
        if any(p < LEVEL for p in holm(p_values, tests=len(tested)).values()):
            break
        items = [item for item in high if (item.name == TOGETHER) is part]
        p_values |= _p_values(items, aucs, labels=labels, groups=groups, seed=seed, draws=draws)
    corrected = holm(p_values, tests=len(tested))
    return tuple(
        Relation(
            name=item.name,
            auc=aucs[item.name],
            n=int(item.known.sum()),
            n_positive=int(labels[item.known].sum()),
            p=p_values.get(item.name, np.nan),
            p_holm=corrected.get(item.name, np.nan),
        )
        for item in tested
    )


def _testable(rows: Sequence[Metadata], labels: IntArray, folds: IntArray) -> Iterator[_Tested]:
    names = list(dict.fromkeys(name for row in rows for name in row.variables))
    designs: list[FloatArray] = []
    for name in names:
        values = [row.variables.get(name) for row in rows]
        known = np.array([value is not None for value in values])
        if not _enough(labels[known]):
            continue
        predictor = _predictor([v for v in values if v is not None], folds[known])
        if predictor is not None:
            yield _Tested(name, predictor, known)
            designs.append(_design(predictor, known))
    if len(designs) > 1:
        together = Together(np.hstack(designs), folds)
        yield _Tested(TOGETHER, together, np.ones(len(rows), dtype=np.bool_))


def _predictor(values: Sequence[float | str], folds: IntArray) -> Ordered | Rates | None:
    if any(isinstance(value, str) for value in values):
        return by_level(np.array([str(value) for value in values]), folds)
    return by_order(np.array(values, dtype=np.float64), folds)


def _design(predictor: Ordered | Rates, known: NDArray[np.bool_]) -> FloatArray:
    """Columns of one variable in the model of all: levels as 0 or 1, ranks from -1 to 1."""
    rates = predictor if isinstance(predictor, Rates) else predictor.binned
    count = int(rates.levels.max()) + 1
    columns = np.zeros((len(known), count + isinstance(predictor, Ordered)))
    columns[np.flatnonzero(known), rates.levels] = 1
    if isinstance(predictor, Ordered):
        columns[known, -1] = 2 * predictor.ranks / predictor.ranks.max() - 1
    return columns


def _p_values(
    items: Sequence[_Tested],
    aucs: Mapping[str, float],
    *,
    labels: IntArray,
    groups: IntArray,
    seed: int,
    draws: int,
) -> dict[str, float]:
    """Return the p-value of each item; those known of the same patients share their shuffles."""
    alike: dict[bytes, list[_Tested]] = {}
    for item in items:
        alike.setdefault(item.known.tobytes(), []).append(item)
    p_values = {}
    for shared in alike.values():
        known = shared[0].known
        mine = np.unique(groups[known], return_inverse=True)[1].astype(np.int64)
        rng = default_rng((seed, 1))
        shuffles = shuffled_outcomes(labels[known], mine, rng=rng, draws=draws)
        chance = [[item.predictor.auc(outcomes) for item in shared] for outcomes in shuffles]
        for index, item in enumerate(shared):
            by_chance = np.concatenate([part[index] for part in chance])
            p_values[item.name] = p_by_chance(aucs[item.name], by_chance)
    return p_values


def _problem(relation: Relation, *, table: str) -> Problem:
    low, word = 0.001, f"{relation.p_holm:.2g}"
    p = f"p < {low}" if relation.p_holm < low else f"p = {word}"
    return Problem(
        f"{table}, {relation.name}",
        f"the outcome told with an AUC of {relation.auc:.2f} (n = {relation.n}, "
        f"{relation.n_positive} positive, {p} corrected for all variables)",
        f"metadata that do not tell the outcome (AUC near {_CHANCE})",
        "Find out why positive and negative patients differ in it, and bring both from the same "
        "sources. Until then compare each model with this AUC, or leave one site out "
        "(validation.scheme = 'site').",
    )


def _enough(labels: IntArray) -> bool:
    return bool(np.bincount(labels, minlength=2).min() >= _FEWEST_PER_CLASS)


def _column(labels: IntArray) -> NDArray[np.float64]:
    return labels.astype(np.float64)[:, np.newaxis]


class Looked(Protocol):
    """An image of a patient that was opened, such as `InspectedImage`."""

    @property
    def patient_id(self) -> str:
        """Whose image it is."""
        ...

    @property
    def modality(self) -> ImageModality:
        """What it was taken with."""
        ...

    @property
    def file(self) -> ImageFile:
        """Where it lies."""
        ...

    @property
    def width_px(self) -> int:
        """Width of the upright image."""
        ...

    @property
    def height_px(self) -> int:
        """Height of the upright image."""
        ...

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        ...

    @property
    def modified(self) -> date:
        """Day on which the file was last changed."""
        ...


def metadata_of(
    patients: Sequence[Patient],
    looks: Iterable[Looked],
    *,
    devices: Mapping[str, str] | None = None,
) -> tuple[Metadata, ...]:
    """Return the metadata of every patient of the development set whose outcome is known.

    Site, scanner, and per modality the number of images and the size, type and day of the first.
    `devices` gives scanners by patient, as DICOM files name them; the table's column
    ultrasound_device, where it is among the attributes, comes first.
    """
    firsts: dict[tuple[str, ImageModality], Looked] = {}
    for look in looks:
        firsts.setdefault((look.patient_id, look.modality), look)
    rows = []
    for patient in patients:
        if patient.label is None or patient.split != "development":
            continue
        device = patient.attributes.get(DEVICE) or (devices or {}).get(patient.patient_id)
        variables: dict[str, Value] = {
            "site": patient.site,
            "ultrasound device": None if device is None else str(device),
        }
        for modality in IMAGE_MODALITIES:
            first = firsts.get((patient.patient_id, modality))
            variables |= _of_images(first, modality, count=len(patient.images(modality)))
        rows.append(Metadata(patient.patient_id, patient.group, patient.label, variables))
    return tuple(rows)


def _of_images(first: Looked | None, modality: ImageModality, *, count: int) -> Mapping[str, Value]:
    """Return what one modality tells; without an image, nothing: gaps are another finding."""
    if first is None:
        return {}
    return {
        f"number of {modality} images": float(count),
        f"{modality} image size": f"{first.width_px} x {first.height_px}",
        f"{modality} pixels": float(first.width_px * first.height_px),
        f"{modality} file size": float(first.file_bytes),
        f"{modality} file date": float(first.modified.toordinal()),
        f"{modality} file type": first.file.path.suffix.lower(),
    }
