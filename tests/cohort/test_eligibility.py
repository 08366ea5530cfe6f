"""Who leaves the study, by which criterion, and that the flow counts everybody once."""

from datetime import date

import pytest

from axilla.cohort.cohort_reader import read_cases, read_table
from axilla.cohort.cohort_schema import CohortSchema, wanted_by
from axilla.cohort.eligibility.criteria import inclusion_flow, screen
from axilla.cohort.eligibility.rules import RuleFault, decide, parse_rule
from axilla.cohort.tables.spreadsheet import Sheet, SheetRow
from axilla.cohort.values.dates import dates_in, read_date
from axilla.config.sections import EligibilitySection

PAPER = ("contralateral_history", "neoadjuvant", "bilateral_or_multiple", "exceeds_probe")


def sheet_of(**columns):
    count = len(next(iter(columns.values())))
    columns = {"patient_id": [f"p{i}" for i in range(count)], **columns}
    rows = tuple(
        SheetRow(i + 2, {name: cells[i] for name, cells in columns.items()}) for i in range(count)
    )
    return Sheet("cohort.csv", tuple(columns), rows)


def screened(sheet, labels=None, **section):
    wanted = CohortSchema(modalities=("clinical",), eligibility=EligibilitySection(**section))
    return screen(sheet, wanted, labels=labels or [0] * len(sheet.rows))


def verdicts(text, **columns):
    return list(decide(parse_rule(text), sheet_of(**columns))[0])


