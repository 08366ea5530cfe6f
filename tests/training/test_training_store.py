"""Not one changed bit of a cached file goes unnoticed, and a full disk leaves nothing behind."""

import errno
import os

import numpy as np
import pytest
import torch

from axilla.records.errors import StudyError
from axilla.training.candidate_cache import save
from axilla.training.engine.cache_files import is_sealed, is_whole_array, store_file, write_array


def write_small_array(path):
    array = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    write_array(path, [array[:1], array[1:]], shape=array.shape, dtype=np.float32)
    return array


def write_small_result(path):
    save(path, {"0.x": torch.arange(5.0), "0.y": torch.tensor(3)}, {"rows": [["a", 0.1]]})


STORES = {
    "array": (write_small_array, is_whole_array),
    "result": (write_small_result, is_sealed),
}


@pytest.fixture(params=STORES)
def store(request):
    return STORES[request.param]


def test_a_stored_array_is_an_ordinary_npy(tmp_path):
    path = tmp_path / "new" / "a.npy"
    array = write_small_array(path)
    assert is_whole_array(path)
    for mode in (None, "r", "c"):
        np.testing.assert_array_equal(np.load(path, mmap_mode=mode), array)


def test_every_changed_bit_is_noticed(store, tmp_path):
    write, is_whole = store
    path = tmp_path / "file"
    write(path)
    whole = path.read_bytes()
    assert is_whole(path)
    for place in range(len(whole)):
        for bit in (1, 128):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            assert not is_whole(path), f"byte {place}"


def test_every_cut_is_noticed(store, tmp_path):
    write, is_whole = store
    path = tmp_path / "file"
    write(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert not is_whole(path), f"{length} bytes"


def test_what_is_no_file_or_someone_elses_is_not_whole(store, tmp_path):
    _, is_whole = store
    assert not is_whole(tmp_path / "nothing")
    assert not is_whole(tmp_path)
    np.save(tmp_path / "plain.npy", np.arange(100))
    assert not is_whole(tmp_path / "plain.npy")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_nothing(store, number, tmp_path, monkeypatch):
    write, _ = store

    def full(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="Make room") as caught:
        write(tmp_path / "trials" / "a")
    assert caught.value.problems[0].place == "trials/a"
    assert not list((tmp_path / "trials").iterdir())


def test_another_fault_of_the_disk_is_not_called_full(tmp_path):
    with pytest.raises(OSError, match="broken"), store_file(tmp_path / "a"):
        raise OSError(errno.EIO, "broken")


def test_a_folder_in_the_place_of_a_file_is_told(store, tmp_path):
    write, _ = store
    (tmp_path / "a").mkdir()
    with pytest.raises(StudyError, match="Delete the folder"):
        write(tmp_path / "a")
