"""Table 1: the paper's p-values from its counts, and every kind of column a hospital exports."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from axilla.evaluation.table1.formatting import count_text, in_order, number_texts, p_text, smd_text
from axilla.evaluation.table1.patient_table import table_one

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
