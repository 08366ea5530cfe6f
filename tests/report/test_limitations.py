"""Limitations appear where the numbers show them, with those numbers, and nowhere else."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from axilla.config.study import StudyConfig
from axilla.records.table_columns import CONFOUNDING, MISSINGNESS, SUBGROUPS
from axilla.report.limitations import limitations_of
from axilla.report.study_results import load_results


@pytest.fixture
def results(paired):
    return load_results(*paired)


def texts(results, topic: str) -> list[str]:
    return [limit.text for limit in limitations_of(results) if limit.topic == topic]


def with_metric(results, model, metric, **values):
    metrics = results.metrics.copy()
    row = (metrics["model"] == model) & (metrics["metric"] == metric)
    assert row.sum() == 1
    for column, value in values.items():
        metrics.loc[row, column] = value
    return dataclasses.replace(results, metrics=metrics)


def with_config(results, **sections):
    raw = results.config.model_dump()
    for section, values in sections.items():
        raw[section] = raw[section] | values
    return dataclasses.replace(results, config=StudyConfig.model_validate(raw))


def test_sample_size_says_the_width_of_the_interval(results):
    (text,) = texts(results, "Sample size")
    auc = results.estimate("multilayer", "auc")
    assert "211 patients, 107 positive and 104 negative: fewer than the 200" in text
    assert f"{auc.high - auc.low:.3f} wide ({auc.low:.3f} to {auc.high:.3f})" in text


@pytest.mark.parametrize(
    ("n", "positive", "said"),
    [(300, 60, "fewer than the 100"), (350, 150, "fewer than the 200"), (500, 250, None)],
)
def test_sample_size_depends_on_the_smaller_class(results, n, positive, said):
    found = texts(
        with_metric(results, "multilayer", "auc", n=n, n_positive=positive), "Sample size"
    )
    assert [said in text for text in found] == ([True] if said else [])


def test_groups_are_worth_what_the_method_says(results):
    (text,) = texts(results, "Few groups")
    assert "36 groups" in text
    for metric, size in (("recall", "107 positive"), ("specificity", "104 negative")):
        method = results.estimate("multilayer", metric).method
        effective = method.partition("effective n ")[2].partition(",")[0]
        assert f"the {size} patients are worth {effective} independent ones" in text
    assert texts(with_config(results, cohort={"group": ()}), "Few groups") == []


SITES = [
    ("site", None, 100, 50, 0.5, 0.4, 0.6, 0.7083, 0.54, 0.00004, "Pearson chi-square"),
    ("site", "A", 60, 40, 0.667, 0.54, 0.77, *[np.nan] * 3, "Wilson"),
    ("site", "B", 40, 10, 0.25, 0.14, 0.40, *[np.nan] * 3, "Wilson"),
]


def test_confounding_by_site_only_where_there_is_some(results):
    table = pd.DataFrame(SITES, columns=list(CONFOUNDING))
    related = dataclasses.replace(results, confounding=table)
    (text,) = texts(related, "Confounding by origin")
    assert (
        "25\N{NO-BREAK SPACE}% positive at B (n = 40), 67\N{NO-BREAK SPACE}% at A (n = 60)" in text
    )
    assert "p < 0.001" in text
    assert "AUC of 0.708 (0.540 by chance)" in text
    table = table.assign(p=0.8, auc=0.55)
    assert texts(dataclasses.replace(results, confounding=table), "Confounding by origin") == []


def test_missing_data_and_whether_they_are_informative(results):
    rows = [
        ("pathology", 211, 25, 0.8, 0.47, 0.002, "Pearson chi-square"),
        ("age", 211, 3, 0.33, 0.51, 0.6, "Fisher exact"),
        ("birads", 211, 0, np.nan, 0.5, np.nan, "none: nothing is missing"),
        ("ultrasound", 211, 211, 0.5, np.nan, np.nan, "none: all of it is missing"),
    ]
    table = pd.DataFrame(rows, columns=list(MISSINGNESS))
    (text,) = texts(dataclasses.replace(results, missingness=table), "Missing data")
    nbsp = "\N{NO-BREAK SPACE}"
    assert f"pathology in 25 of 211 (12{nbsp}%) and age in 3 of 211 (1{nbsp}%)" in text
    assert f"80{nbsp}% of those without it are positive, 47{nbsp}% of those with it" in text
    assert "birads" not in text
    assert texts(results, "Missing data") == []


def test_calibration_only_where_its_interval_excludes_the_right_value(results):
    timid = with_metric(results, "multilayer", "calibration_slope", value=1.8, low=1.2, high=2.4)
    timid = with_metric(timid, "multilayer", "calibration_intercept", value=0, low=-1, high=1)
    (text,) = texts(timid, "Calibration")
    assert "slope of multilayer fusion is 1.800 (1.200 to 2.400)" in text
    assert "too timid" in text
    assert "No recalibration was fitted" in text
    assert "intercept" not in text
    extreme = with_metric(timid, "multilayer", "calibration_slope", value=0.5, low=0.3, high=0.8)
    assert "too extreme" in texts(extreme, "Calibration")[0]
    fine = with_metric(timid, "multilayer", "calibration_slope", value=1.8, low=0.9, high=2.4)
    assert texts(fine, "Calibration") == []
    mapped = with_config(timid, validation={"recalibration": "platt"})
    assert "No recalibration" not in texts(mapped, "Calibration")[0]


def test_thresholds_far_apart_are_told_by_fold(results):
    rows = results.predictions[results.predictions["model"] == "multilayer"]
    (text,) = texts(results, "Thresholds")
    assert f"{rows['threshold'].min():.3f} to {rows['threshold'].max():.3f} in 5 folds" in text
    level = results.predictions.assign(threshold=0.5)
    assert texts(dataclasses.replace(results, predictions=level), "Thresholds") == []


def test_many_models_counts_tests_before_and_after_holm(results):
    (text,) = texts(results, "Many models")
    rows = results.comparisons[results.comparisons["test"] == "delong"].dropna(subset=["p"])
    plain, corrected = (rows["p"] < 0.05).sum(), (rows["p_holm"] < 0.05).sum()
    assert f"Of {len(rows)} tests between AUCs, {plain} have p < 0.05 and {corrected} still" in text
    assert text.startswith("14 models")


def test_trivial_features_are_a_limit_until_a_paired_test_says_otherwise(results):
    found = texts(results, "Trivial features")
    assert any("Colour, brightness and size of the ultrasound image" in text for text in found)
    better = results.comparisons.copy()
    floor = (better["family"] == "against trivial features") & (better["test"] == "delong")
    assert floor.sum() == 2
    better.loc[floor, ["estimate", "p"]] = (0.2, 0.001)
    assert texts(dataclasses.replace(results, comparisons=better), "Trivial features") == []
    none = results.comparisons.iloc[:0]
    assert texts(dataclasses.replace(results, comparisons=none), "Trivial features")


def test_validation_scheme_decides_what_is_said_of_splits_and_places(results):
    (text,) = texts(results, "No external set")
    assert "All patients are from one site" in text
    many = dataclasses.replace(results, flow=results.flow | {"sites": {"A": {}, "B": {}}})
    assert "all 2 sites" in texts(many, "No external set")[0]
    by_site = with_config(many, validation={"scheme": "site"})
    assert texts(by_site, "No external set") == []
    assert texts(results, "One run")
    held_out = with_config(results, validation={"scheme": "holdout"})
    assert "211 test patients" in texts(held_out, "One split")[0]
    repeated = with_config(results, validation={"repeats": 5})
    assert texts(repeated, "One run") == texts(repeated, "One split") == []


def test_subgroups_missing_or_small(results):
    none = dataclasses.replace(results, subgroups=results.subgroups.iloc[:0])
    assert "No subgroup was evaluated" in texts(none, "Subgroups")[0]
    rows = [
        ("site", level, "multilayer", "auc", 0.9, 0.8, 1.0, 20, 9, small, 0.5, "")
        for level, small in (("A", True), ("B", False))
    ]
    table = pd.DataFrame(rows, columns=list(SUBGROUPS))
    (text,) = texts(dataclasses.replace(results, subgroups=table), "Subgroups")
    assert "1 of 2 subgroups have fewer than 10 patients of a class (site A)" in text


def test_reader_says_in_how_many(results):
    (text,) = texts(results, "Reader")
    assert "filled in" not in text
    some = results.predictions
    some = some[(some["model"] != "birads") | (some["patient_id"] > "P011")]
    assert (
        "filled in 200 of 211 patients"
        in texts(dataclasses.replace(results, predictions=some), "Reader")[0]
    )


def test_predictions_from_elsewhere_get_no_limits_of_a_study(results):
    foreign = dataclasses.replace(results, provenance={})
    topics = {limit.topic for limit in limitations_of(foreign)}
    assert topics & {"One run", "No external set"} == set()
    assert "Sample size" in topics


def test_every_text_is_a_sentence_without_holes(results, clinical_only):
    for study in (results, load_results(*clinical_only)):
        for limit in limitations_of(study):
            assert limit.text[0].isupper() or limit.text[0].isdigit()
            assert limit.text.endswith(".")
            assert "nan" not in limit.text.split()
            assert "  " not in limit.text
