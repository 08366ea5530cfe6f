from fractions import Fraction
from pathlib import Path

import pytest
from scipy.stats import binomtest

from axilla.evaluation.audit.reported_table import read_reported
from axilla.evaluation.audit.table_audit import audit

PAPER = Path(__file__).parent / "reference" / "paper_tables.csv"


def figures_of(matrix):
    """Every figure of TP, FP, FN, TN as a fraction, written out by hand."""
    tp, fp, fn, tn = matrix
    return {
        "precision": Fraction(tp, tp + fp),
        "recall": Fraction(tp, tp + fn),
        "f1": Fraction(2 * tp, 2 * tp + fp + fn),
        "accuracy": Fraction(tp + tn, tp + fp + fn + tn),
    }


@pytest.fixture(scope="module")
def paper():
    return audit(read_reported(PAPER))


def test_the_paper_has_64_patients_and_two_columns_swapped(paper):
    (one,) = paper.test_sets
    assert (one.best.n, one.best.positives) == (64, 33)
    assert dict(one.best.reading.displaced_columns) == {
        "precision": "accuracy",
        "accuracy": "precision",
    }
    assert (one.best.explained, one.best.figures) == (50, 60)
    assert one.unique
    assert one.verdict == "explained with faults"
    assert one.chance.greatest < 15
    assert paper.evidence_shared > paper.evidence_apart + 3
    assert {model.model for model in one.set_aside} == {"SqueezeNet"}


def test_a_set_twice_as_large_explains_more_of_the_paper_and_is_still_not_believed(paper):
    twice = next(f for f in paper.test_sets[0].explanations if f.n == 128)
    assert twice.explained == 51
    assert twice.probability < 1e-4


def test_the_paper_by_brute_force():
    """Every matrix of 64 patients, 33 positive, printed by Python and compared as text."""
    total = 0
    for model in read_reported(PAPER).models:
        if model.one_class:
            continue
        wanted = {k: str(v) for k, v in model.figures.items()}
        wanted["precision"], wanted["accuracy"] = wanted["accuracy"], wanted["precision"]
        total += max(
            sum(f"{float(v):.4f}" == wanted[k] for k, v in figures_of(matrix).items())
            for tp in range(34) for fp in range(32) if tp + fp
            for matrix in [(tp, fp, 33 - tp, 31 - fp)]
        )  # fmt: skip
    assert total == 50


def test_the_papers_multilayer_matrix_and_its_intervals(paper):
    model = paper.test_sets[0].models[-1]
    assert model.model == "multilayer"
    assert model.matrix == (25, 9, 8, 22)
    for rate, counted in zip(model.rates, (47, 25, 22), strict=True):
        expected = binomtest(counted, rate.n).proportion_ci(method="wilson")
        assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high))


def test_the_papers_slips(paper):
    slips = {
        (m.model, x.figure): (x.column, x.printed, x.expected, x.slip)
        for m in paper.test_sets[0].models
        for x in m.misprints
        if m.table != "3 ultrasound"
    }
    assert slips["attention", "precision"] == ("accuracy", "0.5571", "0.8571", "one digit changed")
    assert slips["concatenation", "precision"] == (
        "accuracy", "0.7079", "0.7097", "two neighbouring digits transposed",
    )  # fmt: skip
    assert slips["ViT", "recall"][-1] is None
    assert all(model.matrix for m in paper.test_sets for model in m.models if model.misprints)


def test_a_model_of_which_one_figure_fits_gets_no_matrix(paper):
    (vit,) = (m for m in paper.test_sets[0].models if (m.table, m.model) == ("3 ultrasound", "ViT"))
    assert vit.explained == 1
    assert vit.ties == 29
    assert vit.matrix is None
    assert len(vit.candidates) == 5


def test_halves_of_the_paper_went_to_even_and_its_aucs_are_whole_pairs(paper):
    (one,) = paper.test_sets
    assert (one.halves, one.halves_told_by) == ("to even", 2)  # 42/64 = 0.65625, printed 0.6562
    assert (one.auc_pairs.pairs, one.auc_pairs.whole, one.auc_pairs.printed) == (1023, 15, 15)
    assert one.auc_pairs.p < 1e-10


def test_the_stated_size_of_the_paper_is_contradicted():
    result = audit(read_reported(PAPER), n=42)
    assert [one.verdict for one in result.test_sets] == ["contradicted"]
    assert (result.unstated.n, result.unstated.positives) == (64, 33)
    assert not result.is_explained
    stated = audit(read_reported(PAPER), n=64, positives=33)
    assert stated.is_explained
    assert stated.test_sets[0].best.explained == 50
