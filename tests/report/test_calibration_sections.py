"""Calibration and decision curve on the page: the right models, the numbers of the tables."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axilla.evaluation.metrics.net_benefit import net_benefit
from axilla.records.table_columns import METRICS
from axilla.report.answer import answer_of
from axilla.report.figures.calibration_figure import draw_calibration
from axilla.report.figures.decision_figure import apart, draw_decision_curve
from axilla.report.headline_models import protagonists, readers
from axilla.report.number_format import MINUS, number
from axilla.report.sections.calibration_section import calibration_section, calibration_sentence
from axilla.report.sections.decision_section import decision_section, worth_sentence
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import load_results


@pytest.fixture(scope="module")
def results(paired):
    return load_results(*paired)


@pytest.fixture(scope="module")
def material(results):
    drawings = [draw_calibration(results), draw_decision_curve(results)]
    return ReportContext(results, answer_of(results), {d.name: d for d in drawings})


def cells(html, title):
    """Return the values of a table's row, as the page prints them."""
    row = re.search(rf'<th scope="row">{re.escape(title)}</th>(.*?)</tr>', html, re.DOTALL)
    return re.findall(r'<span class="value">(.*?)</span>', row.group(1))


@pytest.mark.slow
def test_protagonists_are_the_headline_and_what_folds_chose(results):
    names = [entry.name for entry in protagonists(results)]
    expected = ["multilayer", "ultrasound/selected", "pathology/selected", "clinical/logistic"]
    assert names == expected
    assert [entry.name for entry in readers(results)] == ["birads"]


def test_without_fusion_the_one_model_is_shown(clinical_only):
    results = load_results(*clinical_only)
    assert [entry.name for entry in protagonists(results)] == ["clinical/logistic"]
    calibration, decision = draw_calibration(results), draw_decision_curve(results)
    assert calibration.width_in < decision.width_in
    assert "Clinical: slope" in calibration.description


def test_calibration_table_states_metrics(results, material):
    html = str(calibration_section(material).html)
    for title, model in (
        ("Multilayer fusion", "multilayer"),
        ("Ultrasound, chosen in each fold", "ultrasound/selected"),
    ):
        shown = [
            number(results.estimate(model, metric).value)
            for metric in ("calibration_intercept", "calibration_slope", "ece", "brier")
        ]
        assert cells(html, title) == shown
    assert "BI-RADS" not in html
    assert "as the models gave them" in html


def test_recalibration_is_told(results, material):
    validation = results.config.validation.model_copy(update={"recalibration": "isotonic"})
    config = results.config.model_copy(update={"validation": validation})
    told = replace(material, results=replace(results, config=config))
    assert "isotonic map" in str(calibration_section(told).html)


def test_decision_table_states_net_benefit_of_the_predictions(results, material):
    html = str(decision_section(material).html)
    for title, model in (("Multilayer fusion", "multilayer"), ("Reader (BI-RADS)", "birads")):
        rows = results.predictions[results.predictions["model"] == model]
        thresholds = [0.1, 0.2, 0.3, 0.5, 0.7]
        values = net_benefit(rows["label"], rows["probability"], thresholds=thresholds)[0]
        assert cells(html, title) == [number(value) for value in values]
    share = results.predictions.drop_duplicates("patient_id")["label"].mean()
    assert cells(html, "Treat all")[3] == number(share - (1 - share))
    assert set(cells(html, "Treat none")) == {"0.000"}


def test_negative_numbers_have_a_minus_sign(material):
    html = str(decision_section(material).html)
    assert MINUS in cells(html, "Treat all")[-1]
    assert not re.search(r'class="value">-', html)


def test_no_tables_no_figures_no_sections(results):
    bare = replace(
        results,
        calibration=results.calibration.iloc[:0],
        decision_curve=results.decision_curve.iloc[:0],
    )
    assert draw_calibration(bare) is None
    assert draw_decision_curve(bare) is None
    empty = ReportContext(bare, answer_of(results), {})
    assert calibration_section(empty) is None
    assert decision_section(empty) is None


def with_metrics(results, bounds):
    rows = [
        ("multilayer", metric, (low + high) / 2, low, high, 211, 107, "", "test")
        for metric, (low, high) in bounds.items()
    ]
    return replace(results, metrics=pd.DataFrame(rows, columns=list(METRICS)))


@pytest.mark.parametrize(
    ("intercept", "slope", "said"),
    [
        ((-0.2, 0.2), (0.8, 1.2), "no fault of calibration shows"),
        ((-0.5, -0.1), (0.8, 1.2), "risks are too high on the whole."),
        ((0.1, 0.5), (0.8, 1.2), "risks are too low on the whole."),
        ((-0.2, 0.2), (0.3, 0.7), "risks are too extreme, at both ends."),
        ((-0.2, 0.2), (1.3, 1.7), "risks are too modest, at both ends."),
        ((-0.5, -0.1), (0.3, 0.7), "too high on the whole and too extreme"),
        ((-0.2, 0.2), (np.nan, np.nan), "no interval of the slope"),
    ],
)
def test_the_sentence_says_what_intervals_show(results, intercept, slope, said):
    bounds = {"calibration_intercept": intercept, "calibration_slope": slope}
    changed = with_metrics(results, bounds)
    entry = protagonists(results)[0]
    assert said in calibration_sentence(changed, entry)


@pytest.mark.parametrize(
    ("benefit", "low", "said"),
    [
        ([0.5, 0.4, 0.3, 0.2], [0.3, 0.3, 0.1, -0.1], "thresholds of 20\xa0% to 40\xa0%"),
        ([0.5, 0.4, 0.3, 0.2], [0.3, 0.2, 0.1, -0.1], "at 30\xa0% its whole interval"),
        ([0.5, 0.4, 0.3, 0.2], [-1] * 4, "at none of them does its interval"),
        ([0.5, 0.3, 0.3, 0.2], [-1] * 4, "thresholds of 30\xa0% to 40\xa0%"),
        ([0.5, 0.4, 0.0, 0.2], [-1] * 4, "thresholds of 20\xa0% and 40\xa0%"),
        ([0.5, 0.3, 0.0, 0.0], [-1] * 4, "At no threshold shown"),
    ],
)
def test_the_sentence_says_where_a_model_is_worth_it(results, benefit, low, said):
    table = pd.DataFrame(
        {
            "model": "multilayer",
            "threshold": [0.1, 0.2, 0.3, 0.4],
            "net_benefit": benefit,
            "low": low,
            "high": 1.0,
            "treat_all": [0.5, 0.3, 0.0, -0.4],
        }
    )
    changed = replace(results, decision_curve=table)
    assert said in worth_sentence(changed, protagonists(results)[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_names_keep_apart_in_the_order_of_their_curves(ends):
    places = apart(ends, least=0.1, low=0.0, high=1.0)
    assert (np.diff(sorted(places)) >= 0.1 - 1e-9).all()
    assert min(places) >= -1e-9
    assert max(places) <= 1 + 1e-9
    order = np.argsort(ends, kind="stable")
    assert (np.diff(np.array(places)[order]) > 0).all()
