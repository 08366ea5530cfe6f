"""Whatever happens to a bundle's bytes, reading it gives the bundle or one clear error."""

import io
import json
import pickle
import zipfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made import manifest_of
from safetensors.torch import load, save

from axilla.inference.bundle import Bundle, read_bundle, write_bundle
from axilla.inference.manifest import ModalityManifest, read_manifest
from axilla.inference.predictor import Predictor
from axilla.records.errors import BundleError

MANIFEST = manifest_of(None, (), study="Ä study", model="voting", threshold=0.1 + 0.2, patients=2)
TENSORS = {"a.weight": torch.arange(4.0) / 3, "a.count": torch.tensor(3)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "whole.axilla"
    write_bundle(Bundle(MANIFEST, TENSORS), path)
    return path.read_bytes()


def read(content, folder):
    path = folder / "read.axilla"
    path.write_bytes(content)
    return read_bundle(path)


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@settings(max_examples=300)
@given(data=st.data())
def test_a_changed_byte_changes_nothing_or_is_an_error(data, written, tmp_path_factory):
    changed = bytearray(written)
    place = data.draw(st.integers(0, len(written) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        bundle = read(bytes(changed), tmp_path_factory.mktemp("changed"))
    except BundleError:
        return
    # Dates and the card are free to change; contents are guarded by their checksums.
    assert bundle.manifest == MANIFEST
    assert all(torch.equal(bundle.tensors[name], tensor) for name, tensor in TENSORS.items())


@settings(max_examples=60)
@given(data=st.data())
def test_a_cut_bundle_is_an_error(data, written, tmp_path_factory):
    length = data.draw(st.integers(0, len(written) - 1))
    with pytest.raises(BundleError, match=r"read\.axilla"):
        read(written[:length], tmp_path_factory.mktemp("cut"))


@pytest.mark.parametrize("missing", ["manifest.json", "weights.safetensors"])
def test_a_missing_member_is_an_error(written, tmp_path, missing):
    parts = {name: content for name, content in members(written).items() if name != missing}
    with pytest.raises(BundleError):
        read(zipped(parts), tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"\xff", b"null", b'{"format": 1}', b'{"format": true}', b"[" * 100_000],
    ids=["empty", "list", "not UTF-8", "null", "bare", "true", "deep"],
)
def test_a_manifest_of_another_kind_is_an_error(written, tmp_path, manifest):
    with pytest.raises(BundleError):
        read(zipped(members(written) | {"manifest.json": manifest}), tmp_path)


@pytest.mark.parametrize("weights", [b"", b"x" * 100, pickle.dumps({"a": 1})])
def test_tensors_of_another_kind_are_an_error(written, tmp_path, weights):
    with pytest.raises(BundleError):
        read(zipped(members(written) | {"weights.safetensors": weights}), tmp_path)


def test_a_compressed_member_is_refused_before_it_is_unpacked(written, tmp_path):
    parts = members(written)
    assert read(zipped(parts), tmp_path).manifest == MANIFEST
    with pytest.raises(BundleError, match="damaged"):
        read(zipped(parts, zipfile.ZIP_DEFLATED), tmp_path)


def test_a_folder_is_no_bundle(tmp_path):
    with pytest.raises(BundleError):
        read_bundle(tmp_path)


def test_another_format_says_which_and_what_to_do(written, tmp_path):
    text = members(written)["manifest.json"].replace(b'"format": 1', b'"format": 2')
    with pytest.raises(BundleError, match=r"bundle format 2.*version that wrote it"):
        read(zipped(members(written) | {"manifest.json": text}), tmp_path)


AWKWARD = {
    "third": torch.tensor([1 / 3]),
    "half": torch.tensor([0.5, -2.0]),
    "huge": torch.tensor([1e30]),
    "edge of half": torch.tensor([65504.0]),
    "past half": torch.tensor([65520.0]),
    "tiny": torch.tensor([1e-30, 0.0]),
    "minus zero": torch.tensor([-0.0]),
    "infinite": torch.tensor([torch.inf]),
    "nan": torch.tensor([torch.nan, 0.5]),
    "whole numbers": torch.tensor([2**40]),
    "channels last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "turned": torch.rand(3, 5).T,
    "scalar": torch.tensor(7),
    "empty": torch.zeros(0, 3),
}


def test_half_precision_only_where_it_loses_nothing(tmp_path):
    path = tmp_path / "a.axilla"
    write_bundle(Bundle(MANIFEST, {f"x.{name}": tensor for name, tensor in AWKWARD.items()}), path)
    back = read_bundle(path).part("x")
    for name, tensor in AWKWARD.items():
        assert back[name].dtype == tensor.dtype, name
        assert back[name].shape == tensor.shape, name
        bits = back[name].contiguous().numpy().tobytes()
        assert bits == tensor.contiguous().numpy().tobytes(), name
    stored = load(members(path.read_bytes())["weights.safetensors"])
    halved = {name.removeprefix("x.") for name, t in stored.items() if t.dtype == torch.float16}
    assert {"half", "edge of half", "minus zero"} <= halved
    assert not halved & {"third", "huge", "past half", "tiny", "nan"}


def test_the_order_in_which_tensors_come_changes_no_byte(written, tmp_path):
    path = tmp_path / "turned.axilla"
    write_bundle(Bundle(MANIFEST, dict(reversed(TENSORS.items()))), path)
    assert path.read_bytes() == written
    again = read_bundle(path)
    write_bundle(again, path)
    assert path.read_bytes() == written


def test_numbers_of_the_manifest_survive_to_the_last_bit(written, tmp_path):
    assert read(written, tmp_path).manifest.threshold == 0.1 + 0.2


def test_the_manifest_is_read_alone_and_refused_alike(written, tmp_path):
    path = tmp_path / "a.axilla"
    parts = members(written)
    path.write_bytes(zipped(parts | {"weights.safetensors": b"damaged"}))
    assert read_manifest(path) == MANIFEST
    with pytest.raises(BundleError, match="do not belong together"):
        read_bundle(path)
    for manifest in (b"", b"[]", b'{"format": 2}'):
        path.write_bytes(zipped(parts | {"manifest.json": manifest}))
        with pytest.raises(BundleError, match=r"a\.axilla"):
            read_manifest(path)
    with pytest.raises(BundleError, match="no such file"):
        read_manifest(tmp_path / "missing.axilla")


def test_a_bundle_from_before_model_cards_is_read(written, tmp_path):
    parts = members(written)
    del parts["model_card.md"]
    assert read(zipped(parts), tmp_path).manifest == MANIFEST


def test_members_are_json_safetensors_and_the_card_and_nothing_else(written):
    parts = members(written)
    assert list(parts) == ["manifest.json", "model_card.md", "weights.safetensors"]
    assert save(load(parts["weights.safetensors"])) == parts["weights.safetensors"]


@pytest.mark.parametrize(
    "change",
    [
        {"image_size_px": 0},
        {"image_size_px": 10**9},
        {"roi_margin": 1e300},
        {"outside_mask": -1.0},
    ],
)
def test_preparation_that_no_study_has_is_an_error(written, tmp_path, change):
    manifest = json.loads(members(written)["manifest.json"])
    manifest["preprocessing"] |= change
    text = json.dumps(manifest).encode()
    with pytest.raises(BundleError, match="do not belong together"):
        read(zipped(members(written) | {"manifest.json": text}), tmp_path)


def test_an_encoder_of_another_kind_is_an_error():
    encoder = [{"name": "age", "median": 1, "mean": 1, "sd": 0, "kind": "number"}]
    part = ModalityManifest(modality="clinical", model="clinical/logistic", encoder=encoder)
    tensors = {"clinical.classifier.weight": torch.ones(1, 1)}
    bundle = Bundle(MANIFEST.model_copy(update={"modalities": (part,)}), tensors)
    with pytest.raises(BundleError, match="do not fit its networks"):
        Predictor(bundle)
