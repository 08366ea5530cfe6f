"""A hospital's own headers and codes: read under our names, and named by its own in messages."""

import csv
from dataclasses import replace

import pytest

from axilla.cohort.cohort_reader import look_up_images, read_cases, read_cohort, read_table
from axilla.cohort.cohort_schema import CohortSchema, wanted_by
from axilla.records.errors import CohortError

CHINESE = {
    "patient_id": "住院号",
    "malignant": "病理结果",
    "ultrasound": "超声图像",
    "pathology": "病理图像",
    "age": "年龄",
    "birads": "分级",
    "site": "医院",
    "pathology_donor": "供者",
}
WORDS = {
    "malignant": {"良性": "0", "恶性": "1"},
    "birads": {"四C": "4c", "五": "5"},
    "her2": {"阳性": "positive", "阴性": "negative", "不详": ""},
    "split": {"外院": "external"},
    "site": {"甲": "BrEaST"},
}


@pytest.fixture
def hospital(study):
    """The small study, its headers and codes those of a hospital in China."""
    for n, row in enumerate(study.rows, start=2):
        study.set(
            n,
            malignant="恶性" if row["malignant"] == "1" else "良性",
            birads={"4c": "四C", "5": "五"}.get(row["birads"], row["birads"]),
            her2="阳性",
            split="",
        )
    study.set(3, her2="阴性").set(4, her2="不详").set(11, split="外院").set(5, site="甲")
    return study


def write(study, headers=CHINESE):
    study.write()
    path = study.root / "cohort.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        first, *rest = list(csv.reader(stream))
    with path.open("w", encoding="gb18030", newline="") as stream:
        csv.writer(stream).writerows([[headers.get(c, c) for c in first], *rest])
    return study.root


def mapped(paired, columns=CHINESE, values=WORDS, **changes):
    changes.setdefault("clinical", {"her2": "category"})
    return paired(cohort={"columns": columns, "values": values}, **changes)


def findings(config, root):
    return read_table(root / "cohort.csv", wanted_by(config)).findings


def test_everything_is_read_as_from_a_table_in_our_words(paired, hospital):
    cohort = read_cohort(mapped(paired), write(hospital))
    assert [patient.label for patient in cohort] == [0] * 5 + [1] * 5
    assert [patient.reader_positive for patient in cohort][5:] == [True] * 5
    her2 = [patient.clinical["her2"] for patient in cohort]
    assert her2 == ["positive", "negative", None, *["positive"] * 7]
    assert [patient.split for patient in cohort][-2:] == ["development", "external"]
    assert cohort.patients[0].patient_id == hospital.rows[0]["patient_id"]
    assert cohort.patients[3].site == "BrEaST"
    assert cohort.patients[0].clinical["age"] == float(hospital.rows[0]["age"])
    assert all(patient.ultrasound and patient.pathology for patient in cohort)


def test_images_are_looked_up_under_the_hospitals_headers(paired, hospital):
    ids = {row["patient_id"] for row in hospital.rows}
    wanted = wanted_by(mapped(paired))
    found = look_up_images(write(hospital) / "cohort.csv", wanted, patients=ids)
    assert {len(images.files["ultrasound"]) for images in found.values()} == {1}
    assert found.keys() == ids


@pytest.mark.parametrize("asked", ["年龄", " 年龄 ", "AGE  (Years)", "Ａｇｅ (years)"])  # noqa: RUF001
def test_case_width_and_spaces_of_a_header_do_not_matter(paired, study, asked):
    header = "年龄" if "年龄" in asked else "Age (years)"
    root = write(study, {"age": header})
    config = mapped(paired, {"age": asked}, {}, clinical={"age": "number"})
    assert read_cohort(config, root).patients[0].clinical["age"] == float(study.rows[0]["age"])


