"""Fewer training patients: whole groups, both classes alike, each share inside the next larger."""

from collections.abc import Sequence

import numpy as np


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
