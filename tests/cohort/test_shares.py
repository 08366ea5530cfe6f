"""Nested shares: whole groups, both classes, every smaller one inside the larger."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axilla.cohort.splits.group_sampling import nested_share

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)


def cohort(seed, *, patients=120, groups=40):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, patients)
    labels = ((group % 3 == 0) ^ (rng.random(patients) < 0.1)).astype(int)
    return labels.tolist(), [f"g{g}" for g in group]


@given(seed=st.integers(0, 10_000), groups=st.integers(5, 120))
@settings(max_examples=60)
def test_shares_are_nested_whole_and_end_with_everybody(seed, groups):
    labels, names = cohort(seed, groups=groups)
    positions = range(0, 120, 2)
    taken = [
        nested_share(positions, labels=labels, groups=names, share=share, seed=seed)
        for share in SHARES
    ]
    for smaller, larger in pairwise(taken):
        assert set(smaller) <= set(larger)
    assert taken[-1] == tuple(positions)
    for part in taken:
        inside = {names[p] for p in part}
        assert part == tuple(p for p in positions if names[p] in inside)


@pytest.mark.parametrize("share", SHARES)
def test_classes_keep_their_proportion_without_groups(share):
    labels = [1] * 30 + [0] * 90
    names = [str(p) for p in range(120)]
    part = nested_share(range(120), labels=labels, groups=names, share=share, seed=3)
    counts = Counter(labels[p] for p in part)
    assert (counts[1], counts[0]) == (round(30 * share), round(90 * share))


def test_large_groups_come_as_near_to_the_share_as_they_can():
    labels, names = cohort(1, patients=600, groups=100)
    everybody = range(600)
    for share in SHARES:
        part = nested_share(everybody, labels=labels, groups=names, share=share, seed=9)
        assert len(part) / 600 == pytest.approx(share, abs=0.05)
        positive = sum(labels[p] for p in part) / sum(labels)
        assert positive == pytest.approx(share, abs=0.1)


def test_another_seed_draws_others():
    labels, names = cohort(2)
    first, second = (
        nested_share(range(120), labels=labels, groups=names, share=0.4, seed=seed)
        for seed in (1, 2)
    )
    assert first != second