def test_messages_name_the_hospitals_header_and_cell(paired, hospital):
    hospital.set(3, her2="可疑").set(4, her2="弱")
    values = {**WORDS, "her2": {**WORDS["her2"], "弱": "weak"}}
    headers = {**CHINESE, "her2": "HER2状态"}
    config = mapped(paired, headers, values)
    with pytest.raises(CohortError) as caught:
        read_cohort(config, write(hospital, headers))
    first, second = caught.value.problems
    assert first.place == "cohort.csv, row 3, column her2 ('HER2状态')"
    assert first.found == "'可疑'"
    assert '[cohort.values] her2 = { "可疑" = "..." }' in first.remedy
    assert (second.found, second.expected) == (
        *("'weak', written '弱'", "positive, negative or an empty cell"),
    )


def test_outcome_codes_without_a_meaning_name_the_header(paired, hospital):
    values = {**WORDS, "malignant": {"恶性": "1", "良": "0"}}
    hospital.set(2, malignant="不典型")
    found = findings(mapped(paired, values=values), write(hospital))
    unused, refused = (f for f in found if f.code in ("value_mapping", "outcome"))
    assert refused.problem.place == "cohort.csv, column malignant ('病理结果')"
    assert refused.problem.found == "'不典型', '良性', '1'"
    assert "[cohort.values] malignant" in refused.problem.remedy
    assert (unused.severity, unused.problem.place) == (
        *("warning", "study.toml, cohort.values.malignant"),
    )
    assert unused.problem.found == "'良', which no cell says"
    assert "'不典型', '良性', '恶性'" in unused.problem.expected


def test_faults_of_the_mapping_come_all_at_once_and_only_once(paired, hospital):
    columns = {**CHINESE, "age": "年齢", "ki67": "医院", "er": "供者"}
    columns |= {"pathology_mpp": "site", "pr": "split"}
    values = {
        **WORDS,
        "her3": {"1": "positive"},
        "age": {"老": "80"},
        "split": {"1": "", "1.0": "x"},
    }
    hospital.set(2, pr="x")
    found = findings(mapped(paired, columns, values), write(hospital))
    mapping = [f for f in found if f.problem.place.startswith("study.toml, cohort")]
    said = [(f.code, f.problem.place.removeprefix("study.toml, cohort."), f.problem.found)
            for f in mapping if f.severity == "error"]  # fmt: skip
    assert said == [
        ("column_missing", "columns.age", "no column '年齢'"),
        ("column_missing", "columns.pathology_mpp", "no column 'site'"),
        ("column_mapping", "columns", "site and ki67 = '医院'"),
        ("column_mapping", "columns", "pathology_donor and er = '供者'"),
        ("column_mapping", "columns.pr", "'split', while cohort.csv has a column 'pr' too"),
        ("value_mapping", "values.split", "'1' = '' and '1.0' = 'x'"),
        ("column_missing", "values.her3", "no column 'her3'"),
    ]
    assert mapping[0].problem.remedy == "Did you mean 年龄?"
    # Columns that only a mapping would have brought are not reported a second time.
    assert not [f for f in found if f.code == "column_missing" and f not in mapping]


def test_a_header_that_has_been_renamed_is_asked_for_by_our_name(paired, hospital):
    found = findings(mapped(paired, clinical={"年龄": "number"}), write(hospital))
    (missing,) = [f for f in found if f.code == "column_missing"]
    assert missing.problem.place == "study.toml, clinical.年龄"
    assert missing.problem.remedy == "Did you mean age?"


def test_two_columns_may_swap_names(paired, study):
    root = study.set(2, age="44", birads="4").write()
    config = mapped(paired, {"age": "birads", "birads": "age"}, {}, reader={"positive": ["44"]},
                    clinical={"her2": "category"})  # fmt: skip
    study.set(2, her2="").write()
    first = read_table(root / "cohort.csv", wanted_by(config)).patients[0]
    assert (first.clinical["age"], first.reader_positive) == (4.0, True)


def test_cases_to_predict_are_read_without_a_mapping_unless_one_is_given(hospital):
    wanted = CohortSchema(modalities=("ultrasound",))
    with pytest.raises(CohortError, match="a column patient_id"):
        read_cases(write(hospital) / "cohort.csv", wanted)
    given = replace(wanted, columns=CHINESE, values=WORDS)
    assert len(read_cases(hospital.root / "cohort.csv", given)) == 10
