"""Net benefit against dcurves, written-out counts and SciPy's bootstrap."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import bootstrap

from axilla.config.study import StudyConfig
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.metrics.net_benefit import (
    decision_curve,
    decision_table,
    net_benefit,
    threshold_grid,
    treat_all,
)
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.table_columns import DECISION_CURVE

REFERENCE = Path(__file__).parent / "reference"
CASES = dict(tuple(pd.read_csv(REFERENCE / "risk_cases.csv").groupby("case")))
# Written by risk_answers.py with dcurves 1.1.7 from the synthetic risk_cases.csv.
ANSWERS = pd.read_csv(REFERENCE / "risk_answers.csv").set_index(["case", "quantity"])["value"]
THRESHOLDS = np.array([0.05, 0.1, 0.25, 0.4, 0.5, 0.65, 0.8, 0.95])
CONFIG = StudyConfig.model_validate(
    {"study": {"outcome": "alnm"}, "evaluation": {"decision_range": [0.1, 0.4]}}
)


def simulated(n=80, *, seed=1):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=n)
    return (rng.random(n) < expit(logits)).astype(int), expit(1.5 * logits)


def counted(labels, scores, threshold):
    called = scores >= threshold
    found, false = (called & (labels == 1)).sum(), (called & (labels == 0)).sum()
    return found / len(labels) - false / len(labels) * threshold / (1 - threshold)


@pytest.mark.parametrize("name", list(CASES))
def test_net_benefit_is_that_of_dcurves(name):
    case = CASES[name]
    found = net_benefit(case["label"], case["probability"], thresholds=THRESHOLDS)[0]
    everybody = treat_all(case["label"], thresholds=THRESHOLDS)
    for threshold, value, treated in zip(THRESHOLDS, found, everybody, strict=True):
        key = f"net benefit {{}} {threshold:g}"
        assert value == pytest.approx(ANSWERS[name, key.format("probability")], abs=1e-12)
        assert treated == pytest.approx(ANSWERS[name, key.format("all")], abs=1e-12)


def test_a_risk_of_exactly_the_threshold_is_positive():
    assert net_benefit([1, 0], [0.2, 0.1], thresholds=[0.2])[0, 0] == 0.5
    assert net_benefit([1, 0], [0.2, 0.2], thresholds=[0.2])[0, 0] == pytest.approx(0.375)


def test_weights_are_copies_of_patients():
    labels, scores = simulated(25)
    weights = np.random.default_rng(2).integers(0, 4, (6, 25)).astype(float)
    found = net_benefit(labels, scores, thresholds=THRESHOLDS, weights=weights)
    assert found.shape == (6, 8)
    for values, row in zip(found, weights, strict=True):
        copies = np.repeat(np.arange(25), row.astype(int))
        expected = [counted(labels[copies], scores[copies], t) for t in THRESHOLDS]
        np.testing.assert_allclose(values, expected)
    assert np.isnan(net_benefit([0, 1], [0.1, 0.9], thresholds=[0.5], weights=np.zeros((1, 2))))


@pytest.mark.parametrize("threshold", [0.2, 0.6])
def test_plain_interval_is_scipys_bca(make_rows, threshold):
    labels, scores = simulated()
    predictions = model_predictions(make_rows(labels, scores), groups=None)
    values, intervals = decision_curve(
        predictions, thresholds=np.array([threshold]), rng=np.random.default_rng(3)
    )

    def statistic(chosen):
        return counted(labels[chosen], scores[chosen], threshold)

    expected = bootstrap(
        (np.arange(len(labels)),),
        statistic,
        vectorized=False,
        n_resamples=4000,
        rng=np.random.default_rng(4),
    ).confidence_interval
    assert values[0] == pytest.approx(counted(labels, scores, threshold))
    assert (intervals[0].low, intervals[0].high) == pytest.approx(expected, abs=0.012)
    assert "BCa" in intervals[0].method


def test_groups_are_drawn_whole(make_rows):
    """Copies of ten patients are worth ten patients, whatever their number."""
    labels, scores = simulated(10, seed=6)
    groups = {f"P{p:03d}": f"donor{p % 10}" for p in range(60)}
    few = model_predictions(make_rows(labels, scores), groups=None)
    many = model_predictions(make_rows(np.tile(labels, 6), np.tile(scores, 6)), groups=groups)
    results = [
        decision_curve(p, thresholds=THRESHOLDS[2:5], rng=np.random.default_rng(5))
        for p in (few, many)
    ]
    np.testing.assert_allclose(results[0][0], results[1][0])
    widths = [np.mean([i.high - i.low for i in intervals]) for _, intervals in results]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_repeats_are_averaged_over_those_who_were_tested(make_rows):
    labels, first = simulated(30)
    second = first**2
    second[:4] = np.nan
    predictions = model_predictions(make_rows(labels, [first, second]), groups=None)
    values, _ = decision_curve(predictions, thresholds=THRESHOLDS, rng=np.random.default_rng(6))
    for threshold, value in zip(THRESHOLDS, values, strict=True):
        one = counted(labels, first, threshold)
        other = counted(labels[4:], second[4:], threshold)
        assert value == pytest.approx((one + other) / 2)


def test_a_readers_calls_do_not_move_with_the_threshold(make_rows):
    labels, scores = simulated(40)
    calls = (scores > 0.5).astype(float)
    rows = make_rows(labels, calls, model="birads", kind="reader")
    values, _ = decision_curve(
        model_predictions(rows, groups=None),
        thresholds=THRESHOLDS,
        rng=np.random.default_rng(7),
    )
    found, false = ((calls == 1) & (labels == 1)).mean(), ((calls == 1) & (labels == 0)).mean()
    np.testing.assert_allclose(values, found - false * THRESHOLDS / (1 - THRESHOLDS))


def test_nobody_called_is_worth_nothing_and_has_no_interval(make_rows):
    labels, scores = simulated(40)
    predictions = model_predictions(make_rows(labels, scores / 10), groups=None)
    values, (interval,) = decision_curve(
        predictions, thresholds=np.array([0.5]), rng=np.random.default_rng(8)
    )
    assert values[0] == 0
    assert np.isnan(interval.low)
    assert "no variation" in interval.method


def test_the_grid_holds_hundredths_and_both_ends():
    np.testing.assert_array_equal(threshold_grid(0.1, 0.13), [0.1, 0.11, 0.12, 0.13])
    np.testing.assert_array_equal(threshold_grid(0.105, 0.125), [0.105, 0.11, 0.12, 0.125])
    np.testing.assert_array_equal(threshold_grid(0.101, 0.104), [0.101, 0.104])
    assert len(threshold_grid(0.05, 0.95)) == 91


def test_the_table_covers_the_range_asked_for(make_rows):
    labels, scores = simulated(40)
    rows = [
        make_rows(labels, scores),
        make_rows(labels[:30], scores[:30], model="birads", kind="reader"),
    ]
    models = {r["model"].iloc[0]: model_predictions(r, groups=None) for r in rows}
    material = EvaluationInputs(CONFIG, (), pd.concat(rows), models, {})
    table = decision_table(material)
    assert tuple(table.columns) == DECISION_CURVE
    for model, patients in (("multilayer", 40), ("birads", 30)):
        found = table[table["model"] == model]
        np.testing.assert_allclose(found["threshold"], np.linspace(0.1, 0.4, 31))
        everybody = treat_all(labels[:patients], thresholds=found["threshold"])
        np.testing.assert_allclose(found["treat_all"], everybody)
        assert (found["n"] == patients).all()
    pd.testing.assert_frame_equal(decision_table(material), table)
    assert decision_table(EvaluationInputs(CONFIG, (), rows[0], {}, {})) is None
