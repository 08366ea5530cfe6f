"""Ages from dates of birth, and columns by the paper's rules, against its Table 1 and by hand."""

import json
from datetime import date

import pytest

from axilla.cohort.cohort_reader import read_table
from axilla.cohort.cohort_schema import CohortSchema, wanted_by
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow
from axilla.cohort.values.ages import age_at, with_ages
from axilla.cohort.values.derived_columns import with_derived

AGED = CohortSchema(modalities=("clinical",), clinical={"age": "number"})


def sheet_of(**columns):
    count = len(next(iter(columns.values())))
    columns = {"patient_id": [f"p{i}" for i in range(count)], **columns}
    rows = tuple(
        SheetRow(i + 2, {name: cells[i] for name, cells in columns.items()}) for i in range(count)
    )
    return Sheet("cohort.csv", tuple(columns), rows)


def column(sheet, name):
    return [row.cells[name] for row in sheet.rows]


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        ((1970, 5, 3), (2023, 5, 2), 52),
        ((1970, 5, 3), (2023, 5, 3), 53),
        ((2000, 2, 29), (2023, 2, 28), 22),
        ((2000, 2, 29), (2023, 3, 1), 23),
        ((2000, 2, 29), (2024, 2, 29), 24),
        ((1999, 12, 31), (2000, 1, 1), 0),
    ],
)
def test_whole_years(born, day, years):
    assert age_at(date(*day), date(*born)) == years


def test_ages_are_counted_at_the_first_date_that_a_row_has():
    sheet = sheet_of(
        birth_date=["1970-06-15", "15.06.1970", "25734", "1970年6月15日", ""],
        ultrasound_date=["2023-06-14", "", "2023/6/15", "", "2023-01-01"],
        biopsy_date=["2024-01-01", "20230616", "", "", ""],
    )
    aged, findings = with_ages(sheet, AGED)
    assert column(aged, "age") == ["52", "53", "53", "", ""]
    assert not findings
    assert aged.columns == ("patient_id", "ultrasound_date", "biopsy_date", "age")
    assert aged.place("age", aged.rows[0]) == "cohort.csv, row 2, column age ('birth_date')"


@pytest.mark.parametrize(
    ("text", "age"),
    [("53", "53"), ("53岁", "53"), ("53 y", "53"), ("053Y", "53"), ("53 years old", "53"),
     ("53歳", "53"), ("53세", "53"), ("53 лет", "53"), ("53 lat", "53"), ("53 Jahre", "53"),
     ("５３岁", "53"), ("648M", "54"), ("53.5 y.", "53.5"), ("old", "old"), ("", "")],
)  # fmt: skip
def test_spellings_of_an_age(text, age):
    assert column(with_ages(sheet_of(age=[text]), AGED)[0], "age") == [age]


def test_own_ages_stand_and_only_gaps_are_filled():
    sheet = sheet_of(
        age=["53岁", "", "40", "52"],
        birth_date=["1970-01-01"] * 4,
        surgery_date=["2023-03-01"] * 4,
    )
    aged, (conflict,) = with_ages(sheet, AGED)
    assert column(aged, "age") == ["53", "53", "40", "52"]
    assert (conflict.code, conflict.patients) == ("derived_conflict", ("p2",))


def test_a_date_of_birth_is_never_quoted_and_goes_no_further(paired, study):
    secrets = ["31.12.1871", "01.02.2031", "Feb 30 1971", "3/4/1961", "1962-07-08"]
    for row, secret in enumerate(secrets, start=2):
        study.set(row, birth_date=secret, biopsy_date="2023-01-01")
    study.columns.remove("age")
    wanted = wanted_by(paired())
    reading = read_table(study.write() / "cohort.csv", wanted)
    said = json.dumps([f.as_json() for f in reading.findings], ensure_ascii=False)
    everything = said + repr(reading.patients) + repr(reading.listed)
    for secret in secrets:
        assert secret not in everything
    wrong = [f for f in reading.findings if f.code == "unknown_value"]
    assert {f.problem.found for f in wrong} == {
        "an age of 151 years on the day of the examination",
        "an age of -9 years on the day of the examination",
        "text of the form 'xxx 00 0000'",
        "text of the form '0/0/0000' in row 5",
    }
    assert reading.patients[4].clinical["age"] == 60.0


def test_dates_of_birth_need_a_day_to_count_to_if_the_age_is_asked_for():
    sheet = sheet_of(birth_date=["1970-01-01"])
    aged, (missing,) = with_ages(sheet, AGED)
    assert missing.code == "column_missing"
    assert "biopsy_date" in missing.problem.expected
    assert column(aged, "age") == [""]
    nothing = CohortSchema(modalities=("ultrasound",))
    assert with_ages(sheet, nothing)[1] == ()
    assert "birth_date" not in with_ages(sheet, nothing)[0].columns


def test_asking_for_the_date_of_birth_is_refused(paired, study):
    study.set(2, birth_date="1970-01-01", biopsy_date="2023-01-01")
    wanted = wanted_by(paired(clinical={"birth_date": "category"}))
    reading = read_table(study.write() / "cohort.csv", wanted)
    (refused,) = [f for f in reading.findings if f.code == "column_missing"]
    assert refused.problem.remedy == "Dates of birth are read for the age only: ask for age."


