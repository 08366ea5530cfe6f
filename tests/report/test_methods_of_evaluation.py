"""The methods say how the evaluation was done, from the tables and settings that it had."""

import dataclasses

import pytest

from axilla.config.study import StudyConfig
from axilla.report.sections.methods import methods_of, methods_of_evaluation
from axilla.report.study_results import load_results


@pytest.fixture
def results(paired):
    return load_results(*paired)


def parts(results) -> dict[str, str]:
    return {part.topic: part.text for part in methods_of_evaluation(results)}


def test_tests_are_named_as_they_were_made(results):
    text = parts(results)["Comparisons"]
    families = results.comparisons["family"].nunique()
    assert f"in {families} families" in text
    assert "AUCs by DeLong's paired test, clustered by group" in text
    assert "accuracies by a paired t test between groups" in text
    alone = results.comparisons.assign(method="McNemar exact, Newcombe 1998 interval, 3 against 4")
    alone = parts(dataclasses.replace(results, comparisons=alone))["Comparisons"]
    assert "accuracies by McNemar's exact test" in alone


def test_subgroups_name_columns_bands_and_the_smallest(results):
    raw = results.config.model_dump()
    raw["evaluation"] |= {"subgroups": ["age"], "bands": {"age": [40, 50]}, "smallest_subgroup": 7}
    banded = dataclasses.replace(results, config=StudyConfig.model_validate(raw))
    text = parts(banded)["Subgroups"]
    assert "age is cut at 40 and 50" in text
    assert "fewer than 7 patients of a class" in text


def test_decision_curve_names_its_range(results):
    assert "from 5\N{NO-BREAK SPACE}% to 95\N{NO-BREAK SPACE}%" in parts(results)["Decision curve"]


def test_a_table_that_is_not_there_has_no_method(results):
    bare = dataclasses.replace(
        results,
        comparisons=results.comparisons.iloc[:0],
        subgroups=results.subgroups.iloc[:0],
        calibration=results.calibration.iloc[:0],
        decision_curve=results.decision_curve.iloc[:0],
    )
    assert list(parts(bare)) == ["Missing data"]


def test_missing_data_depend_on_the_models(results, clinical_only):
    assert "Fusion predicts from the modalities" in parts(results)["Missing data"]
    text = parts(load_results(*clinical_only))["Missing data"]
    assert "median of the training patients" in text
    assert "Fusion" not in text


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("half", "0.5 for every model."),
        ("youden", "highest Youden index"),
        ("sensitivity=0.95", "sensitivity of at least 0.95"),
        ("specificity=0.8", "specificity of at least 0.8"),
        ("net_benefit=0.2", "highest net benefit at a probability of 0.2"),
    ],
)
def test_every_threshold_rule_has_its_sentence(results, rule, said):
    raw = results.config.model_dump()
    raw["validation"] |= {"threshold": rule, "recalibration": "platt"}
    config = StudyConfig.model_validate(raw)
    methods = {part.topic: part.text for part in methods_of(config, metrics=results.metrics)}
    assert said in methods["Operating threshold"]
    assert "Platt's logistic map" in methods["Recalibration"]