def test_each_patient_leaves_by_the_first_criterion_that_applies():
    sheet = sheet_of(
        age=["17", "50", "", "60", "70", "16"],
        neoadjuvant=["no", "yes", "no", "", "no", "yes"],
        contralateral_history=["0", "1", "0", "0", "", "0"],
        ultrasound_date=["2024-01-02"] * 6,
        biopsy_date=["2024-01-02", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-01", ""],
        surgery_date=["2024-01-09", "2024-01-09", "2024-01-17", "", "2024-01-09", "2024-01-09"],
    )
    screening, findings = screened(
        sheet, [1, 0, 1, 0, None, 1], include={"under 18": "age >= 18", "over 90": "age <= 90"}
    )
    assert [(e.reason, e.patients, e.positive, e.negative) for e in screening.excluded] == [
        ("contralateral breast cancer in the history", ("p1",), 0, 1),
        ("chemotherapy or radiotherapy before surgery", ("p5",), 1, 0),
        ("biopsy before the ultrasound examination", ("p4",), 0, 0),
        ("surgery not 7 to 14 days after the biopsy", (), 0, 0),
        ("under 18", ("p0",), 1, 0),
        ("over 90", (), 0, 0),
    ]
    assert screening.stays == (False, False, True, True, False, False)
    assert screening.not_assessed == {
        "contralateral breast cancer in the history": 0,
        "chemotherapy or radiotherapy before surgery": 1,
        "biopsy before the ultrasound examination": 0,
        "surgery not 7 to 14 days after the biopsy": 1,
        "under 18": 1,
        "over 90": 1,
    }
    assert [(f.code, f.severity, f.patients) for f in findings] == [
        *(("excluded", "warning", (p,)) for p in ("p1", "p5", "p4", "p0")),
        *(("eligibility", "warning", (p,)) for p in ("p3", "p3", "p2", "p2")),
    ]


@pytest.mark.parametrize(("days", "stays"), [(6, False), (7, True), (14, True), (15, False)])
def test_surgery_one_to_two_weeks_after_the_biopsy(days, stays):
    cells = {"biopsy_date": ["2024-02-20"], "surgery_date": [str(date(2024, 2, 20 + 0))]}
    cells["surgery_date"] = [date.fromordinal(date(2024, 2, 20).toordinal() + days).isoformat()]
    assert screened(sheet_of(**cells))[0].stays == (stays,)
    assert screened(sheet_of(**cells), paper=False)[0].stays == (True,)
    assert screened(sheet_of(**cells), surgery_days=(6, 15))[0].stays == (True,)


@pytest.mark.parametrize("text", ["1", "1.0", "Yes", "TRUE", "y", "是", "有", "+", "＋", "ja"])  # noqa: RUF001
def test_spellings_of_yes(text):
    assert screened(sheet_of(neoadjuvant=[text, "no"]))[0].stays == (False, True)


@pytest.mark.parametrize("text", ["0", "no", "False", "否", "无", "-", "−", "nein"])  # noqa: RUF001
def test_spellings_of_no(text):
    screening, findings = screened(sheet_of(exceeds_probe=[text]))
    assert screening.stays == (True,)
    assert not findings
    assert list(screening.not_assessed.values()) == [0]


def test_a_cell_that_is_neither_is_refused_and_an_unknown_one_stays():
    screening, findings = screened(sheet_of(neoadjuvant=["perhaps", "unknown", "no"]))
    refused = [f for f in findings if f.severity == "error"]
    assert [(f.code, f.problem.place) for f in refused] == [
        ("unknown_value", "cohort.csv, row 2, column neoadjuvant")
    ]
    assert "[cohort.values] neoadjuvant" in refused[0].problem.remedy
    assert screening.stays == (True, True, True)


def test_only_criteria_whose_columns_exist_are_applied():
    assert screened(sheet_of(biopsy_date=["2024-01-01"]))[0].not_assessed == {}


def test_nobody_left_and_impossible_days_are_errors():
    _, findings = screened(sheet_of(age=["17", "12"]), include={"under 18": "age >= 18"})
    assert findings[-1].code == "eligibility"
    assert "all 2 patients" in findings[-1].problem.found
    _, (finding,) = screened(sheet_of(age=["17"]), surgery_days=(14, 7))
    assert (finding.code, finding.severity) == ("eligibility", "error")


def test_the_study_reads_those_who_stay_and_needs_no_files_of_the_others(paired, study):
    study.set(2, neoadjuvant="是", pathology="gone.jpg", age="old").set(3, neoadjuvant="否")
    for n in range(2, 12):
        study.set(n, pathology_donor=f"d{n}")
    study.set(7, pathology_donor="d8", exceeds_probe="yes")
    root = study.write()
    config = paired(eligibility={"include": {"under 40": "age >= 40 or age is empty"}})
    wanted = wanted_by(config)
    reading = read_table(root / "cohort.csv", wanted)
    young = {r["patient_id"] for r in study.rows[1:] if r["age"] and float(r["age"]) < 40}
    out = {study.rows[0]["patient_id"], study.rows[5]["patient_id"]} | young
    assert [p.patient_id for p in reading.patients] == [
        r["patient_id"] for r in study.rows if r["patient_id"] not in out
    ]
    assert {listed.cell.patient_id for listed in reading.listed}.isdisjoint(out)
    assert reading.passed_over[:2] == (study.rows[0]["ultrasound"], "gone.jpg")
    assert len(reading.passed_over) == 2 * len(out)
    assert not [f for f in reading.findings if f.severity == "error"]
    flow = inclusion_flow(reading.patients, wanted.modalities, screening=reading.screening)
    assert flow["in_table"] == 10
    assert flow["labelled"] == flow["positive"] + flow["negative"] == 10 - len(out)
    assert sum(one["count"] for one in flow["excluded"]) == len(out)
    assert flow["excluded"][0] == {
        "reason": "chemotherapy or radiotherapy before surgery",
        "count": 1,
        "positive": 0,
        "negative": 1,
    }
    told = study.rows[1]["patient_id"] not in out
    open_cells = flow["not_assessed"]["chemotherapy or radiotherapy before surgery"]
    assert open_cells == 10 - len(out) - told


def test_cases_to_predict_are_not_screened(paired, study):
    root = study.set(2, neoadjuvant="yes").write()
    assert len(read_cases(root / "cohort.csv", wanted_by(paired()))) == 10
    assert len(read_table(root / "cohort.csv", wanted_by(paired())).patients) == 9


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("age >= 18", [False, True, None]),
        ("18 <= age < 50", [False, True, None]),
        ("not age >= 18", [True, False, None]),
        ("age == 49 or type == 'DCIS'", [True, True, None]),
        ("age == 49 and type == 'DCIS'", [False, False, False]),
        ("age >= 18 and type != 'DCIS'", [False, True, None]),
        ("type in ('dcis', \"ductal\")", [True, True, False]),
        ("type not in ['dcis']", [False, True, True]),
        ("age is empty", [False, False, True]),
        ("age is not empty", [True, True, False]),
        ("age is empty or age > 40", [False, True, True]),
        ("code = 1", [True, False, True]),
        ("code == 'yes'", [True, False, True]),
        ("seen >= 2024-03-01", [False, True, None]),
        ("seen < 2024-03-01 or seen is empty", [True, False, True]),
        ("`size in mm` <= 20", [True, False, True]),
        ("seen <= operated", [True, False, None]),
        ("((age > 5)) and (not (type == 'x'))", [True, True, None]),
        ("not not age > 17", [False, True, None]),
        ("age > -3.5e1", [True, True, None]),
    ],
)
def test_rules(rule, expected):
    columns = {
        "age": ["17", "49", ""],
        "type": ["DCIS", "ductal", "Lobular"],
        "code": ["1.0", "0", "TRUE"],
        "seen": ["2024/2/29", "1.3.2024", ""],
        "operated": ["20240301", "2024-02-28", "2024-02-28"],
        "size in mm": ["20", "20.5", "3"],
    }
    assert verdicts(rule, **columns) == expected


