"""The public face for notebooks: right numbers of clean arguments, one sentence for any other."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.metrics import cohen_kappa_score

import axilla
from axilla import stats

LABELS = np.random.default_rng(3).integers(0, 2, 80)
SCORES = np.random.default_rng(4).normal(size=80) + LABELS
PROBABILITIES = 1 / (1 + np.exp(-SCORES))
CALLS = (PROBABILITIES >= 0.5).astype(int)
GROUPS = np.repeat(np.arange(20), 4)


def test_every_example_runs():
    ran = doctest.testmod(stats)
    assert ran.attempted > 10
    assert not ran.failed


def test_importing_axilla_imports_nothing_heavy():
    program = (
        "import sys, axilla; axilla.__version__;"
        "print([m for m in ('torch', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("labels", [LABELS, LABELS.astype(bool), list(LABELS), pd.Series(LABELS)])
def test_estimates_are_scikit_learns(labels):
    auc = stats.auc_ci(labels, SCORES)
    assert auc.value == pytest.approx(metrics.roc_auc_score(LABELS, SCORES))
    assert auc.low < auc.value < auc.high
    assert (auc.n, auc.n_positive) == (80, LABELS.sum())
    found = stats.probability_metrics(labels, PROBABILITIES)
    assert found["average_precision"].value == pytest.approx(
        metrics.average_precision_score(LABELS, PROBABILITIES)
    )
    assert found["brier"].value == pytest.approx(metrics.brier_score_loss(LABELS, PROBABILITIES))
    calls = stats.call_metrics(labels, CALLS)
    for name, judge in (
        ("accuracy", metrics.accuracy_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
        ("balanced_accuracy", metrics.balanced_accuracy_score),
        ("mcc", metrics.matthews_corrcoef),
    ):
        assert calls[name].value == pytest.approx(judge(LABELS, CALLS)), name


def test_groups_widen_intervals_of_copies():
    copied = stats.auc_ci(np.repeat(LABELS, 2), np.repeat(SCORES, 2))
    tied = stats.auc_ci(
        np.repeat(LABELS, 2), np.repeat(SCORES, 2), groups=np.repeat(np.arange(80).astype(str), 2)
    )
    once = stats.auc_ci(LABELS, SCORES)
    assert copied.value == tied.value == pytest.approx(once.value)
    assert copied.high - copied.low < 0.8 * (once.high - once.low)
    assert tied.high - tied.low == pytest.approx(once.high - once.low, rel=0.1)


def test_tests_are_paired():
    other = SCORES + np.random.default_rng(5).normal(size=80)
    found = stats.delong_test(LABELS, SCORES, other)
    expected = metrics.roc_auc_score(LABELS, SCORES) - metrics.roc_auc_score(LABELS, other)
    assert found.estimate == pytest.approx(expected)
    assert found.interval.low < expected < found.interval.high
    assert stats.delong_test(LABELS, SCORES, SCORES).p == 1
    calls = (other > 0).astype(int)
    gained, lost = (
        int((one & ~two).sum())
        for one, two in (
            ((CALLS == LABELS), (calls == LABELS)),
            ((calls == LABELS), (CALLS == LABELS)),
        )
    )
    by_calls = stats.mcnemar_test(LABELS, CALLS, calls)
    assert by_calls.p == pytest.approx(binomtest(gained, gained + lost, 0.5).pvalue)
    assert np.isfinite(stats.mcnemar_test(LABELS, CALLS, calls, groups=GROUPS).p)


def test_kappa_is_scikit_learns_whatever_categories_are_called():
    one, other = np.random.default_rng(6).integers(0, 3, (2, 50))
    expected = cohen_kappa_score(one, other)
    words = np.array(["low", "middle", "high"])
    for ratings in (np.stack([one, other], 1), np.stack([words[one], words[other]], 1)):
        assert stats.kappa(ratings).value == pytest.approx(expected)
    gaps = np.stack([words[one], words[other]], 1).astype(object)
    gaps[0, 0] = None
    assert stats.kappa(gaps).value == pytest.approx(cohen_kappa_score(one[1:], other[1:]))
    assert stats.kappa(gaps).n == 49


def test_decision_curve_is_its_formula():
    curve = stats.decision_curve(LABELS, PROBABILITIES, thresholds=[0.2, 0.6])
    for row in curve.itertuples():
        called = row.threshold <= PROBABILITIES
        odds = row.threshold / (1 - row.threshold)
        worth = (called & (LABELS == 1)).mean() - (called & (LABELS == 0)).mean() * odds
        assert row.net_benefit == pytest.approx(worth)


def test_table1_takes_any_frame():
    frame = pd.DataFrame(
        {
            "alnm": [True, False] * 10,
            "age": np.random.default_rng(7).normal(50, 8, 20),
            "er": ["positive", None, "negative", "positive"] * 5,
            "premenopausal": [True, True, False, False] * 5,
            "donor": np.arange(20) // 2,
        }
    )
    table = stats.table1(frame, by="alnm", groups="donor")
    assert set(table["variable"]) == {"age", "er", "premenopausal"}
    assert {"False (n = 10)", "True (n = 10)", "p_clustered"} <= set(table.columns)
    with pytest.raises(ValueError, match="frame has no column sex"):
        stats.table1(frame, by="sex")


BAD = [
    (lambda: stats.auc_ci(LABELS + 1, SCORES), "y_true must hold 0 and 1, or booleans; it holds 2"),
    (lambda: stats.auc_ci(2 * LABELS - 1, SCORES), "y_true must hold .* it holds -1"),
    (lambda: stats.auc_ci(np.where(LABELS, "yes", "no"), SCORES), "y_true must hold .*'(yes|no)'"),
    (lambda: stats.auc_ci(np.where(LABELS, 1, np.nan), SCORES), "y_true .* not finite"),
    (lambda: stats.auc_ci(LABELS, np.where(SCORES > 2, np.nan, SCORES)), "score .* not finite"),
    (lambda: stats.auc_ci(LABELS, SCORES[1:]), "y_true has 80, score has 79"),
    (lambda: stats.auc_ci(LABELS[:, None], SCORES), r"y_true must have one dimension.*\(80, 1\)"),
    (lambda: stats.auc_ci([], []), "y_true is empty|score is empty"),
    (lambda: stats.auc_ci(LABELS, SCORES, groups=GROUPS[1:]), "groups has 79"),
    (lambda: stats.auc_ci(LABELS, SCORES, groups=[None, *GROUPS[1:]]), "groups must name a group"),
    (lambda: stats.probability_metrics(LABELS, 100 * PROBABILITIES), "from 0 to 1; it goes from"),
    (lambda: stats.call_metrics(LABELS, PROBABILITIES), "y_pred must hold 0 and 1"),
    (lambda: stats.delong_test(LABELS, SCORES, SCORES[:9]), "score_b has 9"),
    (lambda: stats.mcnemar_test(LABELS, CALLS, CALLS, measure="f1"), "measure must be one of"),
    (lambda: stats.decision_curve(LABELS, PROBABILITIES, thresholds=[0, 0.5]), "thresholds must"),
    (lambda: stats.kappa([1, 0, 1]), "one row per subject"),
]


@pytest.mark.parametrize(("call", "told"), BAD)
def test_a_wrong_argument_is_named_in_one_sentence(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_an_unknown_name_is_an_attribute_error():
    assert axilla.stats is stats
    with pytest.raises(AttributeError, match="has no attribute 'statistics'"):
        _ = axilla.statistics


def test_every_block_of_the_guide_runs(capsys):
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 6
    shared: dict[str, object] = {}
    for block in blocks:
        exec(block, shared)  # noqa: S102 - our own guide
    printed = capsys.readouterr().out
    for line in ("0.920 (0.561 to 0.990)", "y_true must hold 0 and 1, or booleans; it holds 2."):
        assert line in text
        assert line in printed
