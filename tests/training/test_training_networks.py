"""Networks trained on images: one seed, one result; patients left out stay out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.networks import Network
from axilla.preprocessing.augment import random_views
from axilla.preprocessing.normalise import network_input
from axilla.records.types import HALVES
from axilla.training.heads.batched_training import shuffled_batches
from axilla.training.networks.fit_network import Bags, Recipe, fit_network, predict_network, restore
from axilla.training.networks.optimisation import Optimisation

CPU = torch.device("cpu")
SIDE_PX, PATIENTS = 32, 12
ADAM = Optimisation("adam", 1e-2, halve_every=10)
RECIPE = Recipe(
    *("plnet", ADAM),
    rate_factor=1.0,
    batch_size=4,
    pretrained=False,
    crop_min_area=0.6,
    outside_mask=0.4,
)
OWNER = np.array([0, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 9, 11])  # patient 10 has no image
TRAIN, WATCH, OTHERS = (0, 1, 2, 3, 4, 5), (6, 7, 10), (8, 9, 11)


def bags(modality="ultrasound"):
    rng = torch.Generator().manual_seed(3)
    shape = (len(OWNER), 2 if modality == "ultrasound" else 3, SIDE_PX, SIDE_PX)
    planes = torch.randint(0, 256, shape, generator=rng).to(torch.uint8)
    return Bags(planes, OWNER, (torch.arange(PATIENTS) % 2).float(), modality)


def fitted(material, recipe=RECIPE, *, seed=5, watch=WATCH, checkpoints=(1, 2), train=TRAIN):
    return fit_network(
        recipe, material, train, watch=watch, checkpoints=checkpoints, seed=seed, device=CPU
    )


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def spoiled(material, patients):
    planes, labels = material.planes.clone(), material.labels.clone()
    planes[material.of(patients)] = 255
    labels[list(patients)] = torch.nan
    return replace(material, planes=planes, labels=labels)


@pytest.mark.parametrize("modality", ["ultrasound", "pathology"])
def test_one_seed_is_one_network(modality):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, second = fitted(bags(modality)), fitted(bags(modality))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [kept.epochs for kept in first] == [1, 2]
    for a, b in zip(first, second, strict=True):
        assert equal(a.state, b.state)
        assert torch.equal(a.logits.nan_to_num(), b.logits.nan_to_num())
    assert not equal(first[-1].state, fitted(bags(modality), seed=6)[-1].state)
    assert not equal(first[0].state, first[1].state)


def test_patients_outside_training_never_reach_the_network():
    clean = fitted(bags())
    others = fitted(spoiled(bags(), OTHERS))
    for a, b in zip(clean, others, strict=True):
        assert equal(a.state, b.state)
        assert torch.equal(a.logits.nan_to_num(), b.logits.nan_to_num())
    watched = fitted(spoiled(bags(), WATCH))
    for a, b in zip(clean, watched, strict=True):
        assert equal(a.state, b.state)
        assert not torch.equal(a.logits.nan_to_num(), b.logits.nan_to_num())


def test_watching_changes_nothing_and_earlier_checkpoints_do_not_either():
    unwatched = fitted(bags(), watch=(), checkpoints=(2,))
    assert len(unwatched) == 1
    assert unwatched[0].logits.isnan().all()
    assert equal(unwatched[0].state, fitted(bags())[-1].state)


def test_only_watched_patients_with_images_get_a_logit():
    for kept in fitted(bags()):
        assert torch.isfinite(kept.logits).nonzero().flatten().tolist() == [6, 7]


def test_training_is_a_plain_pytorch_loop():
    material, seed = bags(), 5
    # Few steps: rounding, which Adam turns into whole steps, has no time to grow.
    recipe = replace(RECIPE, optimisation=replace(ADAM, halve_every=2))
    torch.manual_seed(seed)
    network, rng = Network("plnet"), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=ADAM.rate)
    images = torch.from_numpy(np.flatnonzero(np.isin(OWNER, TRAIN)))
    targets = torch.tensor([float(OWNER[i] % 2) for i in range(len(OWNER))])
    for epoch in range(1, 4):
        for group in optimiser.param_groups:
            group["lr"] = ADAM.rate * 0.5 ** ((epoch - 1) // 2)
        network.train()
        for batch in shuffled_batches(images, RECIPE.batch_size, rng):
            views = random_views(material.planes[batch], min_area=0.6, rng=rng)
            shown = network_input(views, "ultrasound", expects=HALVES, outside_mask=0.4)
            loss = binary_cross_entropy_with_logits(network(shown).logit, targets[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    (kept,) = fitted(material, recipe, checkpoints=(3,))
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(kept.state[name], tensor, rtol=1e-2, atol=2e-3)
    _, logits = predict_network(network, RECIPE, material, WATCH)
    torch.testing.assert_close(kept.logits, logits, rtol=1e-2, atol=1e-2, equal_nan=True)


def test_a_restored_network_says_what_its_checkpoint_said():
    material = bags()
    kept = fitted(material)[-1]
    network = restore(RECIPE, kept.state, device=CPU)
    _, logits = predict_network(network, RECIPE, material, WATCH)
    torch.testing.assert_close(logits, kept.logits, equal_nan=True)


def test_a_prediction_is_the_bags_mean_over_original_and_flip():
    material = bags()
    network = restore(RECIPE, fitted(material)[-1].state, device=CPU)
    embedding, logits = predict_network(network, RECIPE, material, range(PATIENTS))
    assert embedding.shape == (PATIENTS, 2, 128)
    network.eval()
    for patient in range(PATIENTS):
        images = material.planes[np.flatnonzero(np.isin(OWNER, patient))]
        if not len(images):
            assert embedding[patient].isnan().all()
            assert logits[patient].isnan()
            continue
        outputs = [
            network(network_input(view, "ultrasound", expects=HALVES, outside_mask=0.4))
            for view in (images, images.flip(-1))
        ]
        for number, output in enumerate(outputs):
            torch.testing.assert_close(embedding[patient, number], output.embedding.mean(0))
        mean = (outputs[0].logit.mean() + outputs[1].logit.mean()) / 2
        torch.testing.assert_close(logits[patient], mean, rtol=1e-4, atol=1e-5)


def test_a_prediction_does_not_depend_on_who_else_is_asked_for():
    material = bags()
    network = restore(RECIPE, fitted(material)[-1].state, device=CPU)
    together = predict_network(network, RECIPE, material, range(PATIENTS))
    for patient in (0, 1, 6):
        alone = predict_network(network, RECIPE, material, [patient])
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[patient], b[patient], rtol=1e-4, atol=1e-5)
            assert int(torch.isfinite(a.flatten(1) if a.dim() > 1 else a).sum()) > 0


def test_bfloat16_steps_learn_and_predictions_stay_in_single_precision():
    material = bags()
    half = replace(RECIPE, precision="bfloat16")
    (rounded,) = fit_network(
        half, material, TRAIN, watch=WATCH, checkpoints=(2,), seed=5, device=CPU
    )
    exact = fitted(material)[-1]
    assert {t.dtype for t in rounded.state.values()} == {t.dtype for t in exact.state.values()}
    assert not equal(rounded.state, exact.state)
    network = restore(RECIPE, rounded.state, device=CPU)
    _, logits = predict_network(network, RECIPE, material, WATCH)
    torch.testing.assert_close(logits, rounded.logits, equal_nan=True)
    torch.testing.assert_close(rounded.logits, exact.logits, rtol=0.1, atol=0.2, equal_nan=True)
