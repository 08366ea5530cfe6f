"""Joint fusion: networks and strategy trained together, absent modalities never looked at."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from axilla.models.fusion import fusions
from axilla.training.fusion.joint_training import Features, JointInputs, fit_joint, predict_joint
from axilla.training.networks.fit_network import Bags, Recipe
from axilla.training.networks.optimisation import Optimisation

CPU = torch.device("cpu")
PATIENTS, SIDE_PX = 10, 32
LABELS = (torch.arange(PATIENTS) % 2).float()
WHOSE = {
    "ultrasound": np.array([0, 1, 1, 2, 3, 4, 5, 6, 8, 9]),  # 7 has none, 1 has two
    "pathology": np.array([0, 1, 2, 3, 4, 5, 7, 8, 9]),  # 6 has none
}
TRAIN = tuple(range(8))


def inputs(*, spoil=()):
    rng = torch.Generator().manual_seed(2)
    images = {}
    for modality, owner in WHOSE.items():
        shape = (len(owner), 2 if modality == "ultrasound" else 3, SIDE_PX, SIDE_PX)
        planes = torch.randint(0, 256, shape, generator=rng).to(torch.uint8)
        planes[np.isin(owner, spoil)] = 255
        images[modality] = ("plnet", Bags(planes, owner, LABELS, modality))
    values = torch.randn(PATIENTS, 3, generator=rng)
    values[[4, *spoil]] = torch.nan
    features = {"clinical": Features(values)}
    labels = LABELS.clone()
    labels[list(spoil)] = torch.nan
    return JointInputs(images, features, ("ultrasound", "pathology", "clinical"), labels)


def recipe(name):
    return Recipe(
        *(name, Optimisation("adamw", 1e-3, halve_every=5)),
        rate_factor=1.0,
        batch_size=4,
        pretrained=False,
        crop_min_area=0.6,
        outside_mask=0.4,
    )


def fitted(name, given, *, dropout=0.0, checkpoints=(1, 2)):
    return fit_joint(
        recipe(name),
        given,
        TRAIN,
        checkpoints=checkpoints,
        modality_dropout=dropout,
        seed=4,
        device=CPU,
    )


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", fusions.names())
def test_every_strategy_moves_its_networks_and_predicts_every_pattern(name):
    given = inputs()
    first, last = fitted(name, given, dropout=0.3)
    assert (first.epochs, last.epochs) == (1, 2)
    for modality in ("ultrasound", "pathology"):
        start = f"networks.{modality}.backbone.blocks.0.0.weight"
        assert not torch.equal(first.state[start], last.state[start])
    assert torch.isfinite(last.logits).all()
    assert set(last.withheld) == {
        *("ultrasound", "pathology", "clinical"),
        *("ultrasound+pathology", "ultrasound+clinical", "pathology+clinical"),
    }
    has = given.present
    for pattern, logits in last.withheld.items():
        shown = has & torch.tensor([m in pattern.split("+") for m in given.modalities])
        loses = shown.any(1) & (shown.sum(1) < has.sum(1))
        assert torch.equal(torch.isfinite(logits), loses)


def test_one_seed_is_one_result_and_nobodys_global_state():
    before = torch.random.get_rng_state()
    a, b = fitted("multilayer", inputs())[-1], fitted("multilayer", inputs())[-1]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(a.state, b.state)
    assert torch.equal(a.logits, b.logits)


def test_patients_outside_training_never_reach_the_networks():
    clean, spoiled = fitted("multilayer", inputs()), fitted("multilayer", inputs(spoil=(8, 9)))
    assert same(clean[-1].state, spoiled[-1].state)
    assert torch.equal(clean[-1].logits[:8], spoiled[-1].logits[:8])


def test_nobody_elses_images_change_a_prediction():
    given = inputs()
    network = given.network("multilayer", pretrained=False)
    together, _ = predict_joint(network, recipe("multilayer"), given)
    others = inputs(spoil=(8, 9))
    again, _ = predict_joint(network, recipe("multilayer"), others)
    torch.testing.assert_close(together[:8], again[:8])


def test_probes_do_not_shape_the_networks_but_voting_does():
    given = inputs()
    batch = torch.arange(4)
    for name, shaped in (("multilayer", False), ("voting", True)):
        network = given.network(name, pretrained=False)
        images = [torch.rand(4, 3, SIDE_PX, SIDE_PX) for _ in range(2)]
        features = given.features["clinical"].values[batch]
        output = network([*images, features], given.present[batch])
        output.unimodal.sum().backward()
        probed = network.network("ultrasound").backbone.blocks[0][0].weight.grad
        assert probed is None or not probed.any()
        output = network([*images, features], given.present[batch])
        if shaped:
            output.fused.sum().backward()
            assert network.network("ultrasound").backbone.blocks[0][0].weight.grad.any()


def test_what_a_missing_modality_holds_is_never_seen():
    given = inputs()
    owner = WHOSE["ultrasound"]
    name, bags = given.images["ultrasound"]
    strange = replace(bags, planes=bags.planes.flip(0), owner=owner[::-1].copy())
    same_bags = replace(given, images={**given.images, "ultrasound": (name, strange)})
    network = given.network("gated", pretrained=False)
    a, _ = predict_joint(network, recipe("gated"), given)
    b, _ = predict_joint(network, recipe("gated"), same_bags)
    torch.testing.assert_close(a, b)  # the order of images says nothing
    assert torch.isfinite(a[[4, 6, 7]]).all()
