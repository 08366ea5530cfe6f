"""Readers against maps: real against decoy maps, and the model right against wrong."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator

from axilla.evaluation.agreement.reader_study import ALL, paired_showings
from axilla.evaluation.comparisons.comparisons_table import holm
from axilla.evaluation.comparisons.paired_tests import Difference
from axilla.evaluation.intervals.clustered_proportions import (
    clustered_share,
    paired_share_difference,
    separate_share_difference,
)

COMPARISON: Final = (
    "comparison", "modality", "criterion", "reader", "share_a", "share_b", "estimate", "low",
    "high", "p", "p_holm", "n_cases", "n_ratings", "method",
)  # fmt: skip
"""Shares of findings that attention matches: real (a) and decoy maps (b), or the model right (a)
and wrong (b), or one share alone (a)."""

_MATCHES: Final = "attention_matches"
_SHOWINGS: Final = ("real_decoy", "real_decoy_real_first", "real_decoy_decoy_first")


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
