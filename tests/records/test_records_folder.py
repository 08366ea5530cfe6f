"""The results folder: a file appears whole or not at all; digests name content."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axilla.records.digests import digest_of, digest_of_files, seed_of
from axilla.records.errors import AxillaError, CohortError, Problem, StudyError
from axilla.records.estimate import Estimate
from axilla.records.run_folder import RunFolder, atomic, write_bytes
from axilla.records.table_columns import SPLITS, read_results


def write_half(path, fault):
    with atomic(path) as temporary:
        temporary.write_bytes(b"half")
        raise fault


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "table.csv"
    write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError):
        write_half(path, ZeroDivisionError)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["table.csv"]


def test_a_failed_first_write_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "a.bin", KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


def test_readers_see_the_old_content_until_the_block_ends(tmp_path):
    path = tmp_path / "a.csv"
    write_bytes(path, b"old")
    with atomic(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.suffix == path.suffix
        assert temporary.parent == path.parent
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_meet(tmp_path):
    with atomic(tmp_path / "a") as first, atomic(tmp_path / "a") as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_the_run_folder_keeps_the_contract_of_names(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.results == tmp_path / "results"
    assert folder.cache == tmp_path / "results" / "cache"
    assert folder.figures == tmp_path / "results" / "figures"
    assert folder.bundle == tmp_path / "results" / "bundle.axilla"
    assert folder.table("splits.csv") == tmp_path / "results" / "splits.csv"


def test_tables_survive_a_round_trip_to_the_last_bit(tmp_path):
    folder = RunFolder(tmp_path)
    table = pd.DataFrame(
        {"patient_id": ["007", "Ä b,c"], "repeat": 1, "fold": [1, 2], "role": "test"}
    ).assign(probability=[0.1 + 0.2, 1 / 3])
    folder.write_table("splits.csv", table)
    back = read_results(folder.table("splits.csv"), SPLITS)
    assert list(back["patient_id"]) == ["007", "Ä b,c"]
    assert list(back["probability"]) == [0.1 + 0.2, 1 / 3]
    assert b"\r" not in folder.table("splits.csv").read_bytes()


def test_a_missing_table_or_column_is_a_study_error(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(StudyError, match="axilla run"):
        read_results(folder.table("splits.csv"), SPLITS)
    folder.write_table("splits.csv", pd.DataFrame({"patient_id": ["1"], "fold": [1]}))
    with pytest.raises(StudyError, match="also repeat, role"):
        read_results(folder.table("splits.csv"), SPLITS)


def test_json_is_written_and_updated(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_json("provenance.json", {"b": 1, "a": "ä"})
    folder.update_json("provenance.json", {"a": 2, "c": [3]})
    text = folder.table("provenance.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"b": 1, "a": 2, "c": [3]}
    assert text.endswith("}\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_a_digest_does_not_depend_on_key_order(content):
    turned = dict(reversed(content.items()))
    assert digest_of(content) == digest_of(turned)
    assert digest_of(content) != digest_of(content, None)


def test_a_digest_is_the_same_in_every_process_and_forever():
    # printf '["a",{"b":[1,2.5]},null]' | b2sum -l 128
    known = "49b95cff81ebb990cbafa29375fd26ed"
    text = "from axilla.records.digests import *; print(digest_of('a', {'b': [1, 2.5]}, None))"
    other = [
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", text],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert other == [known, known]
    assert digest_of("a", {"b": [1, 2.5]}, None) == known


def test_the_digest_of_files_is_of_their_bytes_and_borders(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"ab")
    two.write_bytes(b"c")
    before = digest_of_files([one, two])
    assert before != digest_of_files([two, one])
    one.write_bytes(b"a")
    two.write_bytes(b"bc")
    assert digest_of_files([one, two]) != before
    one.rename(tmp_path / "renamed")
    (tmp_path / "renamed").write_bytes(b"ab")
    two.write_bytes(b"c")
    assert digest_of_files([tmp_path / "renamed", two]) == before


@given(st.lists(st.integers() | st.text(), max_size=4))
def test_a_seed_depends_on_its_parts_alone_and_fits_every_generator(parts):
    seed = seed_of(*parts)
    assert seed == seed_of(*parts)
    assert 0 <= seed < 2**63
    assert seed != seed_of(*parts, 0)


def test_seeds_of_neighbours_are_unlike():
    assert len({seed_of(2025, number) for number in range(1000)}) == 1000


def test_an_error_tells_every_problem_on_its_own_line():
    first = Problem("cohort.csv, row 3", "'x'", "positive or negative", "Mend it.")
    second = Problem("cohort.csv, row 4", "nothing", "a path")
    error = CohortError([first, second])
    assert error.problems == (first, second)
    assert str(error).splitlines() == [
        "cohort.csv, row 3: found 'x'; expected positive or negative. Mend it.",
        "cohort.csv, row 4: found nothing; expected a path.",
    ]
    assert AxillaError(first).problems == (first,)
    assert AxillaError("words").problems == ()
    assert AxillaError("words").exit_code == 1


def test_an_estimate_prints_with_its_interval():
    estimate = Estimate(0.87, low=0.81, high=0.92, n=211, n_positive=99, method="DeLong")
    assert str(estimate) == "0.870 (0.810 to 0.920)"
