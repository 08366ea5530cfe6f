"""Bag pooling against the paper's equation, bag by bag, and what padding may never do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from axilla.models.pooling import BagHead, GatedAttention, pooled_by, pools, shares_in_bags
from axilla.records.errors import ConfigError

WIDTH = 6
EVERY = pytest.mark.parametrize("name", pools.names())


def made(name, *, seed=3):
    torch.manual_seed(seed)
    pool = pools[name](WIDTH).double()
    for parameter in pool.parameters():
        torch.nn.init.normal_(parameter, std=1.5)
    return pool


def bags(*sizes, seed=1):
    """Return padded bags (B, L, K) full of large numbers where nothing is held, and the mask."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.randn(len(sizes), max(sizes), WIDTH, generator=rng, dtype=torch.float64)
    held = torch.arange(max(sizes)) < torch.tensor(sizes).unsqueeze(1)
    return torch.where(held.unsqueeze(2), images, 1e6), held


def published(pool, bag):
    """Equations 7 and 9 of Ilse et al. for one bag (n, K), written out in NumPy."""
    v, u, w = (getattr(pool, n).weight.detach().numpy() for n in ("content", "gate", "score"))
    bias_v, bias_u = (getattr(pool, n).bias.detach().numpy() for n in ("content", "gate"))
    exponents = []
    for h in bag.numpy():
        gated = np.tanh(v @ h + bias_v) / (1 + np.exp(-(u @ h + bias_u)))
        exponents.append(np.exp((w @ gated).item()))
    shares = np.array(exponents) / sum(exponents)
    return sum(a * h for a, h in zip(shares, bag.numpy(), strict=True)), shares


def test_gated_attention_is_the_published_equation():
    pool = made("attention")
    images, held = bags(1, 4, 7)
    vectors, shares = pool(images, held)
    for row, (bag, mask) in enumerate(zip(images, held, strict=True)):
        vector, expected = published(pool, bag[mask])
        np.testing.assert_allclose(shares[row][mask].detach(), expected, rtol=1e-12)
        np.testing.assert_allclose(vectors[row].detach(), vector, rtol=1e-10)
    assert shares[2].max() > 0.3  # not merely a mean


def test_the_mean_is_the_mean():
    images, held = bags(2, 5)
    vectors, shares = made("mean")(images, held)
    torch.testing.assert_close(vectors[0], images[0, :2].mean(0))
    assert shares[1].tolist() == pytest.approx([0.2] * 5)
    assert not list(made("mean").parameters())


@EVERY
def test_a_bag_of_one_is_its_image_to_the_bit(name):
    images, held = bags(1, 1, 5)
    vectors, shares = made(name)(images, held)
    assert torch.equal(vectors[:2], images[:2, 0])
    assert shares[:2, 0].tolist() == [1.0, 1.0]


@EVERY
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, -1e300])
def test_what_is_masked_never_reaches_output_or_gradient(name, garbage):
    pool = made(name)
    images, held = bags(2, 5, 3)
    spoiled = torch.where(held.unsqueeze(2), images, garbage).requires_grad_()
    vectors, shares = pool(spoiled, held)
    expected = pool(images, held)
    assert torch.equal(vectors, expected.vectors)
    assert torch.equal(shares, expected.shares)
    assert not shares[~held].any()
    vectors.square().sum().backward()
    assert not spoiled.grad[~held].any()
    assert spoiled.grad[held].abs().min() > 0
    assert all(torch.isfinite(p.grad).all() for p in pool.parameters())


@EVERY
def test_order_and_padding_do_not_matter(name):
    pool = made(name)
    images, held = bags(5, 6)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    vectors, shares = pool(images, held)
    turned = pool(images[:, order], held[:, order])
    torch.testing.assert_close(turned.vectors, vectors)
    torch.testing.assert_close(turned.shares, shares[:, order])
    longer = pool(torch.cat([images, images], dim=1), torch.cat([held, held & False], dim=1))
    torch.testing.assert_close(longer.vectors, vectors)


@EVERY
def test_an_empty_bag_is_zeros_without_a_gradient_that_is_not_a_number(name):
    pool = made(name)
    images, held = bags(3, 3)
    held[0] = False
    vectors, shares = pool(images.requires_grad_(), held)
    assert not vectors[0].any()
    assert not shares[0].any()
    vectors.sum().backward()
    assert not images.grad[0].any()
    assert torch.isfinite(images.grad).all()


@EVERY
def test_gradients_are_those_of_finite_differences(name):
    pool = made(name)
    images, held = bags(1, 4, 3)
    images = torch.where(held.unsqueeze(2), images, 0.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pool(x, held).vectors, images)
    state = {n: p.detach().clone().requires_grad_() for n, p in pool.named_parameters()}

    def pooled(*values):
        given = dict(zip(state, values, strict=True))
        return torch.func.functional_call(pool, given, (images.detach(), held)).vectors

    if state:
        assert torch.autograd.gradcheck(pooled, tuple(state.values()))


@EVERY
def test_images_in_a_row_are_pooled_as_padded_ones_are(name):
    pool = made(name)
    sizes = (3, 1, 6, 2)
    images, held = bags(*sizes)
    vectors, shares = pool(images, held)
    owner = torch.arange(4).repeat_interleave(torch.tensor(sizes))
    order = torch.randperm(len(owner), generator=torch.Generator().manual_seed(2))
    rows, owner = images[held][order], owner[order]
    in_row = shares_in_bags(pool.scores(rows), owner, bags=5)
    torch.testing.assert_close(in_row, shares[held][order])
    pooled = pooled_by(in_row, rows, owner, bags=5)
    torch.testing.assert_close(pooled[:4], vectors)
    assert pooled[4].isnan().all()


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8))
def test_shares_add_up_to_one_however_far_scores_lie_apart(scores):
    shares = shares_in_bags(torch.tensor(scores), torch.zeros(len(scores), dtype=int), bags=1)
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert scores[int(shares.argmax())] == pytest.approx(max(scores), abs=1e-2)


def test_the_head_starts_as_one_without_a_pool_does():
    states = []
    for make in (lambda: torch.nn.Linear(WIDTH, 1), lambda: BagHead("attention", WIDTH).output):
        torch.manual_seed(5)
        states.append(make().state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_an_unknown_pooling_is_named_with_those_that_exist():
    assert pools["attention"] is GatedAttention
    with pytest.raises(ConfigError, match="mean, attention"):
        pools["atention"]