@pytest.mark.parametrize(
    ("rule", "found", "expected"),
    [
        ("", "the end at character 1", "a column"),
        ("age >=", "the end at character 7", "a column, number"),
        ("age 18", "'18' at character 5", "=="),
        ("age >= 18 18", "'18' at character 11", "'and'"),
        ("(age >= 18", "the end at character 11", "')'"),
        ("age >= 18)", "')' at character 10", "'and'"),
        ("age ≥ 18", "'≥' at character 5", "a column"),
        ("type < 'x'", "'<' with a text at character 6", "no order"),
        ("1 < 2", "'<' between two constants at character 3", "a column"),
        ("type in (ductal)", "column 'ductal' at character 10", "'text'"),
        ("type in ()", "')' at character 10", "'text'"),
        ("seen > 2024-02-30", "'2024-02-30' at character 8", "a day that exists"),
        ("age is 5", "'5' at character 8", "'empty'"),
        ("__import__('os')", "'(' at character 11", "=="),
        ("type == 'DCIS", '"\'" at character 9', "'text'"),
        ("(" * 60 + "age > 1" + ")" * 60, "'(' at character 42", "nested"),
        ("age > 1 or " * 400 + "age > 1", "a rule of 4407 letters", "at most 2000"),
    ],
)
def test_faults_of_rules_have_a_position(rule, found, expected):
    with pytest.raises(RuleFault) as caught:
        parse_rule(rule)
    assert found in caught.value.found
    assert expected in caught.value.expected


def test_rules_that_do_not_fit_the_table():
    sheet = sheet_of(age=["17", "old", "older"], histological_type=["a", "b", "c"])
    rules = {"one": "age >= 18", "two": "agee > 3", "three": "histological_type == DCIS"}
    screening, findings = screened(sheet, include=rules)
    errors = [f for f in findings if f.severity == "error"]
    assert {f.code for f in errors} == {"eligibility"}
    number, other, text, column = sorted((f.problem for f in errors), key=lambda p: p.place)
    assert (number.place, number.found) == ("cohort.csv, row 3, column age", "'old'")
    assert other.place == "cohort.csv, row 4, column age"
    assert (text.place, text.found) == (
        *("study.toml, eligibility.include.'three'", "no column 'DCIS' at character 22"),
    )
    assert column.found == "no column 'agee' at character 1"
    assert column.remedy == "Did you mean age?"
    assert screening.stays == (False, True, True)


@pytest.mark.parametrize(
    "text",
    ["2019-03-05", "2019/3/5", "2019.3.5", "05.03.2019", "5.3.2019", "20190305", "2019年3月5日",
     "2019-03-05 09:30:00", "2019-03-05T09:30", "43529", "5 Mar 2019", "05-MAR-2019",
     "２０１９年３月５日", "2019년 3월 5일", "05.03.2019 00:00"],
)  # fmt: skip
def test_dates_beyond_doubt(text):
    assert read_date(text) == date(2019, 3, 5)


@pytest.mark.parametrize(
    "text", ["03/05/2019", "05.03.19", "2019", "2019-13-01", "31.02.2019", "20191301", "5 Foo 2019"]
)
def test_no_dates(text):
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("cells", "read", "codes"),
    [
        (["03/05/2019", "25/03/2019", ""], [(2019, 5, 3), (2019, 3, 25), None], ["date_order"]),
        (["03/05/2019", "03/25/2019"], [(2019, 3, 5), (2019, 3, 25)], ["date_order"]),
        (["03/05/2019", "04/06/2019"], [None, None], ["unknown_value"]),
        (["03/05/2019", "25/03/2019", "03/25/2019"], [None, None, None], ["unknown_value"]),
        (["03/05/2019", "2019-03-25"], [None, (2019, 3, 25)], ["unknown_value"]),
        (["tomorrow", "na"], [None, None], ["unknown_value"]),
    ],
)
def test_day_and_month_are_never_guessed(cells, read, codes):
    dates, findings = dates_in(sheet_of(biopsy_date=cells), "biopsy_date")
    assert list(dates) == [d and date(*d) for d in read]
    assert [f.code for f in findings] == codes
