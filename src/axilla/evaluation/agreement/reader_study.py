"""Reader study of heatmaps: agreement, and real maps compared with decoys."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from axilla.evaluation.agreement.kappa import (
    Coefficient,
    agreement_interval,
    gwet_ac1,
    kappa,
    likelihood_interval,
    percent_agreement,
)
from axilla.evaluation.comparisons.comparisons_table import holm
from axilla.evaluation.comparisons.paired_tests import Difference
from axilla.evaluation.intervals.clustered_proportions import (
    clustered_share,
    paired_share_difference,
    separate_share_difference,
)
from axilla.evaluation.intervals.confidence_intervals import Interval
from axilla.records.arrays import FloatArray

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
COMPARISON: Final = (
    "comparison", "modality", "criterion", "reader", "share_a", "share_b", "estimate", "low",
    "high", "p", "p_holm", "n_cases", "n_ratings", "method",
)  # fmt: skip
"""Shares of findings that attention matches: real (a) and decoy maps (b), or the model right (a)
and wrong (b), or one share alone (a)."""
_MATCHES: Final = "attention_matches"
_SHOWINGS: Final = ("real_decoy", "real_decoy_real_first", "real_decoy_decoy_first")


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
        rows += [
            (modality, ALL, "present", "repeatability", *row) for row in _measure_repeats(repeated)
        ]
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


def _measure_repeats(ratings: pd.DataFrame) -> Iterator[tuple[object, ...]]:
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


def comparison_table(
    ratings: pd.DataFrame, *, right: Mapping[str, bool], rng: Generator
) -> pd.DataFrame:
    """Return what maps are worth to readers, columns COMPARISON.

    `ratings` has the columns RATINGS; `right` says of patients whether the model called them
    right. Real and decoy maps are compared within a reader's two showings of one case, where the
    finding was seen both times; the same by which map came first shows carry-over. p_holm corrects
    for the criteria of both modalities within a comparison.
    """
    rows: list[tuple[object, ...]] = []
    for modality, of_modality in ratings.groupby("modality", sort=False):
        parts = [(ALL, of_modality), *of_modality.groupby("criterion", sort=False)]
        for criterion, part in parts:
            place = (modality, criterion)
            rows += [(row[0], *place, *row[1:]) for row in _shares(part, whole=criterion == ALL)]
            rows += [
                (row[0], *place, *row[1:])
                for row in _showings(part, whole=criterion == ALL, rng=rng)
            ]
            rows += [(row[0], *place, *row[1:]) for row in _by_model(part, right, rng=rng)]
    table = pd.DataFrame(rows, columns=[name for name in COMPARISON if name != "p_holm"])
    corrected = pd.Series(np.nan, index=table.index)
    for _, family in table[table["criterion"] != ALL].groupby("comparison"):
        corrected[family.index] = holm(family["p"])
    table.insert(COMPARISON.index("p_holm"), "p_holm", corrected)
    return table.sort_values("comparison", key=_order, kind="stable", ignore_index=True)


def _shares(part: pd.DataFrame, *, whole: bool) -> Iterator[tuple[object, ...]]:
    """Yield the share of seen findings that real, and decoy, maps match: all readers, then each."""
    for kind, name in (("real", "share_real"), ("decoy", "share_decoy")):
        seen = part[(part["map"] == kind) & part[_MATCHES].notna()]
        readers = seen["reader"].unique() if whole else ()
        for reader in ("", *sorted(readers)):
            own = seen[seen["reader"] == reader] if reader else seen
            if own.empty:
                continue
            share, interval = clustered_share(own[_MATCHES], own["patient"])
            size = own["patient"].nunique(), len(own)
            bounds = (interval.low, interval.high)
            yield (name, reader, share, np.nan, share, *bounds, np.nan, *size, interval.method)


def _showings(part: pd.DataFrame, *, whole: bool, rng: Generator) -> Iterator[tuple[object, ...]]:
    """Yield real less decoy maps of the same cases, and that by which came first."""
    pairs = paired_showings(part).dropna(subset=[f"{_MATCHES}_real", f"{_MATCHES}_decoy"])
    real_first = pairs["position_real"] < pairs["position_decoy"]
    for name, some in zip(_SHOWINGS, (pairs, pairs[real_first], pairs[~real_first]), strict=True):
        if some.empty or not (whole or name == "real_decoy"):
            continue
        real, decoy = some[f"{_MATCHES}_real"], some[f"{_MATCHES}_decoy"]
        found = paired_share_difference(real - decoy, some["patient"], rng=rng)
        yield _row(name, real.mean(), decoy.mean(), found, some)


def _by_model(
    part: pd.DataFrame, right: Mapping[str, bool], *, rng: Generator
) -> Iterator[tuple[object, ...]]:
    """Yield real maps of cases that the model calls right less those it calls wrong."""
    seen = part[(part["map"] == "real") & part[_MATCHES].notna() & part["patient"].isin(right)]
    if seen.empty:
        return
    first = seen["patient"].map(right).astype(bool)
    found = separate_share_difference(seen[_MATCHES], seen["patient"], first, rng=rng)
    shares = seen[_MATCHES].groupby(first).mean()
    yield _row("right_wrong", shares.get(True, np.nan), shares.get(False, np.nan), found, seen)


def _row(
    name: str, one: float, other: float, found: Difference, ratings: pd.DataFrame
) -> tuple[object, ...]:
    interval = found.interval
    size = ratings["patient"].nunique(), len(ratings)
    bounds = (interval.low, interval.high)
    return (name, "", one, other, found.estimate, *bounds, found.p, *size, interval.method)


def _order(names: "pd.Series[str]") -> "pd.Series[int]":
    kinds = ("share_real", "share_decoy", *_SHOWINGS, "right_wrong")
    return names.map({name: place for place, name in enumerate(kinds)})