def test_groups_and_subtypes_by_the_papers_rules():
    # er, pr, her2, subtype
    cases = [
        ("positive", "negative", "negative", "luminal"),
        ("negative", "Positive", "positive", "luminal"),
        ("positive", "", "", "luminal"),
        ("", "positive", "negative", "luminal"),
        ("negative", "negative", "positive", "her2_overexpression"),
        ("negative", "negative", "negative", "tnbc"),
        ("negative", "negative", "", ""),
        ("negative", "", "positive", ""),
        ("", "negative", "negative", ""),
        ("90%", "0 %", "negative", "luminal"),
        ("<1%", "0.5%", "positive", "her2_overexpression"),
        ("1%", "<10%", "", "luminal"),
        ("<10%", "0%", "negative", ""),
        (">1%", "", "", "luminal"),
        ("90", "negative", "negative", ""),  # a percentage, a score? not for us to say
    ]
    er, pr, her2, subtypes = (list(cells) for cells in zip(*cases, strict=True))
    ki67 = ["13.9", "14", "14%", "0", "", "101", "<14", *[""] * (len(cases) - 7)]
    sheet, findings = with_derived(sheet_of(er=er, pr=pr, her2=her2, ki67=ki67), AGED)
    assert column(sheet, "molecular_subtype") == subtypes
    groups = column(sheet, "ki67_group")
    assert groups[:7] == ["negative", "positive", "positive", "negative", "", "", ""]
    assert column(sheet, "er")[9:14] == ["positive", "negative", "positive", "<10%", "positive"]
    assert sheet.rows[9].written["er"] == "90%"
    assert not findings


def test_the_papers_subtypes_add_up_from_its_receptors():
    """Table 1: 167 luminal, 18 HER2 overexpression and 26 TNBC of 211 patients."""
    receptors = [("positive", "positive", "negative")] * 140
    receptors += [("positive", "negative", "positive")] * 15
    receptors += [("negative", "positive", "negative")] * 12
    receptors += [("negative", "negative", "positive")] * 18
    receptors += [("negative", "negative", "negative")] * 26
    er, pr, her2 = (list(cells) for cells in zip(*receptors, strict=True))
    subtypes = column(with_derived(sheet_of(er=er, pr=pr, her2=her2), AGED)[0], "molecular_subtype")
    counts = {name: subtypes.count(name) for name in ("luminal", "her2_overexpression", "tnbc")}
    assert counts == {"luminal": 167, "her2_overexpression": 18, "tnbc": 26}


def test_her2_from_scores_and_fish():
    sheet = sheet_of(
        her2_ihc=["0", "1+", "2+", "2+", "2+", "3+", "3", "(++)", "", "strong"],
        her2_fish=["", "", "positive", "negative", "", "negative", "", "+", "positive", ""],
    )
    wanted = CohortSchema(modalities=("clinical",), clinical={"her2": "category"})
    derived, (refused,) = with_derived(sheet, wanted)
    assert column(derived, "her2") == [
        *("negative", "negative", "positive", "negative", "", "positive", "positive"),
        *("positive", "", ""),
    ]
    assert (refused.code, refused.patients) == ("unknown_value", ("p9",))
    assert with_derived(sheet, AGED)[1] == ()


def test_a_subtype_of_the_tables_own_is_kept_and_checked():
    own = ["Luminal A", "luminal B (HER2+)", "HER2-enriched", "Triple negative", "tnbc", "other"]
    sheet = sheet_of(
        er=["positive", "positive", "negative", "negative", "positive", "positive"],
        pr=["negative"] * 6,
        her2=["negative", "positive", "positive", "negative", "negative", "negative"],
        molecular_subtype=own,
    )
    derived, (conflict,) = with_derived(sheet, AGED)
    assert column(derived, "molecular_subtype") == own
    assert (conflict.code, conflict.severity) == ("derived_conflict", "warning")
    assert conflict.patients == ("p4",)
    assert "'tnbc' in row 6, where the other columns say luminal" in conflict.problem.found


def test_ki67_as_fractions_is_refused():
    wanted = CohortSchema(modalities=("clinical",), clinical={"ki67": "number"})
    sheet = sheet_of(ki67=["0.1", "0.3", "1", "0.05", "0.9"])
    (refused,) = with_derived(sheet, wanted)[1]
    assert "from 0.05 to 1, which seem to be fractions" in refused.problem.found
    for cells in (["0.1", "0.3", "1", "0.05", "9"], ["0", "1", "1", "0", "0"], ["0.3%"] * 5):
        assert with_derived(sheet_of(ki67=cells), wanted)[1] == ()


def test_derived_columns_serve_as_clinical_columns_subgroups_and_rules(paired, study):
    for row in range(2, 12):
        study.set(row, er="negative", pr="negative", her2="positive", ki67=str(row))
    study.set(3, er="positive").set(4, her2="").set(11, ki67="30")
    config = paired(
        clinical={"ki67_group": "category", "molecular_subtype": "category"},
        evaluation={"subgroups": ["molecular_subtype"]},
        eligibility={"include": {"no luminal": "molecular_subtype != 'luminal'"}},
    )
    reading = read_table(study.write() / "cohort.csv", wanted_by(config))
    assert [f for f in reading.findings if f.severity == "error"] == []
    subtypes = [patient.clinical["molecular_subtype"] for patient in reading.patients]
    assert subtypes == ["her2_overexpression", None, *["her2_overexpression"] * 7]
    assert reading.patients[0].attributes["molecular_subtype"] == "her2_overexpression"
    groups = [patient.clinical["ki67_group"] for patient in reading.patients]
    assert groups == ["negative"] * 8 + ["positive"]
    assert reading.screening.not_assessed["no luminal"] == 1


@pytest.mark.parametrize("text", ["#N/A", "#REF!"])
def test_errors_of_excel_are_no_category(paired, study, text):
    config = paired(clinical={"note": "category"})
    reading = read_table(study.set(3, note=text).write() / "cohort.csv", wanted_by(config))
    (refused,) = [f for f in reading.findings if f.severity == "error"]
    assert refused.problem.place == "cohort.csv, row 3, column note"
