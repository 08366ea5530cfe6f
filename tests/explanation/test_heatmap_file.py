"""results/heatmaps: what is written comes back, and a file that is none of ours says so."""

import io

import numpy as np
import pytest

from axilla.explanation.heatmap_file import (
    Heatmap,
    HeatmapFile,
    Legend,
    file_name,
    patient_of,
    patients_in,
    read_heatmaps,
    read_legend,
    write_heatmaps,
    write_legend,
)
from axilla.records.errors import StudyError
from axilla.records.roi_rectangle import Roi


def some_maps(rng):
    values = rng.normal(size=(7, 7)).astype(np.float32)
    return HeatmapFile(
        {
            "ultrasound": Heatmap(values, Roi(-3, 4, 100, 80), image=1, decoy=-values),
            "pathology": Heatmap(values[:5, :6], Roi(0, 0, 224, 224)),
        }
    )


def test_maps_come_back_bit_by_bit(tmp_path):
    written = some_maps(np.random.default_rng(0))
    path = tmp_path / "heatmaps" / file_name("P001")
    write_heatmaps(path, written)
    read = read_heatmaps(path)
    assert set(read.maps) == {"ultrasound", "pathology"}
    for modality, heatmap in written.maps.items():
        again = read.maps[modality]
        np.testing.assert_array_equal(again.values, heatmap.values)
        assert again.values.dtype == np.float32
        assert (again.window, again.image) == (heatmap.window, heatmap.image)
    np.testing.assert_array_equal(read.maps["ultrasound"].decoy, -read.maps["ultrasound"].values)
    assert read.maps["pathology"].decoy is None
    with np.load(path) as arrays:  # the names that other programs read
        assert list(arrays["ultrasound_window"]) == [-3, 4, 100, 80]
        assert int(arrays["ultrasound_image"]) == 1


@pytest.mark.parametrize("patient_id", ["P001", "a/b", "..", "2024:7*?", "100%", "患者 1", "x."])
def test_names_of_files_tell_whose_they_are(tmp_path, patient_id):
    path = tmp_path / file_name(patient_id)
    assert path.parent == tmp_path
    write_heatmaps(path, some_maps(np.random.default_rng(1)))
    assert patient_of(path) == patient_id
    assert patients_in(tmp_path) == {patient_id: path}


def npy_bytes():
    stream = io.BytesIO()
    np.save(stream, np.zeros((7, 7)))
    return stream.getvalue()


def _without(name):
    def damage(path):
        with np.load(path) as arrays:
            kept = {key: arrays[key] for key in arrays.files if key != name}
        np.savez(path, **kept)

    return damage


def _with(**changed):
    def damage(path):
        with np.load(path) as arrays:
            kept = {key: arrays[key] for key in arrays.files}
        np.savez(path, **(kept | changed))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:200]),
        lambda path: path.write_text("hello"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(npy_bytes()),
        lambda path: np.savez(path, other=np.zeros(3)),
        _without("ultrasound_window"),
        _without("pathology_image"),
        _with(ultrasound=np.zeros(4, np.float32)),
        _with(ultrasound_window=np.array([0, 0, 0, 5])),
        _with(decoy_ultrasound=np.zeros((3, 3), np.float32)),
        _with(ultrasound=np.array([[None, "x"]], dtype=object)),
    ],
)
def test_damaged_files_are_named(tmp_path, damage):
    path = tmp_path / "P9.npz"
    write_heatmaps(path, some_maps(np.random.default_rng(2)))
    damage(path)
    with pytest.raises(StudyError, match=r"P9.npz.*axilla explain"):
        read_heatmaps(path)


def test_legend_comes_back(tmp_path):
    legend = Legend("fusion/multilayer", {"ultrasound": "gradcam"}, {"ultrasound": 0.25})
    write_legend(tmp_path, legend)
    assert read_legend(tmp_path) == legend


@pytest.mark.parametrize("text", [None, "{", "[]", '{"model": "x"}', '{"model": 1, "scale": 2}'])
def test_a_missing_or_bad_legend_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "explanation.json").write_text(text)
    with pytest.raises(StudyError, match=r"explanation.json.*axilla explain"):
        read_legend(tmp_path)
