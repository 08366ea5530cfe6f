"""The calibration plot's numbers: R's loess, scikit-learn's bins, NumPy's histogram, simulation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import t
from sklearn.calibration import calibration_curve

from axilla.config.study import StudyConfig
from axilla.evaluation.calibration.calibration_table import (
    BINS,
    calibration_rows,
    calibration_table,
    smooth_outcomes,
)
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.intervals.confidence_intervals import wilson
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.table_columns import CALIBRATION

REFERENCE = Path(__file__).parent / "reference"
CASES = dict(tuple(pd.read_csv(REFERENCE / "risk_cases.csv").groupby("case")))
# Written by risk_smooth.R with R 4.2.2's own loess from the synthetic risk_cases.csv.
SMOOTH = dict(tuple(pd.read_csv(REFERENCE / "risk_smooth.csv").groupby("case")))
CONFIG = StudyConfig.model_validate({"study": {"outcome": "alnm"}})


def smoothed(name, *, clusters=None):
    case = CASES[name]
    labels = case["label"].to_numpy(dtype=float)
    clusters = np.arange(len(labels)) if clusters is None else clusters
    at = SMOOTH[name]["at"].to_numpy()
    return smooth_outcomes(labels, case["probability"].to_numpy(), clusters=clusters, at=at)


def table_of(rows, *, groups=None):
    predictions = model_predictions(rows, groups=groups)
    return pd.DataFrame(calibration_rows(predictions), columns=list(CALIBRATION))


def simulated(rng, n):
    logits = 1.3 * rng.normal(size=n)
    labels = (rng.random(n) < expit(0.7 * logits + 0.3)).astype(int)
    return labels, expit(logits)


@pytest.mark.parametrize("name", list(CASES))
def test_smooth_curve_is_rs_loess_cut_at_0_and_1(name):
    found = smoothed(name)
    np.testing.assert_allclose(found.observed, SMOOTH[name]["smooth"].clip(0, 1), atol=1e-10)


@pytest.mark.parametrize("name", list(CASES))
def test_plain_bounds_are_wilsons_at_the_size_that_rs_weights_are_worth(name):
    """R's standard error over its residual scale is the length of the weights."""
    found = smoothed(name)
    for k, norm in enumerate(SMOOTH[name]["norm"]):
        low, high = wilson(found.observed[k], norm**-2)
        assert (found.low[k], found.high[k]) == pytest.approx((low, high), abs=1e-10)


def test_copies_of_patients_do_not_narrow_the_band():
    labels, scores = simulated(np.random.default_rng(1), 80)
    at = np.linspace(0.1, 0.9, 9)
    alone = smooth_outcomes(labels, scores, clusters=np.arange(80), at=at)
    copied = smooth_outcomes(
        np.repeat(labels, 3).astype(float),
        np.repeat(scores, 3),
        clusters=np.repeat(np.arange(80), 3),
        at=at,
    )
    np.testing.assert_allclose(copied.observed, alone.observed, atol=1e-10)
    width, before = copied.high - copied.low, alone.high - alone.low
    assert width.mean() > 0.85 * before.mean()


def test_clustered_bounds_written_out():
    case = CASES["overfit"]
    scores, labels = (case[c].to_numpy(dtype=float) for c in ("probability", "label"))
    clusters = (np.digitize(scores, np.linspace(0, 1, 9)) * 2 + labels).astype(int)  # alike within
    found = smoothed("overfit", clusters=clusters)
    k = 2
    at = SMOOTH["overfit"]["at"].to_numpy()
    far = np.abs(scores - at[k])
    reach = np.sort(far)[int(0.75 * len(scores)) - 1]
    kernel = np.clip(1 - (far / reach) ** 3, 0, None) ** 3
    design = np.column_stack([np.ones(len(scores)), scores - at[k]])
    weights = (np.linalg.inv((design.T * kernel) @ design) @ (design.T * kernel))[0]
    residual = labels - np.interp(scores, at, found.observed)
    sums = pd.Series(weights * residual).groupby(clusters).sum()
    groups = len(set(clusters[weights != 0]))
    effect = (sums**2).sum() * groups / (groups - 1) / ((weights * residual) ** 2).sum()
    value = weights @ labels
    assert effect > 1
    trials = 1 / (effect * (weights**2).sum())
    low, high = wilson(value, trials, quantile=t.ppf(0.975, groups - 1))
    assert (found.low[k], found.high[k]) == pytest.approx((low, high))


def test_band_covers_the_true_curve():
    rng = np.random.default_rng(2)
    at = np.array([0.2, 0.4, 0.6, 0.8])
    truth = expit(0.7 * np.log(at / (1 - at)) + 0.3)
    hits = []
    for _ in range(200):
        labels, scores = simulated(rng, 150)
        found = smooth_outcomes(labels.astype(float), scores, clusters=np.arange(150), at=at)
        hits.append((found.low <= truth) & (truth <= found.high))
    assert 0.91 <= np.mean(hits) <= 0.99


def test_bounds_change_smoothly_where_the_curve_reaches_0_and_1():
    """A group's outcomes are all alike here, and nobody of low or high risk is an exception."""
    rng = np.random.default_rng(8)
    clusters = rng.integers(0, 30, 200)
    labels = (clusters < 15).astype(float)
    scores = expit(3 * (labels - 0.5) + 0.7 * rng.normal(size=200))
    at = np.linspace(scores.min(), scores.max(), 200)
    found = smooth_outcomes(labels, scores, clusters=clusters, at=at)
    assert (found.observed == 0).any()
    assert (found.observed == 1).any()
    assert np.abs(np.diff(found.low)).max() < 0.03
    assert np.abs(np.diff(found.high)).max() < 0.03


