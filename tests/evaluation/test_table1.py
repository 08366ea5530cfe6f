"""Table 1: the paper's p-values from its counts, and every kind of column a hospital exports."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from axilla.cohort.sheets import read_sheet
from axilla.evaluation.table1.columns import (
    choose_columns,
    group_values,
    kind_of,
    patient_frame,
)
from axilla.evaluation.table1.table import table_one
from axilla.evaluation.table1.words import count_text, in_order, number_texts, p_text, smd_text
from axilla.records.errors import CohortError, ConfigError

# Peng et al., Front Oncol 2025;15:1591858 (CC BY), Table 1.
PAPER = pd.read_csv(
    Path(__file__).parent / "reference" / "paper_table1.csv", dtype=str, keep_default_na=False
)
# PR is printed as 0.534; its counts give 0.537.
PRINTED = dict(zip(PAPER["variable"], PAPER["p_reported"], strict=True)) | {"pr": "0.537"}


@pytest.fixture(scope="module")
def paper():
    """One row per patient; each variable expanded from its counts, independently of the others."""
    columns = {
        variable: np.repeat(
            [*rows["level"]] * 2,
            [*map(int, rows["alnm_positive"]), *map(int, rows["alnm_negative"])],
        )
        for variable, rows in PAPER.groupby("variable", sort=False)
    }  # fmt: skip
    return pd.DataFrame(columns, dtype=object), pd.Series(["1"] * 107 + ["0"] * 104)


def by_variable(table):
    return table.drop_duplicates("variable").set_index("variable")


@pytest.mark.parametrize("small", ["auto", "pearson"])
def test_the_papers_p_values_to_the_digits_printed(paper, small):
    frame, groups = paper
    table = by_variable(
        table_one(frame, groups, kinds=dict.fromkeys(frame, "category"), small=small)
    )
    assert set(table["test"]) == {"Pearson chi-square"}
    for variable, printed in PRINTED.items():
        ours = table.loc[variable, "p"]
        if printed == "<0.001":
            assert ours == "< 0.001"
        else:
            assert f"{float(ours):.{len(printed) - 2}f}" == printed


def test_the_papers_counts(paper):
    frame, groups = paper
    table = table_one(frame, groups, kinds=dict.fromkeys(frame, "category"))
    assert list(table.columns) == [
        "variable", "level", "overall", "0 (n = 104)", "1 (n = 107)", "missing", "p", "test", "smd",
    ]  # fmt: skip
    rows = table.set_index(["variable", "level"])
    for _, row in PAPER.iterrows():
        mine = rows.loc[(row["variable"], row["level"])]
        assert mine["1 (n = 107)"].split()[0] == row["alnm_positive"]
        assert mine["0 (n = 104)"].split()[0] == row["alnm_negative"]
    assert rows.loc[("her2", "positive"), "1 (n = 107)"] == "22 (20.6)"
    assert rows.loc[("her2", "positive"), "overall"] == "33 (15.6)"


def test_numbers_missing_values_and_order_of_groups():
    values = [1.0, 2, 3, 4, 5, None, 10, 20, 30, 40, 1000, np.nan, 7]
    groups = pd.Series(["T2"] * 6 + ["T10"] * 6 + [None])
    table = table_one(pd.DataFrame({"x": values}, dtype=object), groups, kinds={"x": "number"})
    (row,) = table.to_dict("records")
    assert list(table.columns)[3:5] == ["T2 (n = 6)", "T10 (n = 6)"]
    assert row["level"] == "median (IQR)"  # the 1000
    assert row["T2 (n = 6)"] == "3.0 (2.0 to 4.0)"
    assert row["T10 (n = 6)"] == "30.0 (20.0 to 40.0)"
    assert row["missing"] == "2 (1 / 1)"
    assert row["p"] == p_text(2 / 252)
    assert row["test"] == "Mann-Whitney"


def test_mean_and_sd_of_normal_groups():
    values = [41.0, 45, 50, 55, 59, 60, 65, 70, 75, 80]
    groups = pd.Series(["a"] * 5 + ["b"] * 5)
    table = table_one(pd.DataFrame({"age": values}), groups, kinds={"age": "number"})
    (row,) = table.to_dict("records")
    assert (row["level"], row["test"]) == ("mean ± SD", "Welch t")
    assert row["a (n = 5)"] == f"{np.mean(values[:5]):.1f} ± {np.std(values[:5], ddof=1):.1f}"


def test_columns_that_cannot_be_compared_say_why():
    frame = pd.DataFrame(
        {
            "empty number": [None] * 5,
            "empty": [None] * 5,
            "constant": ["a"] * 5,
            "constant number": [3.0] * 5,
            "one group": ["a", "b", None, None, None],
            "few": ["a", "b", "a", "b", "b"],
        },
        dtype=object,
    )
    groups = pd.Series(["x", "x", "y", "y", "y"])
    kinds = dict.fromkeys(frame, "category") | dict.fromkeys(
        ["empty number", "constant number"], "number"
    )
    table = by_variable(table_one(frame, groups, kinds=kinds))
    assert table["test"].to_dict() == {
        "empty number": "none: no values",
        "empty": "none: no values",
        "constant": "none: one value only",
        "constant number": "none: one value only",
        "one group": "none: values in one group only",
        "few": "Fisher exact",
    }
    assert (table.loc[table.index != "few", "p"] == "").all()
    assert table.loc["few", "p"] == "1.000"
    assert table.loc["empty", "missing"] == "5 (2 / 3)"
    assert table.loc["one group", "y (n = 3)"] == "0"


def test_a_text_among_numbers_is_refused():
    frame, groups = pd.DataFrame({"x": ["1", "two"]}), pd.Series(["a", "b"])
    with pytest.raises(ValueError, match="'two' is no number"):
        table_one(frame, groups, kinds={"x": "number"})


def test_clusters_add_a_column_only_where_they_tie_patients():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=40), "c": rng.choice(["u", "v"], 40)}, dtype=object)
    frame.loc[3, "x"] = None
    groups = pd.Series(rng.permutation(np.repeat(["a", "b"], 20)))
    kinds = {"x": "number", "c": "category"}
    alone = pd.Series([f"P{i}" for i in range(40)])
    plain = table_one(frame, groups, kinds=kinds)
    pd.testing.assert_frame_equal(table_one(frame, groups, kinds=kinds, clusters=alone), plain)
    tied = table_one(
        frame, groups, kinds=kinds, clusters=pd.Series([f"D{i % 12}" for i in range(40)])
    )
    assert list(tied.columns) == [*plain.columns[:7], "p_clustered", "test", "smd"]
    assert tied["p"].equals(plain["p"])
    tests = by_variable(tied)["test"]
    assert tests["x"].endswith("; clustered: Wald")
    assert tests["c"].endswith("; clustered: Rao-Scott")


def test_codes_are_one_level_however_they_are_written():
    frame = pd.DataFrame({"grade": ["1", "1.0", "2", "10", "3", 2.0]}, dtype=object)
    table = table_one(frame, pd.Series(list("ababab")), kinds={"grade": "category"})
    assert list(table["level"]) == ["1", "2", "3", "10"]
    assert list(table["overall"]) == ["2 (33.3)", "2 (33.3)", "1 (16.7)", "1 (16.7)"]


@pytest.mark.parametrize(
    ("p", "printed"),
    [(0.0009999, "< 0.001"), (0.001, "0.001"), (0.0004, "< 0.001"), (0.0461, "0.046"),
     (1.0, "1.000"), (0.0, "< 0.001"), (np.nan, "")],
)  # fmt: skip
def test_printed_p_values(p, printed):
    assert p_text(p) == printed


def test_printed_numbers():
    assert (smd_text(0.27812), smd_text(np.nan), smd_text(np.inf)) == ("0.278", "", "inf")
    assert (count_text(1, 8), count_text(0, 0)) == ("1 (12.5)", "0")
    for spread, decimals in ((250.0, 0), (10.2, 1), (1.23, 2), (0.03, 3), (1e-9, 6)):
        sample = np.array([-spread, 0, spread]) + 5
        _, (text,) = number_texts([sample], normal=True)
        assert len(text.split(" ")[0].partition(".")[2]) == decimals


def test_order_of_levels():
    assert in_order({"T10", "t2", "T1"}) == ["T1", "t2", "T10"]
    assert in_order({"10", "9", "-1", "0.5"}) == ["-1", "0.5", "9", "10"]
    assert in_order({"5", "4c", "4a", "4", "2"}) == ["2", "4", "4a", "4c", "5"]
    assert in_order({"阳性", "阴性", ""}) == sorted({"阳性", "阴性", ""})


# --- which columns, and what they hold --------------------------------------------------------


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
