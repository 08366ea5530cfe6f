"""Operating thresholds: Youden's against a search over scikit-learn's ROC curve."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from axilla.inference.thresholds import RULES, choose_threshold
from axilla.records.errors import StudyError
from axilla.records.study import ThresholdRule


def youden_of(labels, probabilities, threshold):
    calls = probabilities >= threshold
    return calls[labels == 1].mean() - calls[labels == 0].mean()


def test_every_rule_of_the_configuration_exists():
    assert set(RULES) == set(get_args(ThresholdRule))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=4, max_size=40))
def test_youden_reaches_the_best_of_the_roc_curve(pairs):
    labels, tenths = (np.array(column) for column in zip(*pairs, strict=True))
    probabilities = tenths / 10
    threshold = choose_threshold(labels, probabilities, rule="youden")
    if len(set(labels)) == 1 or len(set(tenths)) == 1:
        assert threshold == 0.5
        return
    false_positive, true_positive, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    best = (true_positive - false_positive)[1:-1].max()  # all or nobody positive is no cut
    assert youden_of(labels, probabilities, threshold) == pytest.approx(best)
    assert threshold not in probabilities


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        ([0, 0, 1, 1], [0.1, 0.3, 0.4, 0.9], 0.35),
        ([0, 1, 0, 1], [0.1, 0.2, 0.58, 0.8], 0.69),  # 0.15 is as good, further from 0.5
        ([1, 1, 1], [0.1, 0.2, 0.3], 0.5),
        ([0, 0], [0.1, 0.9], 0.5),
        ([0, 1], [0.2, 0.2], 0.5),
        ([], [], 0.5),
        ([0, 1], [0.0, 1.0], 0.5),
        ([0, 1, 0, 1], [0.125, 0.375, 0.625, 0.875], 0.25),  # as close as 0.75: the lower
    ],
)
def test_youden_by_hand(labels, probabilities, expected):
    assert choose_threshold(labels, probabilities, rule="youden") == pytest.approx(expected)


def test_neighbouring_floats_are_told_apart():
    lower = 0.7
    upper = np.nextafter(lower, 1)
    assert choose_threshold([0, 1], [lower, upper], rule="youden") == upper


def test_half_is_half():
    assert choose_threshold([0, 1], [0.9, 0.95], rule="half") == 0.5


@pytest.mark.parametrize(
    ("labels", "probabilities", "rule", "said"),
    [
        ([0, 1], [0.2, np.nan], "youden", "lower the learning rate"),
        ([0, 1], [0.2, np.inf], "half", "not finite"),
        ([0, 2], [0.2, 0.4], "youden", "0 or 1"),
        ([0, 1, 1], [0.2, 0.4], "youden", "one label and one probability"),
        ([0, 1], [0.2, 0.4], "best", "one of half, youden"),
    ],
)
def test_refuses_what_it_cannot_use(labels, probabilities, rule, said):
    with pytest.raises(StudyError, match=said):
        choose_threshold(labels, probabilities, rule=rule)