def test_predictions_equally_far_on_both_sides_give_their_mean():
    labels, risks = np.array([1.0, 0, 0, 1]), np.array([0.2, 0.2, 0.8, 0.8])
    found = smooth_outcomes(labels, risks, clusters=np.arange(4), at=np.array([0.2, 0.5, 0.8]))
    assert found.observed == pytest.approx([0.5, 0.5, 0.5])
    assert np.isfinite([found.low, found.high]).all()


def test_tied_predictions_give_their_mean():
    scores = np.array([0.2] * 9 + [0.7] * 9)
    labels = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1] + [1] * 6 + [0] * 3, dtype=float)
    found = smooth_outcomes(labels, scores, clusters=np.arange(18), at=np.array([0.2, 0.7]))
    np.testing.assert_allclose(found.observed, [2 / 9, 6 / 9], atol=0.02)
    many = np.array([0.2] * 15 + [0.7] * 3)  # more ties than the span reaches over
    found = smooth_outcomes(labels, many, clusters=np.arange(18), at=np.array([0.2]))
    assert found.observed[0] == pytest.approx(labels[:15].mean())


@pytest.mark.parametrize("name", ["overfit", "tied"])
def test_bins_are_those_of_scikit_learn(name, make_rows):
    case = CASES[name].reset_index(drop=True)
    bins = min(BINS, len(case) // 10)
    table = table_of(make_rows(case["label"], case["probability"]))
    found = table[table["part"] == "bin"]
    observed, predicted = calibration_curve(
        case["label"], case["probability"], n_bins=bins, strategy="quantile"
    )
    np.testing.assert_allclose(found["observed"], observed)
    np.testing.assert_allclose(found["predicted"], predicted)
    assert found["n"].sum() == len(case)
    for row in found.itertuples():
        assert (row.low, row.high) == pytest.approx(wilson(row.observed, row.n))


def test_groups_widen_the_bins(scored, make_rows):
    labels, scores, groups = scored
    plain, grouped = (table_of(make_rows(labels, scores), groups=g) for g in (None, groups))
    assert (plain["observed"] == grouped["observed"]).all()
    bins = plain["part"] == "bin"
    width = (grouped["high"] - grouped["low"])[bins]
    assert (width > (plain["high"] - plain["low"])[bins]).all()


def test_a_repeat_that_repeats_adds_no_patients(make_rows):
    labels, scores = simulated(np.random.default_rng(3), 60)
    once, twice = (table_of(make_rows(labels, [scores] * r)) for r in (1, 2))
    columns = ["part", "predicted", "observed", "n"]
    fixed = once["part"] != "smooth"  # whose range is that of percentiles of all predictions
    pd.testing.assert_frame_equal(once[fixed][columns], twice[fixed][columns], check_dtype=False)
    bins = once["part"] == "bin"
    width, before = (table["high"][bins] - table["low"][bins] for table in (twice, once))
    assert (width > before).all()  # Student's t instead of the normal distribution


def test_histogram_counts_each_class(make_rows):
    labels, scores = simulated(np.random.default_rng(4), 97)
    table = table_of(make_rows(labels, scores))
    found = table[table["part"] == "histogram"]
    for label in (0, 1):
        counts, edges = np.histogram(scores[labels == label], bins=20, range=(0, 1))
        rows = found[found["observed"] == label]
        assert rows["n"].tolist() == counts[counts > 0].tolist()
        middles = (edges[:-1] + edges[1:]) / 2
        np.testing.assert_allclose(rows["predicted"], middles[counts > 0])


@pytest.mark.parametrize(
    ("labels", "scores", "parts"),
    [
        ([0, 1, 1, 0, 1], [0.1, 0.8, 0.6, 0.4, 0.3], {"bin", "smooth", "histogram"}),
        ([0, 1, 1, 0], [0.5] * 4, {"bin", "histogram"}),
        ([0, 0, 0], [0.1, 0.2, 0.3], {"bin", "smooth", "histogram"}),
        ([1], [1.0], {"bin", "histogram"}),
    ],
)
def test_few_patients_still_give_finite_rows(labels, scores, parts, make_rows):
    table = table_of(make_rows(labels, scores))
    assert set(table["part"]) == parts
    shown = table[table["part"] != "histogram"]
    assert np.isfinite(shown[["predicted", "observed", "low", "high"]]).all(axis=None)
    assert (shown["low"] <= shown["observed"] + 1e-12).all()
    assert (shown["high"] >= shown["observed"] - 1e-12).all()


def test_the_table_has_every_model_and_no_reader(make_rows):
    labels, scores = simulated(np.random.default_rng(5), 40)
    rows = [
        make_rows(labels, scores),
        make_rows(labels, scores**2, model="ultrasound/plnet", kind="unimodal"),
        make_rows(labels, (scores > 0.5).astype(float), model="birads", kind="reader"),
    ]
    models = {r["model"].iloc[0]: model_predictions(r, groups=None) for r in rows}
    material = EvaluationInputs(CONFIG, (), pd.concat(rows), models, {})
    table = calibration_table(material)
    assert tuple(table.columns) == CALIBRATION
    assert set(table["model"]) == {"multilayer", "ultrasound/plnet"}
    reader = EvaluationInputs(CONFIG, (), rows[2], {"birads": models["birads"]}, {})
    assert calibration_table(reader) is None
