from collections import Counter

import pytest

from axilla.evaluation.audit.reported_table import likeliest_digits, read_reported
from axilla.records.errors import ConfigError


@pytest.mark.parametrize(
    ("decimals", "digits"),
    [([4, 4, 3, 4], 4), ([3, 2], 3), ([3] * 10 + [4], 3), ([4] * 9 + [3], 4), ([2, 2], 2), ([], 0)],
)
def test_printed_digits_are_told_in_spite_of_lost_zeros(decimals, digits):
    assert likeliest_digits(Counter(decimals)) == digits


def read(tmp_path, text, name="reported.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_reported(path)


def test_lost_zeros_are_put_back(tmp_path):
    table = read(
        tmp_path,
        "model,precision,recall,f1,accuracy,auc\n"
        "a,0.625,0.7879,0.6842,0.6047,0.62\nb,1,0.5455,0,0.7126,0.719\n",
    )
    assert [str(f) for f in table.models[0].figures.values()] == [
        "0.6250", "0.7879", "0.6842", "0.6047",
    ]  # fmt: skip
    assert str(table.models[1].figures["precision"]) == "1.0000"
    assert str(table.models[0].auc) == "0.6200"


def test_a_column_may_be_printed_to_digits_of_its_own(tmp_path):
    rows = "".join(f"m{k},{60 + k}.{k}%,0.{7031 + 37 * k},0.{6001 + 7 * k}\n" for k in range(1, 8))
    table = read(tmp_path, f"model,accuracy,recall,precision\n{rows}")
    assert {model.figures["accuracy"].digits for model in table.models} == {3}
    assert {model.figures["recall"].digits for model in table.models} == {4}


def test_names_percentages_and_commas_of_other_papers(tmp_path):
    table = read(
        tmp_path,
        "Method;Acc (%);Sensitivity;PPV;F1-score;Specificity;NPV;AUROC;Remark\n"
        "a;73,4;75.8%;0,735;0,746;n/a;;0,702;best\n",
    )
    (model,) = table.models
    assert table.columns == ("precision", "recall", "f1", "accuracy", "specificity", "npv")
    assert table.ignored == ("Remark",)
    assert {k: str(v) for k, v in model.figures.items()} == {
        "accuracy": "0.734", "recall": "0.758", "precision": "0.735", "f1": "0.746",
    }  # fmt: skip
    assert str(model.auc) == "0.702"


MISTAKES = {
    "misspelt column": ("model,accuracy,recal\na,0.7,0.6\n", ["row 1", "recal", "recall?"]),
    "one figure": ("model,accuracy\na,0.7\n", ["row 1", "two or more of precision"]),
    "no shared denominator": ("model,precision,f1\na,0.7,0.6\n", ["accuracy or recall"]),
    "no model": ("accuracy,recall\n0.7,0.6\n", ["also model"]),
    "two names": ("model,recall,sensitivity\na,0.7,0.6\n", ["both mean recall"]),
    "percentage": ("model,accuracy,recall\na,73.4,0.6\n", ["row 2, column accuracy", "73.4%"]),
    "above 100 %": ("model,accuracy,recall\na,173.4%,0.6\n", ["173.4%", "at most 100%"]),
    "negative": ("model,accuracy,recall\na,-0.7,0.6\n", ["-0.7", "from 0 to 1"]),
    "interval": ("model,accuracy,recall\na,0.7 (0.6-0.8),0.6\n", ["single number"]),
    "repeated": ("model,accuracy,recall\na,0.7,0.6\na,0.8,0.6\n", ["row 3", "row 2 has too"]),
    "no name": ("model,accuracy,recall\n,0.7,0.6\n", ["row 2, column model", "name"]),
    "no rows": ("model,accuracy,recall\n", ["one row per model"]),
    "empty": ("", ["empty table"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_table_is_one_clear_error(name, tmp_path):
    text, words = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert "reported.csv" in message
    assert "patient" not in message
    for word in words:
        assert word in message


def test_every_wrong_cell_is_named_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "model,accuracy,recall\na,x,0.6\nb,0.5,7\n")
    assert len(caught.value.problems) == 2
