"""Table 1: which columns of a hospital's table are in it, what they hold, and which make groups."""

import numpy as np
import pandas as pd
import pytest

from axilla.cohort.tables.spreadsheet import read_sheet
from axilla.evaluation.table1.table1_columns import (
    choose_columns,
    group_values,
    kind_of,
    patient_frame,
)
from axilla.records.errors import CohortError, ConfigError


def sheet_of(folder, text):
    (folder / "cohort.csv").write_text(text, encoding="utf-8")
    return patient_frame(read_sheet(folder / "cohort.csv"))


@pytest.mark.parametrize(
    ("column", "texts", "kind"),
    [
        ("grade", ["1", "2", "3"] * 4, "category"),
        ("hospital", ["101", "102"] * 3, "category"),
        ("flag", ["0", "1.0", "1", "0"], "category"),
        ("nodes", ["0", "1", "2", "3", "4", "5"] * 4, "number"),
        ("n = 5", ["44", "51", "63", "37", "70"], "number"),
        ("half", ["0.5", "1.5"] * 5, "number"),
        ("age", ["44", "44", "51", "51"], "number"),
        ("ki67", ["<14%", ">=14%"] * 4, "category"),
        ("birads", ["4a", "4", "5", "2"] * 3, "category"),
        ("nothing", [], "category"),
    ],
)
def test_what_a_column_holds(column, texts, kind):
    assert kind_of(column, texts) == kind


def everything(patients=40):
    rng = np.random.default_rng(1)
    lines = ["patient_id,alnm,us,date,er,empty,same,age,mrn,free text,typo,roi_left,变量"]
    for i in range(patients):
        typo = '"53,5"' if i == 7 else f"{i}.5"
        er, variable = rng.choice(["positive", "NA"]), rng.choice(["阳性", "阴性"])
        lines.append(
            f"P{i},{i % 2},images/{i}.png,2024-01-{1 + i % 28:02d},{er},,x,{30 + i},"
            f"{90_000 + 37 * i},says {i},{typo},{i},{variable}"
        )
    return "\n".join(lines) + "\n"


def test_columns_are_left_out_for_a_reason(tmp_path):
    text = everything().replace("NA", "negative", 5)
    frame = sheet_of(tmp_path, text)
    chosen = choose_columns(frame, {"alnm": "it makes the groups"}, source="cohort.csv")
    assert chosen.kinds == {"er": "category", "age": "number", "变量": "category"}
    assert chosen.left_out == {
        "patient_id": "an identifier",
        "alnm": "it makes the groups",
        "us": "paths of files",
        "date": "dates",
        "empty": "empty",
        "same": "always 'x'",
        "mrn": "an identifier",
        "free text": "text of 40 different values",
        "typo": "numbers, but '53,5' in row 9",
        "roi_left": "a place in an image",
    }


def test_ages_that_all_differ_are_no_identifier(tmp_path):
    text = "patient_id,alnm,age\n" + "".join(f"P{i},{i % 2},{20 + i}\n" for i in range(60))
    chosen = choose_columns(sheet_of(tmp_path, text), {}, source="cohort.csv")
    assert chosen.kinds == {"alnm": "category", "age": "number"}


def test_what_a_user_names_is_kept_in_that_order(tmp_path):
    frame = sheet_of(tmp_path, everything())
    chosen = choose_columns(
        frame, {}, source="cohort.csv", columns=["age", "same"], categories=["roi_left", "age"]
    )
    assert chosen.kinds == {"age": "category", "same": "category", "roi_left": "category"}


def test_a_number_that_is_none_is_reported_with_its_row(tmp_path):
    frame = sheet_of(tmp_path, everything())
    with pytest.raises(CohortError, match=r"row 9, column typo: found '53,5'.*decimal point"):
        choose_columns(frame, {}, source="cohort.csv", numbers=["typo"])


def test_unknown_columns_are_reported_at_once_with_the_nearest_name(tmp_path):
    frame = sheet_of(tmp_path, everything())
    with pytest.raises(ConfigError) as raised:
        choose_columns(frame, {}, source="cohort.csv", columns=["aeg"], numbers=["MRNN"])
    assert [problem.remedy for problem in raised.value.problems] == [
        "Did you mean age?", "Did you mean mrn?",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="'age' in both"):
        choose_columns(frame, {}, source="cohort.csv", numbers=["age"], categories=["age"])
    with pytest.raises(CohortError, match="no column to compare"):
        choose_columns(frame[["same", "us"]], {}, source="cohort.csv")


def test_groups_by_any_spelling_of_a_code(tmp_path):
    frame = sheet_of(tmp_path, "id,alnm\na,1\nb,1.0\nc,0\nd,Unknown\ne,no\nf,\n")
    groups = group_values(frame, "alnm", source="cohort.csv")
    assert [None if pd.isna(group) else group for group in groups] == [
        "1",
        "1",
        "0",
        None,
        "0",
        None,
    ]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["1", "1"], "only '1'"),
        (["", "NA"], "no value"),
        ([str(i) for i in range(11)], "11 different values"),
    ],
)
def test_columns_that_make_no_groups(tmp_path, cells, found):
    lines = "".join(f"P{i},{cell}\n" for i, cell in enumerate(cells))
    frame = sheet_of(tmp_path, f"patient_id,alnm\n{lines}")
    with pytest.raises(CohortError, match=f"column alnm: found {found}"):
        group_values(frame, "alnm", source="cohort.csv")


def test_a_patient_twice_is_refused(tmp_path):
    with pytest.raises(CohortError, match="row 4, column patient_id: found 'P1' again"):
        sheet_of(tmp_path, "patient_id,alnm\nP1,0\nP2,1\nP1,1\n")
