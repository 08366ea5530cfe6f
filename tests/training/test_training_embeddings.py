"""Embeddings of fixed networks: what the network says of each view, kept by what decides it."""

import numpy as np
import pytest
import torch

from axilla.config.study import PreprocessingSection
from axilla.models.backbones import find_backbone
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import resize_planes
from axilla.records.progress import Silent
from axilla.training.data.embeddings import (
    EmbeddingPlan,
    fixed_backbone,
    load_embeddings,
    store_embeddings,
)
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import Engine

OWNER = np.array([0, 2, 2, 3])
SECTION = PreprocessingSection(image_size_px=64, crops=0, outside_mask=0.4)


@pytest.fixture
def pixels(tmp_path):
    path = tmp_path / "pixels.npy"
    rng = np.random.default_rng(1)
    np.save(path, rng.integers(0, 256, (len(OWNER), 2, 64, 64), dtype=np.uint8))
    return Pixels("ultrasound", path, OWNER, patients=4, digest="pixels")


def embedded(pixels, name="squeezenet", *, settings=SECTION, pretrained=True, seed=1):
    plan = EmbeddingPlan(
        name, pixels, settings, pretrained=pretrained, seed=seed, cache=pixels.path.parent
    )
    store_embeddings([plan], Engine(torch.device("cpu"), None), progress=Silent())
    return plan.path, load_embeddings(plan.path, pixels)


@torch.no_grad()
def by_hand(name, network, planes):
    shown = network_input(
        planes, "ultrasound", expects=find_backbone(name).expects, outside_mask=0.4
    )
    return network.eval()(shown)


def test_each_view_is_embedded_and_bags_are_averaged(pixels):
    network = find_backbone("squeezenet").build()
    load_pretrained("squeezenet", network)
    _, out = embedded(pixels)
    assert out.shape == (4, 2, 512)
    assert out[1].isnan().all()
    planes = pixels.load()
    for number, view in enumerate((planes, torch.flip(planes, [3]))):
        images = by_hand("squeezenet", network, view)
        expected = torch.stack([images[0], images[1:3].mean(0), images[3]])
        torch.testing.assert_close(out[[0, 2, 3], number], expected, rtol=1e-3, atol=1e-4)


def test_a_network_of_fixed_side_gets_its_side(pixels):
    name = "timm:vit_tiny_patch16_224"
    _, out = embedded(pixels, name, pretrained=False)
    network = fixed_backbone(name, pretrained=False, seed=1)
    expected = by_hand(name, network, resize_planes(pixels.load(), 224)[:1])
    torch.testing.assert_close(out[0, 0], expected[0], rtol=1e-3, atol=1e-4)


def test_crops_come_after_the_served_views_and_from_the_seed(pixels):
    _, plain = embedded(pixels)
    section = SECTION.model_copy(update={"crops": 3})
    path, first = embedded(pixels, settings=section)
    assert first.shape == (4, 5, 512)
    torch.testing.assert_close(first[:, :2], plain, equal_nan=True)
    path.unlink()
    _, again = embedded(pixels, settings=section)
    assert torch.equal(again.nan_to_num(), first.nan_to_num())
    _, other = embedded(pixels, settings=section, seed=2)
    assert not torch.equal(other[:, 2:].nan_to_num(), first[:, 2:].nan_to_num())


def test_what_decides_an_embedding_names_its_file(pixels):
    changes = [
        {},
        {"name": "densenet121"},
        {"pretrained": False},
        {"pretrained": False, "seed": 2},
        {"settings": SECTION.model_copy(update={"outside_mask": 1.0})},
        {"settings": SECTION.model_copy(update={"mirror": False})},
        {"settings": SECTION.model_copy(update={"crops": 1})},
        {"settings": SECTION.model_copy(update={"crops": 1}), "seed": 2},
    ]
    paths = [embedded(pixels, **change)[0] for change in changes]
    assert len(set(paths)) == len(paths)
    assert embedded(pixels, seed=2)[0] == paths[0]  # nothing random is drawn


def test_without_mirror_images_only_the_image_itself_is_embedded(pixels):
    _, mirrored = embedded(pixels)
    _, plain = embedded(pixels, settings=SECTION.model_copy(update={"mirror": False}))
    assert plain.shape == (4, 1, 512)
    torch.testing.assert_close(plain, mirrored[:, :1], equal_nan=True)


def test_blocks_of_images_become_one_array_and_a_lost_one_is_made_again(pixels, monkeypatch):
    _, whole = embedded(pixels)
    monkeypatch.setattr("axilla.training.data.embeddings._BLOCK", 3)
    plan = EmbeddingPlan(
        "squeezenet", pixels, SECTION, pretrained=True, seed=1, cache=pixels.path.parent
    )
    first, second = plan.missing()
    assert (first.start, first.stop, second.start, second.stop) == (0, 3, 3, 4)
    first.run(torch.device("cpu"))
    assert plan.missing() == (second,)
    store_embeddings([plan], Engine(torch.device("cpu"), None), progress=Silent())
    assert plan.missing() == ()
    assert not first.path.exists()
    torch.testing.assert_close(
        load_embeddings(plan.path, pixels), whole, rtol=1e-4, atol=1e-5, equal_nan=True
    )


def test_a_kept_embedding_is_not_computed_again(pixels, monkeypatch):
    _, first = embedded(pixels)
    monkeypatch.setattr("axilla.training.data.embeddings.fixed_backbone", None)
    assert torch.equal(embedded(pixels)[1].nan_to_num(), first.nan_to_num())


@pytest.mark.parametrize("name", ["plnet", "timm:resnet10t"])
def test_a_random_start_is_its_seeds_alone(name):
    before = torch.random.get_rng_state()
    one, two, other = (fixed_backbone(name, pretrained=False, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not one.training
    first, second, third = (list(network.state_dict().values()) for network in (one, two, other))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, third, strict=True))
