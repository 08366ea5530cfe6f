"""The verdict says what the paired test says: better, worse or not shown, and by how much."""

from dataclasses import replace

import pytest

from axilla.report.answer import answer_of, verdict_sentence, worth_sentences
from axilla.report.figures.all_figures import draw_figures
from axilla.report.number_format import format_signed, p_value
from axilla.report.sections.comparisons_section import comparisons_section
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import load_results
from axilla.report.tables.comparison_rows import families, verdict_row


@pytest.fixture
def results(paired):
    return load_results(*paired)


def with_difference(results, value, low, high, p, *, family="verdict"):
    table = results.comparisons.copy()
    mine = (table["family"] == family) & (table["test"] == "delong")
    assert mine.any()
    table.loc[mine, ["estimate", "low", "high", "p", "p_holm"]] = (value, low, high, p, p)
    return replace(results, comparisons=table)


@pytest.mark.parametrize(
    ("difference", "claim"),
    [
        ((0.05, 0.01, 0.09, 0.012), "fusion predicts better than the best single modality"),
        ((-0.05, -0.09, -0.01, 0.012), "fusion predicts worse than the best single modality"),
        ((0.02, -0.01, 0.05, 0.2), "do not show that fusion differs"),
        ((-0.02, -0.05, 0.01, 0.2), "do not show that fusion differs"),
    ],
)
def test_the_verdict_follows_the_test(results, difference, claim):
    changed = with_difference(results, *difference)
    assert claim in verdict_sentence(changed)
    answer = answer_of(changed)
    assert answer.lead == verdict_sentence(changed)
    assert format_signed(difference[0]) in answer.lead


def test_the_verdicts_numbers_are_those_of_the_tables(results):
    row, text = verdict_row(results), verdict_sentence(results)
    for model in ("selected", "single/selected"):
        assert f"{results.estimate(model, 'auc').value:.3f}" in text
    difference = results.estimate("selected", "auc").value
    difference -= results.estimate("single/selected", "auc").value
    assert row.value == pytest.approx(difference)
    assert f"{abs(row.value):.3f}" in text


def test_without_comparisons_there_is_no_verdict(clinical_only):
    results = load_results(*clinical_only)
    assert verdict_sentence(results) is None
    assert answer_of(results).lead.endswith("No fusion was evaluated.")


def test_each_modality_is_told_what_it_is_worth(results):
    changed = with_difference(results, 0.07, 0.02, 0.12, 0.004, family="worth of ultrasound")
    changed = with_difference(changed, -0.01, -0.04, 0.02, 0.5, family="worth of pathology")
    ultrasound, pathology = worth_sentences(changed)
    assert ultrasound.startswith("Without ultrasound the AUC falls by 0.070")
    assert "chance" not in ultrasound
    assert pathology.startswith("Without pathology the AUC rises by 0.010")
    assert "may be chance" in pathology


@pytest.mark.slow
def test_the_section_lists_every_planned_pair(results):
    answer = answer_of(results)
    section = comparisons_section(ReportContext(results, answer, draw_figures(results, answer)))
    pairs = results.comparisons.drop_duplicates(["family", "model_a", "model_b"])
    assert str(section.html).count('class="versus"') == len(pairs)
    assert sum(len(contests) for _, contests in families(results)) == len(pairs)
    empty = replace(results, comparisons=results.comparisons.head(0))
    assert comparisons_section(ReportContext(empty, answer, {})) is None


def test_small_p_values_are_never_zero():
    assert p_value(0.0) == p_value(0.0009) == "< 0.001"
    assert (p_value(0.0123), p_value(0.0512), p_value(0.123)) == ("0.012", "0.051", "0.12")
    assert p_value(float("nan")) == format_signed(float("nan")) == "–"  # noqa: RUF001
    assert (format_signed(0.5), format_signed(-0.25), format_signed(0.0)) == (
        "+0.500",
        "−0.250",  # noqa: RUF001
        "0.000",
    )
