"""Table 1: who the patients are, group by group, and whether the groups differ."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.cohort.values.cells import as_number, code_of
from axilla.evaluation.table1.formatting import (
    count_text,
    in_order,
    missing_text,
    number_texts,
    p_text,
    smd_text,
)
from axilla.evaluation.table1.group_tests import (
    SmallCounts,
    Tested,
    compare_clustered_levels,
    compare_clustered_numbers,
    compare_counts,
    compare_numbers,
    is_normal,
)
from axilla.evaluation.table1.smd import smd_of_counts, smd_of_numbers
from axilla.records.arrays import BoolArray, FloatArray, IntArray

Kind = Literal["number", "category"]

COLUMNS: Final = ("variable", "level", "overall", "missing", "p", "test", "smd")
CLUSTERED: Final = "p_clustered"


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Names of the groups; of N patients, the group and the cluster, numbers from 0."""

    names: tuple[str, ...]
    codes: IntArray
    clusters: IntArray | None

    def split(self, values: FloatArray) -> list[FloatArray]:
        return [values[(self.codes == g) & ~np.isnan(values)] for g in range(len(self.names))]

    def counts(self, which: BoolArray) -> IntArray:
        return np.bincount(self.codes[which], minlength=len(self.names)).astype(np.int64)

    def test_by_cluster(self, test: Callable[..., Tested], known: BoolArray) -> Tested | None:
        """Run a test of the patients with a value by cluster, if there are any."""
        if self.clusters is None or not known.any():
            return None
        return test(_number_codes(self.codes[known]), clusters=_number_codes(self.clusters[known]))


def table_one(
    frame: pd.DataFrame,
    groups: pd.Series,
    *,
    kinds: Mapping[str, Kind],
    small: SmallCounts = "auto",
    clusters: pd.Series | None = None,
) -> pd.DataFrame:
    """Return Table 1 of `frame`, one row per patient, by `groups` and each variable of `kinds`.

    Cells are text, numbers or missing (None, NaN); `groups` and `clusters` are text, and only a
    group may be missing: then the patient is left out. There must be two groups or more. Every
    cell of the result is text, as printed: columns `COLUMNS`, after overall one per group as
    `1 (n = 107)`, and after p, where patients share `clusters`, `p_clustered`. A number is one row,
    whose level says `mean ± SD` or `median (IQR)`; a category has a row per level, the first of
    which carries missing, p, test and smd. Shares are of the patients with a value. `test` gives
    the reason where there is no p. Raise `ValueError` for a text in a number.
    """
    kept = groups.notna().to_numpy()
    grouped = _group_patients(groups[kept], clusters[kept] if clusters is not None else None)
    columns = [f"{n} (n = {size})" for n, size in zip(grouped.names, _sizes(grouped), strict=True)]
    rows = []
    for variable, kind in kinds.items():
        cells = frame.loc[kept, variable]
        make = _number_rows if kind == "number" else _category_rows
        rows += [(variable, *row) for row in make(cells, grouped, small)]
    header = ["variable", "level", "overall", *columns, "missing", "p", CLUSTERED, "test", "smd"]
    table = pd.DataFrame(rows, columns=header, dtype=str)
    return table if grouped.clusters is not None else table.drop(columns=CLUSTERED)


def _group_patients(groups: pd.Series, clusters: pd.Series | None) -> _Groups:
    names = tuple(in_order(groups.unique()))
    codes = np.array([names.index(group) for group in groups], dtype=np.int64)
    tied = None
    if clusters is not None:
        every = _number_codes(clusters.to_numpy(dtype=str))
        tied = every if every.max() + 1 < len(every) else None
    return _Groups(names, codes, tied)


def _sizes(groups: _Groups) -> IntArray:
    return groups.counts(np.ones(len(groups.codes), dtype=bool))


def _number_rows(
    cells: pd.Series, groups: _Groups, _small: SmallCounts
) -> Iterator[tuple[str, ...]]:
    values = np.array([_number(cell) for cell in cells], dtype=np.float64)
    known = ~np.isnan(values)
    samples = groups.split(values)
    normal = is_normal(samples)
    tested = compare_numbers(samples, normal=normal)
    by_cluster = partial(compare_clustered_numbers, values[known], ranks=not normal)
    level, texts = number_texts([values[known], *samples], normal=normal)
    tests = _tests(tested, groups.test_by_cluster(by_cluster, known))
    missing = missing_text(groups.counts(~known))
    yield (level, *texts, missing, *tests, smd_text(smd_of_numbers(samples)))


def _category_rows(
    cells: pd.Series, groups: _Groups, small: SmallCounts
) -> Iterator[tuple[str, ...]]:
    names = [_level(cell) for cell in cells]
    known = np.array([name is not None for name in names], dtype=bool)
    levels = in_order({name for name in names if name is not None})
    codes = np.array([levels.index(name) for name in names if name is not None], dtype=np.int64)
    counts = np.zeros((len(levels), len(groups.names)), dtype=np.int64)
    np.add.at(counts, (codes, groups.codes[known]), 1)
    tested = compare_counts(counts, small=small)
    tests = _tests(tested, groups.test_by_cluster(partial(compare_clustered_levels, codes), known))
    ending: tuple[str, ...]
    ending = (missing_text(groups.counts(~known)), *tests, smd_text(smd_of_counts(counts)))
    totals = counts.sum(axis=0)
    if not levels:
        yield ("", "", *[""] * len(groups.names), *ending)
    for level, row in zip(levels, counts, strict=True):
        shares = [count_text(n, of) for n, of in zip(row, totals, strict=True)]
        yield (level, count_text(row.sum(), totals.sum()), *shares, *ending)
        ending = ("",) * len(ending)


def _tests(tested: Tested, clustered: Tested | None) -> tuple[str, str, str]:
    """Return the texts of p, p_clustered and test."""
    if clustered is None or math.isnan(tested.p):
        return p_text(tested.p), "", tested.test
    return p_text(tested.p), p_text(clustered.p), f"{tested.test}; clustered: {clustered.test}"


def _number_codes(codes: NDArray[Any]) -> IntArray:
    """Number what occurs from 0, in order."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _number(cell: object) -> float:
    if _is_missing(cell):
        return math.nan
    number = as_number(str(cell))
    if number is None:
        raise ValueError(f"{cell!r} is no number")
    return number


def _level(cell: object) -> str | None:
    """Return the level of a cell: 1, 1.0 and 01 are one, other texts stand as they are."""
    if _is_missing(cell):
        return None
    text = str(cell).strip()
    return text if as_number(text) is None else code_of(text)


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))
