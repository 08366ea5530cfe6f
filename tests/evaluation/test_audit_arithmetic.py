"""The parts of the audit, each against enumeration, simulation or another implementation."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from axilla.evaluation.audit.auc_bounds import (
    auc_bounds,
    auc_limits,
    auc_standard_error,
    binormal_auc,
    pair_count,
)
from axilla.evaluation.audit.interpretations import (
    MISPRINT,
    Interpretation,
    readings_of,
    windows_of,
)
from axilla.evaluation.audit.matrices import heaviest_matrices, weigh
from axilla.evaluation.audit.recovery import expected_figure, halves_of, slip_between
from axilla.evaluation.audit.reported_table import FIGURES, Printed, ReportedModel
from axilla.evaluation.audit.table_audit import explained_by_chance
from axilla.evaluation.audit.test_set_search import search


def share_of(name, tp, fp, fn, tn):
    counted, among = {
        "precision": (tp, tp + fp), "recall": (tp, tp + fn), "f1": (2 * tp, 2 * tp + fp + fn),
        "accuracy": (tp + tn, tp + fp + fn + tn), "specificity": (tn, tn + fp),
        "npv": (tn, tn + fn),
    }[name]  # fmt: skip
    return Fraction(counted, among) if among else None


def prints(share, figure, modes):
    """Tell whether decimal arithmetic prints the share so in one of the rounding modes."""
    if share is None:
        return False
    exact = Decimal(share.numerator) / Decimal(share.denominator)
    unit = Decimal(1).scaleb(-figure.digits)
    return any(str(exact.quantize(unit, mode)) == str(figure) for mode in modes)


def random_model(rng, digits, missing=None):
    figures = {
        name: Printed(int(rng.integers(1, 10**digits)), digits)
        for name in FIGURES
        if name != missing
    }
    return ReportedModel("", "m", figures, None)


@pytest.mark.parametrize("rounding", ["rounded", "truncated"])
@pytest.mark.parametrize(("n", "positives"), [(12, 5), (16, 8), (23, 1), (20, 19)])
def test_weights_equal_those_of_every_matrix_printed_in_decimal(rounding, n, positives):
    rng = np.random.default_rng(n)
    modes = [ROUND_DOWN] if rounding == "truncated" else [ROUND_HALF_UP, ROUND_HALF_EVEN]
    models = [random_model(rng, 2), random_model(rng, 2, missing="npv"), random_model(rng, 3)]
    windows = windows_of(models, Interpretation(FIGURES, FIGURES, rounding, 1.0))
    result = weigh(windows, n=n, positives=positives)
    best = heaviest_matrices(windows, n=n, positives=positives, most=10**6)
    negatives = n - positives
    for k, model in enumerate(models):
        weights, counts = {}, {}
        for tp in range(positives + 1):
            for fp in range(negatives + 1):
                matrix = (tp, fp, positives - tp, negatives - fp)
                hits = {c: prints(share_of(c, *matrix), f, modes) for c, f in model.figures.items()}
                factors = [
                    (1 - MISPRINT) * 10 ** model.figures[c].digits + MISPRINT if hit else MISPRINT
                    for c, hit in hits.items()
                ]
                weights[matrix], counts[matrix] = float(np.prod(factors)), sum(hits.values())
        assert 10 ** result.evidence[k] == pytest.approx(np.mean(list(weights.values())))
        heaviest = max(weights.values())
        tied = {m for m, w in weights.items() if np.isclose(w, heaviest)}
        assert best[k][0] == len(tied)
        assert {m for m, _ in best[k][1]} == tied
        assert result.explained[k] in {counts[m] for m in tied}


def test_arbitrary_figures_have_an_expected_bayes_factor_of_one():
    """Over all figures of two digits; 13 patients, 6 positive, have no fraction that is a half."""
    columns = ("accuracy", "recall")
    models = [
        ReportedModel("", "m", {"accuracy": Printed(a, 2), "recall": Printed(r, 2)}, None)
        for a in range(101)
        for r in range(101)
    ]
    result = weigh(
        windows_of(models, Interpretation(columns, columns, "rounded", 1.0)), n=13, positives=6
    )
    assert (10**result.evidence).sum() / 100**2 == pytest.approx(1, abs=0.01)


def test_the_search_finds_what_weighing_every_test_set_finds():
    columns = ("precision", "recall", "f1", "accuracy")
    matrices = [(11, 4, 5, 10), (9, 2, 7, 12), (13, 8, 3, 6)]
    models = [
        ReportedModel(
            "", f"m{k}",
            {c: Printed(round(share_of(c, *m) * 1000), 3) for c in columns}, None,
        )
        for k, m in enumerate(matrices)
    ]  # fmt: skip
    sizes = np.arange(10, 61)
    found = search(models, columns, sizes=sizes)
    windows = windows_of(models, Interpretation(columns, columns, "rounded", 1.0))
    every = {(int(n), p): weigh(windows, n=int(n), positives=p) for n in sizes for p in range(1, n)}
    best = max(every, key=lambda size: every[size].evidence.sum() - np.log10(size[0] * size[0]))
    assert best == (found.explanations[0].n, found.explanations[0].positives) == (30, 16)
    assert found.explanations[0].evidence == pytest.approx(every[best].evidence.sum())
    prior = 0.45 / 1 / (1 / sizes).sum()  # as printed, rounded
    total = sum(
        prior / n / (n - 1) * 10 ** float(result.evidence.sum()) for (n, _), result in every.items()
    )
    assert found.evidence == pytest.approx(np.log10(total), abs=0.1)


@pytest.mark.parametrize("counts", [(25, 9, 8, 22), (3, 1, 9, 30), (33, 31, 0, 0), (5, 0, 5, 5)])
def test_auc_limits_are_attained_by_scores(counts):
    """ROC curves of sklearn: the worst order on either side of the threshold, the best, and any."""
    tp, fp, fn, tn = counts
    labels = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    low, high = auc_limits(counts)
    worst = np.repeat([3.0, 4.0, 1.0, 2.0], [tp, fp, fn, tn])
    best = np.repeat([4.0, 3.0, 2.0, 1.0], [tp, fp, fn, tn])
    assert low == pytest.approx(roc_auc_score(labels, worst))
    assert high == pytest.approx(roc_auc_score(labels, best))
    rng = np.random.default_rng(0)
    called = np.repeat([1, 1, 0, 0], [tp, fp, fn, tn])
    areas = [roc_auc_score(labels, called + rng.random(len(labels))) for _ in range(200)]
    assert low <= min(areas)
    assert max(areas) <= high


def test_verdicts_on_an_auc():
    counts = (25, 9, 8, 22)  # balanced accuracy 0.7336
    assert auc_bounds(Printed(5000, 4), counts).verdict == "impossible"
    assert auc_bounds(Printed(9500, 4), counts).verdict == "impossible"
    assert auc_bounds(Printed(7336, 4), counts).verdict == "that of its calls"
    assert auc_bounds(Printed(8000, 4), counts).verdict == "plausible"
    assert auc_bounds(Printed(6000, 4), counts).verdict == "implausible"


@pytest.mark.slow
def test_the_binormal_auc_and_its_standard_error_by_simulation():
    """Normal scores give the AUC of any threshold; exponential scores the error of the formula."""
    rng = np.random.default_rng(1)
    labels = np.repeat([1, 0], 200_000)
    scores = rng.normal(size=400_000) + 1.3 * labels
    calls = scores > 0.4
    counts = (
        int((calls & (labels == 1)).sum()), int((calls & (labels == 0)).sum()),
        int((~calls & (labels == 1)).sum()), int((~calls & (labels == 0)).sum()),
    )  # fmt: skip
    assert binormal_auc(counts) == pytest.approx(roc_auc_score(labels, scores), abs=0.004)
    few = np.repeat([1, 0], [33, 31])
    areas = [roc_auc_score(few, rng.exponential(np.where(few == 1, 3.0, 1.0))) for _ in range(1500)]
    expected = auc_standard_error(0.75, positives=33, negatives=31)
    assert np.mean(areas) == pytest.approx(0.75, abs=0.006)
    assert np.std(areas) == pytest.approx(expected, rel=0.05)


def test_aucs_of_a_test_set_are_whole_pairs_and_those_of_another_are_not():
    rng = np.random.default_rng(2)
    labels = np.repeat([1, 0], [33, 31])
    areas = [roc_auc_score(labels, rng.normal(size=64) + labels) for _ in range(20)]
    aucs = [Printed(round(area * 10**4), 4) for area in areas]
    right = pair_count(aucs, n=64, positives=33)
    assert right.whole == right.halves == right.printed == 20
    wrong = pair_count(aucs, n=61, positives=30)
    assert wrong.whole < 10
    assert wrong.p > 1e-4 > right.p
    tied = [Printed(round(Fraction(k * 2 + 1, 2 * 1023) * 10**4), 4) for k in range(600, 610)]
    assert pair_count(tied, n=64, positives=33).halves == 10
    assert pair_count([Printed(5000, 4)], n=64, positives=33) is None


def test_large_test_sets_explain_more_by_chance():
    rng = np.random.default_rng(3)
    columns = ("precision", "recall", "f1", "accuracy")
    models = [
        ReportedModel("", f"m{k}", {c: Printed(int(rng.integers(5000, 9000)), 4) for c in columns},
                      None)
        for k in range(10)
    ]  # fmt: skip
    windows = windows_of(models, Interpretation(columns, columns, "rounded", 1.0))
    means = [
        explained_by_chance(windows, n=n, positives=n // 2, rng=np.random.default_rng(0)).mean
        for n in (20, 64, 200, 600)
    ]
    assert means == sorted(means)
    assert means[-1] > means[0] + 8


@pytest.mark.parametrize(
    ("printed", "expected", "slip"),
    [
        (7126, 7826, "one digit changed"),
        (7079, 7097, "two neighbouring digits transposed"),
        (7344, 7345, "last place off by one"),
        (8000, 7999, "last place off by one"),
        (7443, 7344, None),  # two digits, but not of neighbours
        (5734, 10000, None),
    ],
)
def test_slips(printed, expected, slip):
    assert slip_between(Printed(printed, 4), Printed(expected, 4)) == slip


def test_halves():
    half = Fraction(42, 64)  # 0.65625
    assert halves_of([(half, Printed(6562, 4))], rounding="rounded") == ("to even", 1)
    assert halves_of([(half, Printed(6563, 4))], rounding="rounded") == ("up", 1)
    both = [(half, Printed(6562, 4)), (half, Printed(6563, 4))]
    assert halves_of(both, rounding="rounded") == ("both ways", 2)
    no_news = [(Fraction(46, 64), Printed(7188, 4)), (Fraction(1, 3), Printed(3333, 4))]
    assert halves_of(no_news, rounding="rounded") == ("not told", 0)
    assert str(expected_figure(half, 4, halves="up")) == "0.6563"
    assert str(expected_figure(half, 4, halves="not told")) == f"{0.65625:.4f}"
    assert str(expected_figure(Fraction(2, 3), 4, halves="cut off")) == "0.6666"


def test_columns_can_be_read_in_every_order_and_priors_are_probabilities():
    found = readings_of(("precision", "recall", "f1", "accuracy"))
    assert sum(reading.rounding == "rounded" for reading in found) == 24
    assert sum(reading.prior for reading in found) == pytest.approx(1, abs=0.011)
    assert found[0].name == "as printed"
    names = {reading.name for reading in readings_of(FIGURES)}
    assert len(names) == 2 * (1 + 15)
