"""Columns that only describe patients: read, typed, and refused where they cannot be used."""

from dataclasses import replace

import pytest

from axilla.cohort.cohort_reader import read_cases, read_cohort
from axilla.cohort.cohort_schema import wanted_by
from axilla.records.errors import CohortError

SUBGROUPS = ["site", "ultrasound_device", "age"]


def attributes(config, root):
    return [patient.attributes for patient in read_cohort(config, root)]


def refusals(config, root):
    with pytest.raises(CohortError) as caught:
        read_cohort(config, root)
    return caught.value.problems


def test_sample_attributes_are_the_tables_own_cells(paired, sample):
    config = paired(evaluation={"subgroups": SUBGROUPS, "table1": ["birads", "site"]})
    cohort = read_cohort(config, sample)
    first, second = cohort.patients[:2]
    assert dict(first.attributes) == {
        "site": "BUS-BRA",
        "ultrasound_device": "GE Logiq 5 @10-12MHz",
        "age": None,
        "birads": "4",
    }
    assert second.attributes["age"] == 74.0
    assert second.attributes["ultrasound_device"] is None
    assert all(patient.attributes["site"] == patient.site for patient in cohort)
    ages = [p.attributes["age"] for p in cohort if p.attributes["age"] is not None]
    assert (len(ages), min(ages), max(ages)) == (93, 18.0, 87.0)


def test_a_study_that_names_no_column_has_no_attributes(paired, study):
    assert attributes(paired(), study.write()) == [{}] * 10


def test_numbers_only_where_every_filled_cell_is_one(paired, study):
    for row, text in enumerate(["1", "2.5", "", "-3", "1e2", *"56789"], start=2):
        study.set(row, measure=text, mixed=text, empty="")
    root = study.set(11, mixed="2+").write()
    read = attributes(paired(evaluation={"table1": ["measure", "mixed", "empty"]}), root)
    assert [a["measure"] for a in read] == [1, 2.5, None, -3, 100, 5, 6, 7, 8, 9]
    assert [a["mixed"] for a in read][:5] == ["1", "2.5", None, "-3", "1e2"]
    assert {a["empty"] for a in read} == {None}


@pytest.mark.parametrize("word", ["NA", "n/a", "NaN", "NULL", "Unknown"])
def test_words_for_not_known_are_empty_cells(paired, study, word):
    for row in range(2, 12):
        study.set(row, bmi="25.5", ward="east")
    root = study.set(4, bmi=word, ward=word).write()
    evaluation = {"subgroups": ["bmi", "ward"], "bands": {"bmi": [25, 30]}}
    read = attributes(paired(evaluation=evaluation), root)
    assert read[1:3] == [{"bmi": 25.5, "ward": "east"}, {"bmi": None, "ward": None}]


def test_clinical_kind_site_and_groups_decide_what_a_code_is(paired, study):
    for row in range(2, 12):
        study.set(
            row, grade=str(row % 3), site=str(row % 2), pathology_donor=str(row), her2="NegatiVE"
        )
    config = paired(
        clinical={"age": "number", "grade": "category"},
        evaluation={"subgroups": ["grade", "site", "pathology_donor", "her2"]},
    )
    assert attributes(config, study.write())[0] == {
        "grade": "2",
        "site": "0",
        "pathology_donor": "2",
        "her2": "negative",
    }


@pytest.mark.parametrize("key", ["subgroups", "table1"])
def test_unknown_column_names_the_nearest(paired, study, key):
    (problem,) = refusals(paired(evaluation={key: ["ultrasound_devise"]}), study.write())
    assert problem.place == f"study.toml, evaluation.{key}"
    assert "no column 'ultrasound_devise'" in problem.found
    assert problem.remedy == "Did you mean ultrasound_device?"


@pytest.mark.parametrize(
    ("evaluation", "found", "remedy"),
    [
        (
            {"subgroups": ["age"], "bands": {"aeg": [40]}},
            "bands of 'aeg'",
            "Did you mean age?",
        ),
        ({"bands": {"age": [40]}}, "bands of 'age'", "Name it in subgroups"),
        ({"subgroups": ["age"], "bands": {"age": []}}, "no cut point", "As age = [40, 50]."),
        ({"subgroups": ["age"], "bands": {"age": [50, 40]}}, "50, 40", "As age"),
        ({"subgroups": ["age"], "bands": {"age": [40, 40]}}, "40, 40", "As age"),
        ({"subgroups": ["age"], "bands": {"age": [float("inf")]}}, "inf", "As age"),
        ({"subgroups": ["site"], "bands": {"site": [1]}}, "a name", "remove the bands"),
        (
            {"subgroups": ["ultrasound_device"], "bands": {"ultrasound_device": [5]}},
            "more cells",
            "each value is then a level",
        ),
        ({"subgroups": ["malignant"]}, "the outcome", "Remove it from subgroups."),
    ],
)
def test_bands_and_subgroups_that_cannot_be(paired, study, evaluation, found, remedy):
    study.set(2, ultrasound_device="GE 5").set(3, ultrasound_device="GE 7")
    (problem,) = refusals(paired(evaluation=evaluation), study.write())
    assert found in problem.found
    assert remedy in problem.remedy
    assert problem.place.startswith("study.toml, evaluation.")


def test_one_stray_text_is_named_where_it_stands(paired, study):
    for row in range(2, 12):
        study.set(row, bmi=str(20 + row))
    root = study.set(5, bmi="24,5").write()
    evaluation = {"subgroups": ["bmi"], "bands": {"bmi": [25]}}
    (problem,) = refusals(paired(evaluation=evaluation), root)
    assert problem.found == "'24,5' in row 5 of cohort.csv"


def test_cases_to_predict_need_none_of_it(paired, study):
    config = paired(evaluation={"subgroups": ["ward"], "table1": ["bmi"]})
    wanted = replace(wanted_by(config), subgroups=(), table1=())
    assert wanted.attributes == ()
    cases = read_cases(study.write() / "cohort.csv", wanted)
    assert [dict(case.attributes) for case in cases] == [{}] * 10
