"""Operating thresholds against searches over scikit-learn's ROC curve and cases by hand."""

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from axilla.config.study import THRESHOLD_FORMS, THRESHOLD_PATTERN
from axilla.inference.thresholds import RULES, choose_threshold
from axilla.records.errors import StudyError


def youden_of(labels, probabilities, threshold):
    calls = probabilities >= threshold
    return calls[labels == 1].mean() - calls[labels == 0].mean()


def test_every_rule_of_the_configuration_exists():
    names = set(re.findall(r"[a-z]\w+", THRESHOLD_PATTERN))
    assert names == set(RULES) | {"half"}
    assert names == {form.partition("=")[0] for form in THRESHOLD_FORMS}
    for form in THRESHOLD_FORMS:
        assert 0 < choose_threshold([0, 1, 1], [0.2, 0.4, 0.6], rule=form) < 1


def two_classes(pairs):
    labels, tenths = (np.array(column) for column in zip(*pairs, strict=True))
    return labels, tenths / 10


PAIRS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=4, max_size=40).filter(
    lambda pairs: all(len(set(column)) > 1 for column in zip(*pairs, strict=True))
)
SHARES = st.integers(1, 99).map(lambda percent: f"{percent / 100:g}")


@settings(max_examples=80)
@given(PAIRS, SHARES)
def test_sensitivity_is_reached_at_the_best_specificity_of_the_roc_curve(pairs, share):
    labels, probabilities = two_classes(pairs)
    threshold = choose_threshold(labels, probabilities, rule=f"sensitivity={share}")
    calls = probabilities >= threshold
    false_positive, true_positive, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    enough = true_positive >= float(share) - 1e-12
    assert calls[labels == 1].mean() >= float(share) - 1e-12
    assert calls[labels == 0].mean() == pytest.approx(false_positive[enough].min())
    higher = np.append(np.unique(probabilities[probabilities > threshold]), 2)[1:]
    for above in higher:  # one more value given up and too few positives are left
        assert (probabilities[labels == 1] >= above).mean() < float(share)


@settings(max_examples=80)
@given(PAIRS, SHARES)
def test_specificity_is_reached_at_the_best_sensitivity_of_the_roc_curve(pairs, share):
    labels, probabilities = two_classes(pairs)
    threshold = choose_threshold(labels, probabilities, rule=f"specificity={share}")
    calls = probabilities >= threshold
    false_positive, true_positive, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    enough = 1 - false_positive >= float(share) - 1e-12
    assert 1 - calls[labels == 0].mean() >= float(share) - 1e-12
    assert calls[labels == 1].mean() == pytest.approx(true_positive[enough].max())


@settings(max_examples=80)
@given(PAIRS, SHARES)
def test_net_benefit_reaches_the_best_of_the_roc_curve(pairs, share):
    labels, probabilities = two_classes(pairs)
    threshold = choose_threshold(labels, probabilities, rule=f"net_benefit={share}")
    odds = float(share) / (1 - float(share))
    false_positive, true_positive, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    prevalence = labels.mean()
    best = (true_positive * prevalence - false_positive * (1 - prevalence) * odds).max()
    calls = probabilities >= threshold
    found = (calls * labels).mean() - (calls * (1 - labels)).mean() * odds
    assert found == pytest.approx(best)


@pytest.mark.parametrize(
    ("rule", "labels", "probabilities", "expected"),
    [
        ("sensitivity=0.5", [0, 1, 0, 1], [0.1, 0.2, 0.6, 0.8], 0.7),
        ("sensitivity=0.51", [0, 1, 0, 1], [0.1, 0.2, 0.6, 0.8], 0.15),
        ("sensitivity=0.95", [1] * 20 + [0], [0.1, *[0.4] * 19, 0.2], 0.3),  # 19 of 20 is 0.95
        ("sensitivity=0.9", [1, 0, 1], [0.3, 0.3, 0.7], 0.3),  # only everybody is enough
        ("specificity=0.5", [0, 1, 0, 1], [0.1, 0.2, 0.6, 0.8], 0.15),
        ("specificity=0.6", [0, 1, 0, 1], [0.1, 0.2, 0.6, 0.8], 0.7),
        ("specificity=0.9", [0, 1, 0], [0.3, 0.7, 0.7], np.nextafter(0.7, 1)),  # only nobody is
        ("net_benefit=0.1", [0, 1, 1, 1], [0.4, 0.2, 0.6, 0.8], 0.2),  # everybody
        ("net_benefit=0.9", [0, 1, 0], [0.3, 0.7, 0.8], np.nextafter(0.8, 1)),  # nobody
        ("net_benefit=0.5", [0, 1, 0, 1], [0.1, 0.2, 0.6, 0.8], 0.7),  # 0.15 is as good
        ("net_benefit=.25", [0, 1, 0, 0, 0, 1], [0.1, 0.2, 0.5, 0.6, 0.7, 0.8], 0.15),  # or 0.75
        *(
            (form, labels, probabilities, 0.5)
            for form in THRESHOLD_FORMS
            for labels, probabilities in (([1, 1], [0.1, 0.3]), ([0, 1], [0.2, 0.2]), ([], []))
        ),
    ],
)
def test_other_rules_by_hand(rule, labels, probabilities, expected):
    assert choose_threshold(labels, probabilities, rule=rule) == pytest.approx(expected, abs=1e-15)


def test_net_benefit_weighs_as_the_rule_says():
    share = Fraction(1, 5)  # four false alarms are worth one case found
    labels, probabilities = [1, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5]
    threshold = choose_threshold(labels, probabilities, rule=f"net_benefit={float(share)}")
    assert threshold == 0.1  # three false alarms for one case more: everybody
    threshold = choose_threshold([*labels, 0, 0], [*probabilities, 0.2, 0.2], rule="net_benefit=.2")
    assert threshold == pytest.approx(0.45)  # five are too many


@settings(max_examples=80)
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
        ([0, 1], [0.2, 0.4], "best", "a rule such as half, youden"),
        *(
            ([0, 1], [0.2, 0.4], rule, "sensitivity=0.95")
            for rule in (
                "sensitivity=0",
                "sensitivity=1",
                "specificity=1.5",
                "net_benefit=",
                "half=0.5",
            )
        ),
    ],
)
def test_refuses_what_it_cannot_use(labels, probabilities, rule, said):
    with pytest.raises(StudyError, match=said):
        choose_threshold(labels, probabilities, rule=rule)
