"""A model at a reader's own sensitivity or specificity, against scikit-learn's ROC curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from axilla.evaluation.comparisons.paired_tests import matched_difference
from axilla.evaluation.prediction_arrays import model_predictions


@pytest.fixture
def both(make_rows):
    rng = np.random.default_rng(11)
    labels = rng.permutation(np.arange(80) % 2)
    scores = (1 / (1 + np.exp(-(rng.normal(size=80) + 1.4 * (labels - 0.5))))).round(2)
    reading = np.where(rng.random(80) < 0.75, labels, 1 - labels).astype(float)
    model = model_predictions(make_rows(labels, scores), groups=None)
    reader = model_predictions(
        make_rows(labels, reading, model="reader", kind="reader"), groups=None
    )
    return labels, scores, reading, model, reader


def compared(model, reader, at):
    return matched_difference(model, reader, at=at, rng=np.random.default_rng(0), draws=400)


@pytest.mark.parametrize("at", ["recall", "specificity"])
def test_the_point_lies_on_sklearns_curve(both, at):
    labels, scores, reading, model, reader = both
    false_rate, true_rate, _ = roc_curve(labels, scores, drop_intermediate=False)
    sensitivity = reading[labels == 1].mean()
    specificity = 1 - reading[labels == 0].mean()
    steps = np.linspace(0, 1, 200_001)
    # Walking along the curve in tiny steps finds the same point.
    along = np.cumsum(np.hypot(np.diff(false_rate, prepend=0), np.diff(true_rate, prepend=0)))
    walked_false, walked_true = (
        np.interp(steps * along[-1], along, rates) for rates in (false_rate, true_rate)
    )
    if at == "recall":
        expected = 1 - walked_false[walked_true >= sensitivity - 1e-9].min() - specificity
    else:
        expected = walked_true[walked_false <= 1 - specificity + 1e-9].max() - sensitivity
    assert compared(model, reader, at).estimates[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("at", ["recall", "specificity"])
def test_a_reading_matched_with_itself_gains_nothing(both, at):
    *_, reader = both
    found = compared(reader, reader, at)
    assert found.estimates[0] == pytest.approx(0)
    assert found.drawn[:, 0] == pytest.approx(np.zeros(400))


def test_a_reader_who_calls_everybody_positive_leaves_no_gain(make_rows, both):
    labels, *_, model, _ = both
    everybody = model_predictions(make_rows(labels, np.ones(80), kind="reader"), groups=None)
    assert 0 <= compared(model, everybody, "recall").estimates[0] <= 1
    assert compared(model, everybody, "specificity").estimates[0] == pytest.approx(0)


def test_draws_move_with_the_reader(both):
    *_, model, reader = both
    found = compared(model, reader, "recall")
    assert np.ptp(found.drawn[:, 0]) > 0.05
    assert np.quantile(found.drawn, 0.1) < found.estimates[0] < np.quantile(found.drawn, 0.9)
