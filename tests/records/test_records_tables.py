import pytest

from axilla.records.errors import StudyError
from axilla.records.table_columns import read_results

COLUMNS = ("patient_id", "label")


def write(folder, content):
    path = folder / "predictions.csv"
    path.write_bytes(content)
    return path


def test_identifiers_stay_text(tmp_path):
    table = read_results(write(tmp_path, b"patient_id,label\n007,1\n"), COLUMNS)
    assert table["patient_id"].tolist() == ["007"]
    assert table["label"].tolist() == [1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff\xfe\x00",
        b"patient_id,label\n1,2,3,4\n1\n1,2,3,4,5\n",
        b'a,b\n"1,2\n3',
        b"c," * 500_000,
        b"patient_id,label\n1" + b",2" * 500_000,
    ],
    ids=["empty", "blank", "not text", "ragged", "open quote", "wide header", "wide row"],
)
def test_a_damaged_table_says_what_to_do(tmp_path, content):
    with pytest.raises(StudyError, match=r"predictions\.csv.*axilla run"):
        read_results(write(tmp_path, content), COLUMNS)


def test_a_missing_table_or_column_says_what_to_do(tmp_path):
    with pytest.raises(StudyError, match="no such file"):
        read_results(tmp_path / "predictions.csv", COLUMNS)
    with pytest.raises(StudyError, match="also label"):
        read_results(write(tmp_path, b"patient_id\n1\n"), COLUMNS)
