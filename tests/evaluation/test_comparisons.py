"""The table of comparisons: what is compared, Holm against R, the bootstrap against scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from axilla.config.study import StudyConfig
from axilla.evaluation.comparisons.comparisons_table import (
    BOOTSTRAPPED,
    bootstrap_p,
    comparison_table,
    holm,
)
from axilla.evaluation.comparisons.planned_comparisons import planned_contests
from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.intervals.confidence_intervals import resample
from axilla.evaluation.metrics.weighted_metrics import metrics_of
from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.table_columns import COMPARISONS

CONFIG = StudyConfig.model_validate({"study": {"outcome": "metastasis", "seed": 7}})


def material_of(table, groups=None):
    models = {
        str(name): model_predictions(rows, groups=groups)
        for name, rows in table.groupby("model", sort=False)
    }
    return EvaluationInputs(CONFIG, (), table, models, groups or {})


def study_rows(make_rows, scored, *, without=()):
    labels, probabilities, _ = scored
    rng = np.random.default_rng(9)
    models = (
        ("ultrasound/one", "unimodal", "ultrasound", 0.5),
        ("ultrasound/two", "unimodal", "ultrasound", 0.6),
        ("ultrasound/selected", "unimodal", "ultrasound", 0.55),
        ("ultrasound/trivial", "unimodal", "ultrasound", 0.9),
        ("pathology/only", "unimodal", "pathology", 0.3),
        ("multilayer", "fusion", "ultrasound+pathology", 0.2),
        ("voting", "fusion", "ultrasound+pathology", 0.25),
        ("selected", "fusion", "ultrasound+pathology", 0.22),
        ("single/selected", "unimodal", "pathology", 0.3),
        ("birads", "reader", "reader", 0.4),
    )
    frames = []
    for name, kind, modality, noise in models:
        score = np.clip(probabilities + noise * rng.normal(size=60), 0.01, 0.99)
        said = (score > 0.5).astype(float) if kind == "reader" else score
        if name not in without:
            frames.append(make_rows(labels, said, model=name, kind=kind).assign(modality=modality))
    return pd.concat(frames, ignore_index=True)


def test_holm_is_that_of_r():
    # R 4.2.2: p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.5, 0.03), "holm")
    p = [0.01, 0.04, 0.03, 0.005, 0.5, 0.03]
    assert holm(p) == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.5, 0.12])
    with_gap = holm([0.01, np.nan, 0.03])
    assert with_gap[[0, 2]] == pytest.approx([0.02, 0.03])
    assert np.isnan(with_gap[1])
    assert not len(holm([]))


def test_a_study_is_compared_as_planned(make_rows, scored):
    table = comparison_table(material_of(study_rows(make_rows, scored), scored[2]))
    assert tuple(table.columns) == COMPARISONS
    pairs = table.drop_duplicates(["family", "model_a", "model_b"])
    assert list(map(tuple, pairs[["family", "model_a", "model_b"]].to_numpy())) == [
        ("verdict", "selected", "single/selected"),
        ("fusion against the best single modality", "multilayer", "single/selected"),
        ("fusion against the best single modality", "voting", "single/selected"),
        ("worth of ultrasound", "selected", "pathology/only"),
        ("worth of pathology", "selected", "ultrasound/selected"),
        ("against trivial features", "ultrasound/selected", "ultrasound/trivial"),
        ("within ultrasound", "ultrasound/one", "ultrasound/two"),
        ("within fusion", "multilayer", "voting"),
        ("against the reader birads", "selected", "birads"),
        ("against the reader birads", "ultrasound/selected", "birads"),
        ("against the reader birads", "pathology/only", "birads"),
    ]
    tests = table[table["family"] == "verdict"]["test"]
    assert {"delong", "delong_by_fold", "mcnemar", "mcnemar_recall", "mcnemar_specificity"} < set(
        tests
    )
    assert {f"bootstrap_{name}" for name in BOOTSTRAPPED} < set(tests)
    reader = set(table[table["model_b"] == "birads"]["test"])
    assert {"specificity_at_equal_recall", "recall_at_equal_specificity"} < reader
    assert "bootstrap_brier" not in reader


def test_holm_counts_the_comparisons_of_one_family_and_test(make_rows, scored):
    table = comparison_table(material_of(study_rows(make_rows, scored)))
    for _, rows in table.groupby(["family", "test"]):
        assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p"]), nan_ok=True)
    alone = table[table["family"] == "verdict"]
    assert alone["p_holm"].to_numpy() == pytest.approx(alone["p"].to_numpy(), nan_ok=True)


def test_models_from_elsewhere_are_compared_in_all_pairs(make_rows, scored):
    labels, probabilities, _ = scored
    names = ("theirs", "ours", "third")
    models = {
        n: model_predictions(make_rows(labels, probabilities, model=n), groups=None) for n in names
    }
    contests = planned_contests(models, modality_of=dict.fromkeys(names, "x"))
    assert [(c.one, c.other) for c in contests] == [
        *(("theirs", "ours"), ("theirs", "third"), ("ours", "third"))
    ]


def test_a_comparison_does_not_depend_on_what_else_is_compared(make_rows, scored):
    whole = comparison_table(material_of(study_rows(make_rows, scored)))
    fewer = comparison_table(
        material_of(study_rows(make_rows, scored, without=("voting", "ultrasound/one")))
    )
    columns = ["test", "estimate", "low", "high", "statistic", "p"]
    verdicts = [t[t["family"] == "verdict"][columns].reset_index(drop=True) for t in (whole, fewer)]
    pd.testing.assert_frame_equal(*verdicts, rtol=1e-12)


def test_models_are_compared_on_the_patients_of_both(make_rows, scored):
    table = study_rows(make_rows, scored)
    missing = (table["model"] == "single/selected") & table["patient_id"].isin(["P000", "P001"])
    found = comparison_table(material_of(table[~missing].reset_index(drop=True)))
    sizes = found.drop_duplicates(["model_a", "model_b"]).set_index("model_b")["n"]
    assert set(sizes["single/selected"]) == {58}
    assert sizes["pathology/only"].max() == 60


def test_the_paired_bootstrap_is_that_of_scipy(make_rows, scored):
    labels, probabilities, _ = scored
    rng = np.random.default_rng(3)
    scores = [np.clip(probabilities + s * rng.normal(size=60), 0, 1) for s in (0.1, 0.3)]
    models = [
        model_predictions(make_rows(labels, s, model=f"m{k}"), groups=None)
        for k, s in enumerate(scores)
    ]
    sample = resample(
        metrics_of(models, ["accuracy", "brier"]), clusters=60, rng=rng, draws=20_000
    ).differences(0, 1, width=2)

    def brier_difference(one, other, axis=-1):
        return (one - other).mean(axis=axis)

    squares = [(s - labels) ** 2 for s in scores]
    expected = bootstrap(
        squares, brier_difference, paired=True, n_resamples=20_000, rng=rng, method="percentile"
    )
    found = np.quantile(sample.drawn[:, 1], [0.025, 0.975])
    assert found == pytest.approx(expected.confidence_interval, abs=0.002)
    assert sample.estimates[1] == pytest.approx(np.mean(squares[0] - squares[1]))


def test_bootstrap_p_is_two_sided_and_never_zero():
    draws = np.r_[np.full(30, -1.0), np.full(969, 1.0)]
    assert bootstrap_p(draws) == pytest.approx(2 * 31 / 1000)
    assert bootstrap_p(np.ones(1999)) == pytest.approx(2 / 2000)
    assert bootstrap_p(np.zeros(500)) == 1.0
    assert np.isnan(bootstrap_p(np.full(3, np.nan)))


def test_every_bootstrapped_metric_of_every_model_is_drawn_two_thousand_times(make_rows):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(211) % 2)
    models = [
        model_predictions(make_rows(labels, rng.random(211), model=f"m{k}"), groups=None)
        for k in range(3)
    ]
    sample = resample(metrics_of(models, BOOTSTRAPPED), clusters=211, rng=rng)
    assert sample.drawn.shape == (2000, 3 * len(BOOTSTRAPPED))
