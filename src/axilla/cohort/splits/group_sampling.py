"""Random samples of patients that keep groups whole and classes balanced."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from axilla.cohort.tables.spreadsheet import Sheet

_CANDIDATES = 200


def seed_of(*parts: int) -> int:
    """Return a 32-bit seed that depends on every part and their order."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def draw_folds(
    labels: Sequence[int], groups: Sequence[str], *, folds: int, seed: int
) -> tuple[NDArray[np.intp], ...]:
    """Return the test positions of each fold: classes stratified, every group in one fold.

    Needs at least `folds` groups, and `folds` patients of one class.
    """
    # Longer to import than a table to read: who draws no folds must not wait for it.
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # noqa: PLC0415

    whole = len(set(groups)) < len(groups)
    splitter = (StratifiedGroupKFold if whole else StratifiedKFold)(
        n_splits=folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        # A class with fewer patients than folds is allowed: predictions are pooled.
        warnings.simplefilter("ignore", UserWarning)
        splits = list(splitter.split(np.zeros(len(labels)), np.asarray(labels), np.asarray(groups)))
    return tuple(test for _, test in splits)


def draw_holdout(
    labels: Sequence[int], groups: Sequence[str], *, share: float, seed: int
) -> NDArray[np.intp]:
    """Return the test positions of the draw that comes closest to `share` of both classes.

    Each of 200 draws takes whole groups in random order as long as they bring it closer.
    """
    rng = np.random.default_rng(seed)
    names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    positive = np.bincount(group_of, weights=np.asarray(labels) == 1, minlength=len(names))
    negative = np.bincount(group_of, weights=np.asarray(labels) == 0, minlength=len(names))
    # Per group: its share of all positive and of all negative patients.
    weights = list(zip(positive / positive.sum(), negative / negative.sum(), strict=True))
    best, least = _take(weights, rng.permutation(len(names)), share=share)
    for _ in range(_CANDIDATES - 1):
        chosen, distance = _take(weights, rng.permutation(len(names)), share=share)
        if distance < least:
            best, least = chosen, distance
    return np.flatnonzero(np.isin(group_of, best))


def _take(
    weights: Sequence[tuple[float, float]], order: NDArray[np.intp], *, share: float
) -> tuple[list[int], float]:
    """Return the groups taken in this order and how far they are from `share` of both classes."""
    chosen: list[int] = []
    lack_positive = lack_negative = share
    distance = 2 * share
    for group in order.tolist():
        positive, negative = weights[group]
        nearer = abs(lack_positive - positive) + abs(lack_negative - negative)
        if nearer < distance:
            chosen.append(group)
            distance = nearer
            lack_positive, lack_negative = lack_positive - positive, lack_negative - negative
    return chosen, distance


def nested_share(
    positions: Sequence[int],
    *,
    labels: Sequence[int],
    groups: Sequence[str],
    share: float,
    seed: int,
) -> tuple[int, ...]:
    """Return about `share` of the patients at `positions`, sorted; groups stay whole.

    Groups are drawn in one random order per mix of outcomes (positive only, negative only, both),
    and one is taken where its middle patient lies within the share. So classes keep their
    proportion as well as groups allow, and with the same seed a smaller share is a part of a
    larger one. `labels` and `groups` are those of all patients of the study.
    """
    members: dict[str, list[int]] = {}
    for position in positions:
        members.setdefault(groups[position], []).append(position)
    mixes: dict[frozenset[int], list[list[int]]] = {}
    for patients in members.values():
        mixes.setdefault(frozenset(labels[p] for p in patients), []).append(patients)
    rng = np.random.default_rng(seed)
    taken: list[int] = []
    for mix in sorted(mixes, key=sorted):
        drawn = [mixes[mix][place] for place in rng.permutation(len(mixes[mix]))]
        sizes = np.array([len(patients) for patients in drawn])
        middles = (sizes.cumsum() - sizes / 2) / sizes.sum()
        taken += [
            p for patients, at in zip(drawn, middles, strict=True) if at <= share for p in patients
        ]
    return tuple(sorted(taken))


def group_patients(
    sheet: Sheet, columns: Sequence[str], *, patient_ids: Sequence[str]
) -> tuple[str, ...]:
    """Return each row's group: rows tied, directly or through others, by an equal cell.

    A group is named after its first patient. Empty cells and absent columns tie nobody.
    """
    parents = list(range(len(sheet.rows)))
    for column in columns:
        first: dict[str, int] = {}
        for index, row in enumerate(sheet.rows):
            if text := row.cells.get(column, ""):
                one, other = _root(parents, first.setdefault(text, index)), _root(parents, index)
                parents[max(one, other)] = min(one, other)
    return tuple(patient_ids[_root(parents, index)] for index in range(len(parents)))


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index
