"""How far the outcome can be told from where a patient's data come from, without looking at them.

A model that recognises a hospital or a device by its images gets the difference in prevalence for
nothing. What it gets is the apparent AUC of the origin: the AUC of giving every patient the share
of positives at their own origin.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator

from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.intervals.confidence_intervals import wilson
from axilla.evaluation.table1.group_tests import Tested, compare_clustered_levels, compare_counts
from axilla.records.arrays import FloatArray, IntArray
from axilla.records.patients import Patient
from axilla.records.table_columns import CONFOUNDING

ALL_LEVELS: Final = ""  # the level of the row that speaks of a whole column
DRAWS: Final = 2000
_PAIR: Final = 2
_DEVICE: Final = "ultrasound_device"


@dataclass(frozen=True, slots=True)
class Association:
    """The AUC of the origin alone, its mean where origin and outcome are unrelated, and the test.

    The mean by chance is above 0.5: with enough small origins, any outcome seems to follow them.
    """

    auc: float
    auc_by_chance: float
    tested: Tested


def associate(
    labels: IntArray, origins: IntArray, *, clusters: IntArray, rng: Generator
) -> Association:
    """Return how well the origin alone tells the outcome; all arrays (N,), numbers from 0.

    The test is that of Table 1: chi-square or exact, or Rao and Scott's where patients share a
    cluster. The AUC by chance is the mean over 2000 random permutations of the outcome.
    """
    sizes = np.bincount(origins)
    positive = np.bincount(origins, weights=labels, minlength=len(sizes)).astype(np.int64)
    drawn = rng.multivariate_hypergeometric(sizes, int(positive.sum()), size=DRAWS)
    return Association(
        auc=float(apparent_auc(positive, sizes)),
        auc_by_chance=float(apparent_auc(drawn, sizes).mean()),
        tested=relation_of(labels, origins, clusters=clusters),
    )


def apparent_auc(positive: IntArray, sizes: IntArray) -> FloatArray:
    """Return the AUC of scoring patients by the share of positives at their own origin.

    `positive` (..., S) of `sizes` (S,) patients at S origins; the result has the leading shape.
    NaN without both classes.
    """
    negative = sizes - positive
    share = positive / sizes
    higher = (share[..., :, None] > share[..., None, :]) + (
        share[..., :, None] == share[..., None, :]
    ) / 2
    right = np.einsum("...a,...b,...ab->...", positive, negative, higher)
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return np.where(pairs > 0, right / np.where(pairs > 0, pairs, 1), np.nan)


def relation_of(labels: IntArray, levels: IntArray, *, clusters: IntArray) -> Tested:
    """Test whether a category and the outcome are related, by cluster if patients share any."""
    if len(np.unique(clusters)) < len(clusters):
        return compare_clustered_levels(levels, labels, clusters=clusters)
    counts = np.zeros((int(levels.max()) + 1, _PAIR), dtype=np.int64)
    np.add.at(counts, (levels, labels), 1)
    return compare_counts(counts)


def confounding_table(material: EvaluationInputs) -> pd.DataFrame | None:
    """Return confounding.csv: prevalence per site and device, and their AUC for the outcome.

    None where the study knows neither, or only one of each.
    """
    known = [patient for patient in material.patients if patient.label is not None]
    rows = [
        row
        for column, origin in _origins(material).items()
        for row in _rows(column, known, origin=origin, rng=material.rng("confounding", column))
    ]
    return pd.DataFrame(rows, columns=list(CONFOUNDING)) if rows else None


def _origins(material: EvaluationInputs) -> Mapping[str, Callable[[Patient], str | None]]:
    def device(patient: Patient) -> str | None:
        value = patient.attributes.get(_DEVICE)
        return None if value is None else str(value)

    site = material.config.cohort.site
    named: dict[str, Callable[[Patient], str | None]] = {}
    if site:
        named[site] = lambda patient: patient.site
    return named | {_DEVICE: device}


def _rows(
    column: str,
    patients: Sequence[Patient],
    *,
    origin: Callable[[Patient], str | None],
    rng: Generator,
) -> Iterator[tuple[object, ...]]:
    from_somewhere = [patient for patient in patients if origin(patient) is not None]
    names, origins = np.unique([str(origin(p)) for p in from_somewhere], return_inverse=True)
    labels = np.array([p.label for p in from_somewhere], dtype=np.int64)
    if len(names) < _PAIR or len(np.unique(labels)) < _PAIR:
        return
    clusters = np.unique([patient.group for patient in from_somewhere], return_inverse=True)[1]
    found = associate(labels, origins, clusters=clusters, rng=rng)
    whole = (column, ALL_LEVELS, len(labels), int(labels.sum()), float(labels.mean()))
    tested = found.tested
    yield (*whole, *wilson(*_share(labels)), found.auc, found.auc_by_chance, tested.p, tested.test)
    for code, name in enumerate(names):
        own = labels[origins == code]
        share, size = _share(own)
        low, high = wilson(share, size)
        yield column, name, len(own), int(own.sum()), share, low, high, *[np.nan] * 3, "Wilson"


def _share(labels: IntArray) -> tuple[float, float]:
    return float(labels.mean()), float(len(labels))
