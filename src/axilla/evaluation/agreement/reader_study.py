"""A blinded reading of heatmaps: do readers agree, and do maps show what readers see?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.evaluation.agreement.agreement_likelihood import likelihood_interval
from axilla.evaluation.agreement.kappa import (
    Coefficient,
    agreement_interval,
    gwet_ac1,
    kappa,
    percent_agreement,
)
from axilla.evaluation.intervals.clustered_proportions import clustered_share
from axilla.evaluation.intervals.confidence_intervals import Interval

FloatArray = NDArray[np.float64]
Question = Literal["present", "attention_matches"]

RATINGS: Final = (
    "reader", "patient", "modality", "criterion", "map", "position", "present",
    "attention_matches",
)  # fmt: skip
"""One rating a row: map is real or decoy, position the place in the reader's order, and answers
are 1, 0 or NaN; `attention_matches` is NaN where `present` is not 1."""

AGREEMENT: Final = (
    "modality", "criterion", "question", "measure", "reader", "value", "low", "high", "n", "method",
)  # fmt: skip
QUESTIONS: Final[tuple[Question, ...]] = ("present", "attention_matches")
ALL: Final = "all criteria"

_PAIR: Final = 2


def agreement_table(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return prevalence, percent agreement, kappa and AC1 of every criterion, columns AGREEMENT.

    Only real maps count. Whether attention matches is compared where both readers see the
    finding. Kappa is Cohen's for two readers and Fleiss' for more. Rows of `all criteria` stack
    the criteria of a modality and take a patient as one cluster. `repeatability` is a reader's
    own percent agreement between two showings of one patient.
    """
    real = ratings[ratings["map"] == "real"]
    rows: list[tuple[object, ...]] = []
    for modality, of_modality in real.groupby("modality", sort=False):
        parts = [*of_modality.groupby("criterion", sort=False), (ALL, of_modality)]
        for criterion, part in parts:
            for question in QUESTIONS:
                place = (modality, criterion, question)
                rows += [(*place, *row) for row in _prevalence(part, question)]
                rows += [(*place, *row) for row in _agreement(part, question)]
        repeated = ratings[ratings["modality"] == modality]
        rows += [(modality, ALL, "present", "repeatability", *row) for row in _repeated(repeated)]
    return pd.DataFrame(rows, columns=list(AGREEMENT))


def _prevalence(part: pd.DataFrame, question: Question) -> Iterator[tuple[object, ...]]:
    """Yield each reader's share of yes."""
    for reader, own in part.groupby("reader", sort=True):
        given = own[own[question].notna()]
        if given.empty:
            continue
        share, interval = clustered_share(given[question], given["patient"])
        yield "prevalence", reader, share, *_bounds(interval, len(given))


def _agreement(part: pd.DataFrame, question: Question) -> Iterator[tuple[object, ...]]:
    """Yield the coefficients of all readers together."""
    table = part.pivot_table(
        index=["patient", "criterion"], columns="reader", values=question, sort=True, observed=True
    )
    if table.shape[1] < _PAIR:
        return
    rated = table.to_numpy(dtype=np.float64)
    patients = table.index.get_level_values("patient")
    clusters = pd.factorize(patients)[0] if patients.has_duplicates else None
    for measure, coefficient in (
        ("percent agreement", percent_agreement(rated)),
        ("kappa", kappa(rated)),
        ("AC1", gwet_ac1(rated)),
    ):
        interval = _interval(rated, coefficient, clusters=clusters)
        values = _bounds(interval, coefficient.n, name=coefficient.name)
        yield measure, "", coefficient.value, *values


def _interval(
    rated: FloatArray, coefficient: Coefficient, *, clusters: NDArray[np.int64] | None
) -> Interval:
    if rated.shape[1] == _PAIR and clusters is None and coefficient.expected:
        return likelihood_interval(rated, coefficient)
    return agreement_interval(coefficient, clusters=clusters)


def _repeated(ratings: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """Yield how often a reader answers the second showing of a case as the first."""
    for reader, own in ratings.groupby("reader", sort=True):
        twice = paired_showings(own).dropna(subset=["present_real", "present_decoy"])
        if twice.empty:
            continue
        same = (twice["present_real"] == twice["present_decoy"]).astype(float)
        share, interval = clustered_share(same, twice["patient"])
        yield reader, share, *_bounds(interval, len(twice))


def paired_showings(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return the ratings of cases that a reader saw with both maps, side by side."""
    keys = ["reader", "patient", "modality", "criterion"]
    real, decoy = (
        ratings[ratings["map"] == kind].drop(columns="map") for kind in ("real", "decoy")
    )
    return real.merge(decoy, on=keys, suffixes=("_real", "_decoy"))


def _bounds(interval: Interval, n: int, *, name: str = "") -> tuple[float, float, int, str]:
    method = f"{name}; {interval.method}" if name else interval.method
    return interval.low, interval.high, n, method


def ratings_frame(rows: Iterable[Sequence[object] | Mapping[str, object]]) -> pd.DataFrame:
    """Return ratings as a table with the columns RATINGS and their types."""
    frame = pd.DataFrame(list(rows), columns=list(RATINGS))
    return frame.astype(dict.fromkeys(QUESTIONS, "float64"))
