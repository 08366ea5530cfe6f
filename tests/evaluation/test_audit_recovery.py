from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from axilla.evaluation.audit.reported_table import FIGURES, Printed, ReportedModel, ReportedTable
from axilla.evaluation.audit.table_audit import audit, audit_document
from axilla.records.errors import ConfigError

COLUMNS = ("precision", "recall", "f1", "accuracy")


def figures_of(matrix, columns=COLUMNS):
    """Every figure of TP, FP, FN, TN as a fraction, written out by hand."""
    tp, fp, fn, tn = matrix
    shares = {
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "accuracy": (tp + tn, tp + fp + fn + tn),
        "specificity": (tn, tn + fp),
        "npv": (tn, tn + fn),
    }
    return {name: Fraction(*shares[name]) for name in columns}


def printed(share, digits=4):
    return Printed(round(share * 10**digits), digits)


def row(matrix, *, name="model", table="", columns=COLUMNS, digits=4, auc=None):
    figures = {k: printed(v, digits) for k, v in figures_of(matrix, columns).items()}
    return ReportedModel(table, name, figures, auc)


def swapped(model, one, other):
    changed = dict(model.figures)
    changed[one], changed[other] = changed[other], changed[one]
    return ReportedModel(model.table, model.model, changed, model.auc)


def retyped(model, column, places):
    changed = model.figures | {column: Printed(places, model.figures[column].digits)}
    return ReportedModel(model.table, model.model, changed, model.auc)


def reported(models, columns=COLUMNS):
    return ReportedTable("made.csv", columns, tuple(models), ())


