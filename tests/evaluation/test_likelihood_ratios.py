"""Likelihood ratios against scikit-learn and the formula of Simel et al., term by term."""

import numpy as np
import pytest
from sklearn.metrics import class_likelihood_ratios

from axilla.evaluation.metrics.likelihood_ratios import likelihood_ratio
from axilla.evaluation.prediction_arrays import model_predictions


def predictions_of(make_rows, tp, fp, fn, tn, *, groups=None, times=1):
    labels = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    calls = np.repeat([1.0, 1.0, 0.0, 0.0], [tp, fp, fn, tn])
    return model_predictions(make_rows(labels, np.tile(calls, (times, 1))), groups=groups)


def test_values_are_those_of_sklearn(make_rows, scored):
    labels, probabilities, _ = scored
    model = model_predictions(make_rows(labels, probabilities, threshold=0.41), groups=None)
    expected = class_likelihood_ratios(labels, probabilities >= 0.41)
    assert likelihood_ratio(model, call="positive")[0] == pytest.approx(expected[0])
    assert likelihood_ratio(model, call="negative")[0] == pytest.approx(expected[1])


def test_the_interval_is_simels_formula_term_by_term(make_rows):
    tp, fp, fn, tn = 72, 49, 8, 71
    model = predictions_of(make_rows, tp, fp, fn, tn)
    for call, hit, miss in (("positive", tp, fp), ("negative", fn, tn)):
        value, interval = likelihood_ratio(model, call=call)
        assert value == pytest.approx((hit / 80) / (miss / 120))
        deviation = np.sqrt(1 / hit - 1 / 80 + 1 / miss - 1 / 120)
        assert interval.low == pytest.approx(value * np.exp(-1.959964 * deviation), rel=1e-6)
        assert interval.high == pytest.approx(value * np.exp(1.959964 * deviation), rel=1e-6)
        assert interval.method == "log scale (Simel 1991)"


def test_copies_of_patients_narrow_nothing(make_rows):
    once = predictions_of(make_rows, 30, 12, 9, 40)
    copies = predictions_of(make_rows, 120, 48, 36, 160)
    order = np.argsort(np.argsort(copies.patients))
    groups = {p: f"g{order[i] // 4}" for i, p in enumerate(copies.patients)}
    copied = predictions_of(make_rows, 120, 48, 36, 160, groups=groups)
    value, interval = likelihood_ratio(copied, call="positive")
    plain_value, plain = likelihood_ratio(once, call="positive")
    assert value == pytest.approx(plain_value)
    assert np.log(interval.high / interval.low) > 0.98 * np.log(plain.high / plain.low)
    assert "clustered by group" in interval.method


@pytest.mark.parametrize(
    ("counts", "call", "value", "reason"),
    [
        ((10, 0, 3, 12), "positive", np.nan, "no positive call in a negative patient"),
        ((0, 4, 9, 12), "positive", 0.0, "no positive call in a positive patient"),
        ((10, 5, 0, 9), "negative", 0.0, "no negative call in a positive patient"),
        ((3, 9, 4, 0), "negative", np.nan, "no negative call in a negative patient"),
        ((5, 0, 3, 0), "positive", np.nan, "no positive call in a negative patient"),
    ],
)
def test_empty_cells_say_why_there_is_no_interval(make_rows, counts, call, value, reason):
    found, interval = likelihood_ratio(predictions_of(make_rows, *counts), call=call)
    assert found == pytest.approx(value, nan_ok=True)
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.method.endswith(reason)
