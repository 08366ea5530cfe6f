"""Learning curves against scipy's least squares, and against simulated studies."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from axilla.evaluation.metrics.delong import auc_interval
from axilla.evaluation.planning.learning_curve import (
    FITTED,
    GAIN,
    MEASURED,
    fit_power_law,
    learning_curve_table,
    residual_spread,
)
from axilla.records.errors import ConfigError
from axilla.records.table_columns import LEARNING_CURVE

SIZES = np.array([50.0, 76.0, 101.0, 135.0, 169.0])
SHARES = (0.3, 0.45, 0.6, 0.8, 1.0)


def law(x, limit, drop, exponent):
    return limit - drop * (x / SIZES[-1]) ** exponent


@pytest.mark.parametrize(
    ("limit", "drop", "exponent"), [(0.93, 0.15, -0.4), (0.8, 0.02, -1.0), (1.0, 0.3, -0.05)]
)
def test_a_curve_without_noise_is_found_again(limit, drop, exponent):
    fit = fit_power_law(SIZES, law(SIZES, limit, drop, exponent)[None])
    assert (fit.limit[0], fit.drop[0], fit.exponent[0]) == pytest.approx((limit, drop, exponent))
    ahead = np.array([169.0, 250.0, 338.0])
    assert fit.at(ahead)[0] == pytest.approx(law(ahead, limit, drop, exponent))


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_as_close_as_that_of_scipy(seed):
    """With the exponent from a grid of 96, the loss is that of the continuous optimum."""
    rng = np.random.default_rng(seed)
    aucs = law(SIZES, 0.9, 0.1, -0.5) + 0.01 * rng.normal(size=5)
    weights = SIZES / SIZES.sum()
    best, _ = curve_fit(
        law, SIZES, aucs, p0=(0.9, 0.1, -0.5), sigma=weights**-0.5,
        bounds=([0, 0, -1], [1, np.inf, -0.05]),
    )  # fmt: skip
    fit = fit_power_law(SIZES, aucs[None])
    least, found = (
        weights @ (aucs - curve) ** 2 for curve in (law(SIZES, *best), fit.at(SIZES)[0])
    )
    assert found <= least * 1.02 + 1e-9


def test_more_patients_never_harm_and_no_auc_passes_one():
    falling = np.array([[0.9, 0.88, 0.87, 0.86, 0.85]])
    flat = fit_power_law(SIZES, falling)
    assert flat.drop[0] == 0
    assert flat.limit[0] == pytest.approx(falling[0] @ SIZES / SIZES.sum())
    steep = fit_power_law(SIZES, np.array([[0.5, 0.7, 0.85, 0.95, 1.05]]))
    assert steep.limit[0] <= 1
    assert steep.drop[0] >= 0


def test_nothing_is_said_far_out():
    fit = fit_power_law(SIZES, law(SIZES, 0.9, 0.1, -0.5)[None])
    fit.at(np.array([338.0]))
    with pytest.raises(ConfigError, match="400 training patients; expected at most 2 times"):
        fit.at(np.array([400.0]))


@pytest.mark.slow
def test_the_luck_of_training_is_found_in_the_residuals():
    rng = np.random.default_rng(4)
    curves = [(SIZES, law(SIZES, 0.9, 0.1, -0.5) + 0.02 * rng.normal(size=5)) for _ in range(400)]
    assert 0.02 < residual_spread(curves) < 0.025
    assert residual_spread([(SIZES[:3], np.array([0.7, 0.8, 0.9]))]) == 0


def study(make_rows, rng, *, patients=160, aucs=(0.72, 0.76, 0.79, 0.81, 0.82), per_group=2):
    """Rows of learning_curve_predictions.csv: each share's scores share most of their noise."""
    labels = np.arange(patients) // per_group % 2
    common = rng.normal(size=patients)
    parts = []
    for share, size, auc in zip(SHARES, SIZES, aucs, strict=True):
        noise = 0.9 * common + np.sqrt(1 - 0.81) * rng.normal(size=patients)
        rows = make_rows(labels, norm.cdf(noise + np.sqrt(2) * norm.ppf(auc) * labels))
        parts.append(rows.assign(share=share, training_patients=int(size) + rows["fold"] % 2))
    groups = {f"P{p:03d}": str(p // per_group) for p in range(patients)}
    return pd.concat(parts, ignore_index=True), groups


def test_the_table_has_measured_points_a_curve_and_gains(make_rows):
    rows, groups = study(make_rows, np.random.default_rng(1))
    table = learning_curve_table(rows, groups=groups, seed=5)
    assert tuple(table.columns) == LEARNING_CURVE
    measured = table[table["metric"] == MEASURED]
    assert measured["share"].tolist() == list(SHARES)
    assert measured["training_patients"].tolist() == [50, 76, 101, 135, 169]
    whole = rows[rows["share"] == 1].sort_values("patient_id")
    clusters = np.arange(160) // 2
    auc, interval = auc_interval(whole["label"], whole["probability"], clusters=clusters)
    assert measured[["value", "low", "high"]].to_numpy()[-1] == pytest.approx(
        [auc, interval.low, interval.high]
    )
    assert (measured["n"] == 160).all()
    fitted = table[table["metric"] == FITTED]
    assert fitted["training_patients"].iloc[[0, -1]].tolist() == [50, 339]
    assert (np.diff(fitted["value"]) >= 0).all()
    gains = table[table["metric"] == GAIN]
    assert gains["share"].tolist() == [1.5, 2.0]
    assert (gains["low"] <= gains["value"]).all()
    assert (gains["value"] <= gains["high"]).all()
    again = learning_curve_table(rows, groups=groups, seed=5)
    pd.testing.assert_frame_equal(table, again)


def test_three_shares_fit_no_curve(make_rows):
    rows, groups = study(make_rows, np.random.default_rng(1))
    table = learning_curve_table(rows[rows["share"] > 0.5], groups=groups, seed=5)
    assert table["metric"].tolist() == [MEASURED] * 3


@pytest.mark.slow
def test_the_foretold_gain_is_honest(make_rows):
    """In simulated studies the 95 % interval holds the true gain, and is not a point."""
    true = law(np.array([169.0, 338.0]), 0.88, 0.06, -0.5)
    aucs, hits, widths = law(SIZES, 0.88, 0.06, -0.5), 0, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows, groups = study(make_rows, rng, aucs=aucs, per_group=1)
        gain = learning_curve_table(rows, groups=groups, seed=seed).iloc[-1]
        hits += gain["low"] - 1e-9 <= true[1] - true[0] <= gain["high"] + 1e-9
        widths.append(gain["high"] - gain["low"])
    assert hits >= 36
    assert np.median(widths) > 0.02