def random_matrices(rng, *, n, positives, count):
    found = []
    for _ in range(count):
        tp = int(rng.integers(positives // 3, positives))
        fp = int(rng.integers(1, (n - positives) // 2))
        found.append((tp, fp, positives - tp, n - positives - fp))
    return found


@pytest.mark.parametrize(
    ("n", "positives"),
    [
        (211, 90),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((87, 40), (43, 12), (640, 311))),
    ],
)
@pytest.mark.parametrize("fault", ["none", "swap", "digit", "both"])
def test_a_synthetic_table_is_recovered(n, positives, fault):
    rng = np.random.default_rng(n)
    matrices = random_matrices(rng, n=n, positives=positives, count=5)
    models = [row(m, name=f"m{k}") for k, m in enumerate(matrices)]
    wrong = None
    if fault in {"digit", "both"}:
        wrong = models[2].figures["recall"]
        models[2] = retyped(models[2], "recall", (wrong.places + 3000) % 10_000)
    if fault in {"swap", "both"}:
        models = [swapped(m, "f1", "accuracy") for m in models]
    (one,) = audit(reported(models)).test_sets
    assert (one.best.n, one.best.positives) == (n, positives)
    assert one.unique
    assert [m.matrix for m in one.models] == matrices
    assert one.best.explained == 20 - (wrong is not None)
    expected = {"f1": "accuracy", "accuracy": "f1"} if fault in {"swap", "both"} else {}
    assert dict(one.best.reading.displaced_columns) == expected
    assert one.verdict == ("consistent" if fault == "none" else "explained with faults")
    assert one.complete == (0 if wrong else one.complete)
    if wrong:
        (found,) = one.models[2].misprints
        assert found.expected == str(wrong)
        assert found.slip == "one digit changed"


def test_figures_of_both_classes_are_recovered_in_any_swap_of_two():
    matrices = random_matrices(np.random.default_rng(4), n=120, positives=45, count=4)
    models = [row(m, name=f"m{k}", columns=FIGURES) for k, m in enumerate(matrices)]
    models = [swapped(m, "specificity", "npv") for m in models]
    (one,) = audit(reported(models, FIGURES)).test_sets
    assert (one.best.n, one.best.positives, one.best.explained) == (120, 45, 24)
    assert dict(one.best.reading.displaced_columns) == {"specificity": "npv", "npv": "specificity"}
    assert [m.matrix for m in one.models] == matrices


@pytest.mark.parametrize("columns", [("recall", "specificity"), ("accuracy", "f1", "npv")])
def test_few_columns_are_enough_with_many_models(columns):
    matrices = random_matrices(np.random.default_rng(5), n=90, positives=41, count=8)
    models = [row(m, name=f"m{k}", columns=columns) for k, m in enumerate(matrices)]
    (one,) = audit(reported(models, columns)).test_sets
    assert (one.best.n, one.best.positives) == (90, 41)
    assert one.verdict == "consistent"


def test_digits_that_were_cut_off_are_told_from_rounded_ones():
    matrices = random_matrices(np.random.default_rng(6), n=97, positives=50, count=5)
    models = [
        ReportedModel(
            "", f"m{k}", {c: Printed(int(v * 10**4), 4) for c, v in figures_of(m).items()}, None
        )
        for k, m in enumerate(matrices)
    ]
    (one,) = audit(reported(models)).test_sets
    assert one.best.reading.rounding == "truncated"
    assert one.halves == "cut off"
    assert [m.matrix for m in one.models] == matrices


def test_halves_rounded_up_are_told():
    matrices = [(20, 5, 12, 27), (21, 12, 11, 20), (25, 9, 7, 23), (17, 7, 15, 25)]
    shares = [figures_of(matrix) for matrix in matrices]
    models = [
        ReportedModel(
            "",
            f"m{k}",
            {c: Printed(int(v * 10**4 + Fraction(1, 2)), 4) for c, v in of.items()},
            None,
        )
        for k, of in enumerate(shares)
    ]
    (one,) = audit(reported(models)).test_sets
    assert (one.best.n, one.best.explained) == (64, 16)
    telling = sum(v * 10**4 % 2 == Fraction(1, 2) for of in shares for v in of.values())
    assert telling > 0
    assert (one.halves, one.halves_told_by) == ("up", telling)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [1, 6])
def test_random_figures_are_not_explained(seed, count):
    rng = np.random.default_rng(seed)
    models = [
        ReportedModel(
            "", f"m{k}", {c: Printed(int(rng.integers(3000, 9500)), 4) for c in COLUMNS}, None
        )
        for k in range(count)
    ]
    result = audit(reported(models))
    assert not result.is_explained
    assert result.test_sets[0].evidence < 2


@pytest.mark.slow
def test_tables_of_two_test_sets_are_told_apart():
    rng = np.random.default_rng(8)
    sets = {"internal": (64, 33), "external": (150, 61)}
    models = [
        row(m, name=f"m{k}", table=table)
        for table, (n, positives) in sets.items()
        for k, m in enumerate(random_matrices(rng, n=n, positives=positives, count=4))
    ]
    result = audit(reported(models))
    assert result.evidence_apart > result.evidence_shared + 3
    found = {one.tables: (one.best.n, one.best.positives) for one in result.test_sets}
    assert found == {(table,): size for table, size in sets.items()}


@pytest.mark.slow
def test_one_model_alone_is_not_unique_and_all_its_test_sets_are_listed():
    """All test sets of up to 130 patients by enumeration in whole numbers."""
    model = row((25, 9, 8, 22), digits=3)
    (one,) = audit(reported([model]), largest=130).test_sets
    assert one.verdict == "consistent"
    assert not one.unique
    wanted = {k: Fraction(v.places, 10**3) for k, v in model.figures.items()}
    half = Fraction(1, 2000)
    expected = set()
    for n in range(10, 131):
        for p in range(1, n):
            for tp in _hits(wanted["recall"], p, half):
                for right in _hits(wanted["accuracy"], n, half):
                    matrix = (tp, tp + n - p - right, p - tp, right - tp)
                    if min(matrix) < 0 or tp + matrix[1] == 0:
                        continue
                    shares = figures_of(matrix)
                    if all(abs(shares[k] - wanted[k]) <= half for k in wanted):
                        expected.add((n, p, matrix))
    found = {(s.n, s.positives, m) for s in one.complete_sets for m in s.matrices[0]}
    assert found == expected
    assert len({(n, p) for n, p, _ in expected}) == one.complete


def _hits(share, below, half):
    return [k for k in range(below + 1) if abs(Fraction(k, below) - share) <= half]


@pytest.mark.slow
def test_swapped_precision_and_recall_of_one_model_explain_as_much():
    (one,) = audit(reported([row((25, 9, 8, 22))])).test_sets
    other = next(f for f in one.explanations if f.reading.name == "precision and recall swapped")
    assert (other.n, other.positives, other.explained) == (64, 34, 4)  # the transposed matrix
    assert other.probability > 0.05


def test_a_missing_figure_is_no_contradiction():
    matrices = random_matrices(np.random.default_rng(9), n=77, positives=35, count=4)
    models = [row(m, name=f"m{k}") for k, m in enumerate(matrices)]
    del models[1].figures["f1"]
    (one,) = audit(reported(models)).test_sets
    assert (one.best.n, one.best.positives, one.best.explained, one.best.figures) == (
        77,
        35,
        15,
        15,
    )


def test_models_of_one_figure_each_are_possible_but_tell_no_test_set():
    """47 of 64, 25 of 33 and 45 of 64 or 46 of 66: as good as printed in either order."""
    columns = ("recall", "accuracy")
    models = [
        ReportedModel("", "a", {"accuracy": Printed(7344, 4)}, None),
        ReportedModel("", "b", {"recall": Printed(7576, 4)}, None),
        ReportedModel("", "c", {"accuracy": Printed(7031, 4), "recall": Printed(6970, 4)}, None),
    ]
    (one,) = audit(reported(models, columns), largest=200).test_sets
    assert one.verdict == "consistent"
    assert not one.unique
    best = (one.best.n, one.best.positives)
    assert best in {(s.n, s.positives) for s in one.complete_sets}
    assert [m.matrix for m in one.models[:2]] == [None, None]


def test_figures_that_any_test_set_prints_are_consistent():
    models = [
        ReportedModel("", "a", {"accuracy": Printed(99, 2), "recall": Printed(50, 2)}, None),
        ReportedModel("", "b", {"accuracy": Printed(98, 2), "recall": Printed(50, 2)}, None),
    ]
    (one,) = audit(reported(models, ("recall", "accuracy"))).test_sets
    assert one.verdict == "consistent"
    assert one.complete > 0
    assert not one.unique


@pytest.mark.slow
def test_raw_floats_of_one_model_tell_a_large_test_set():
    matrix = (583, 312, 417, 687)
    table = row(matrix, columns=FIGURES, digits=12)
    (one,) = audit(reported([table], FIGURES)).test_sets
    assert (one.best.n, one.best.positives) == (1999, 1000)
    assert one.models[0].matrix == matrix
    assert one.unique


def test_a_model_that_calls_everybody_positive_is_a_matrix_like_any():
    models = [row((33, 31, 0, 0)), row((25, 9, 8, 22), name="other")]
    (one,) = audit(reported(models)).test_sets
    assert (one.best.n, one.best.positives) == (64, 33)
    assert one.models[0].matrix == (33, 31, 0, 0)


@pytest.mark.slow
def test_the_same_table_gives_the_same_audit():
    table = reported([row((25, 9, 8, 22)), row((20, 5, 13, 26), name="other")])
    assert audit_document(audit(table)) == audit_document(audit(table))


def test_the_matrix_of_a_reading_is_sklearns():
    """The figures axilla recovers from are those that scikit-learn prints."""
    rng = np.random.default_rng(10)
    labels = (np.arange(80) < 37).astype(int)
    models = []
    for k in range(4):
        calls = np.where(rng.random(80) < 0.7, labels, 1 - labels)
        scores = [
            f(labels, calls) for f in (precision_score, recall_score, f1_score, accuracy_score)
        ]
        figures = {c: Printed(int(f"{v:.4f}"[2:]), 4) for c, v in zip(COLUMNS, scores, strict=True)}
        models.append(ReportedModel("", f"m{k}", figures, None))
    (one,) = audit(reported(models)).test_sets
    assert (one.best.n, one.best.positives, one.verdict) == (80, 37, "consistent")


@pytest.mark.parametrize(
    "options", [{"n": 1}, {"smallest": 50, "largest": 40}, {"largest": 20_000},
                {"n": 40, "positives": 40}, {"positives": 0}],
)  # fmt: skip
def test_an_impossible_range_is_refused(options):
    with pytest.raises(ConfigError):
        audit(reported([row((25, 9, 8, 22))]), **options)


def test_a_table_of_models_that_called_nobody_positive_is_refused():
    zeros = {"precision": Printed(0, 4), "recall": Printed(0, 4), "f1": Printed(0, 4)}
    models = [ReportedModel("", "m", zeros | {"accuracy": Printed(4844, 4)}, None)]
    with pytest.raises(ConfigError, match="nobody positive"):
        audit(reported(models))
