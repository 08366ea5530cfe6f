"""Cross-attention and the gated Kronecker product against other implementations; stacking."""

from functools import reduce

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits, multi_head_attention_forward

from axilla.models.fusion import CrossAttention, Gated, fusions
from axilla.models.fusion.cross_attention import HEADS, SHARED
from axilla.models.fusion.gated import DENSE, REDUCED

WIDTHS = pytest.mark.parametrize("widths", [(5, 3), (7, 4, 6)])
PATIENTS = 12


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def inputs(widths, seed=0):
    """Return embeddings, logits and presence in all combinations that leave something."""
    rng = torch.Generator().manual_seed(seed)
    count = 2 ** len(widths) - 1
    present = torch.tensor(
        [[bool((i % count + 1) >> m & 1) for m in range(len(widths))] for i in range(PATIENTS)]
    )
    embeddings = [torch.randn(PATIENTS, width, generator=rng) for width in widths]
    return embeddings, torch.randn(PATIENTS, len(widths), generator=rng), present


def made(strategy, widths, seed=1):
    torch.manual_seed(seed)
    head = strategy(widths)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    return head.eval()


def torchs_attention(head, tokens, usable):
    """Attend from tokens (M, D) to those that `usable` (M, M) allows, with a key of zeros."""
    answer, _ = multi_head_attention_forward(
        *[tokens.unsqueeze(1)] * 3,
        SHARED,
        HEADS,
        torch.cat([head.query.weight, head.key.weight, head.value.weight]),
        None,
        None,
        None,
        add_zero_attn=True,
        dropout_p=0.0,
        out_proj_weight=head.attended.weight,
        out_proj_bias=None,
        training=False,
        attn_mask=~usable,
        need_weights=False,
    )
    return answer.squeeze(1)


@torch.no_grad()
@WIDTHS
def test_cross_attention_is_torchs_own_over_the_others(widths):
    head, (embeddings, logits, present) = made(CrossAttention, widths), inputs(widths)
    out = head(embeddings, logits, present)
    for patient in range(PATIENTS):
        has = [m for m in range(len(widths)) if present[patient, m]]
        tokens = torch.stack([head.into_shared[m](embeddings[m][patient]) for m in has])
        others = ~torch.eye(len(has), dtype=torch.bool)
        asked = head.norm(tokens + torchs_attention(head, tokens, others))
        assert torch.allclose(out[patient], head.output(asked.mean(0)))


@torch.no_grad()
@WIDTHS
def test_cross_attention_adds_nothing_to_a_modality_on_its_own(widths):
    head, (embeddings, logits, present) = made(CrossAttention, widths), inputs(widths)
    for m in range(len(widths)):
        only = torch.zeros_like(present)
        only[:, m] = True
        expected = head.output(head.norm(head.into_shared[m](embeddings[m]))).squeeze(1)
        assert torch.allclose(head(embeddings, logits, only), expected)


@torch.no_grad()
def test_with_two_modalities_cross_attention_still_weighs_the_other():
    head, (embeddings, logits, present) = made(CrossAttention, (5, 3)), inputs((5, 3))
    everything = torch.ones_like(present)
    before = head(embeddings, logits, everything)
    head.key.weight.mul_(2)
    assert not torch.isclose(head(embeddings, logits, everything), before).any()


def affine(layer, x):
    return layer.weight.detach().numpy() @ x + layer.bias.detach().numpy()


@torch.no_grad()
@WIDTHS
def test_gated_is_a_kronecker_product_by_hand(widths):
    head, (embeddings, logits, present) = made(Gated, widths), inputs(widths)
    out = head(embeddings, logits, present)
    for patient in range(PATIENTS):
        clean = [z[patient].numpy() * bool(present[patient, m]) for m, z in enumerate(embeddings)]
        factors = []
        for m, x in enumerate(clean):
            hidden = np.maximum(affine(head.reduce[m], x), 0)
            gate = 1 / (1 + np.exp(-affine(head.gates[m], np.concatenate(clean))))
            kept = gate * hidden if present[patient, m] else np.zeros(REDUCED)
            factors.append(np.append(kept, 1.0))
        dense = np.maximum(affine(head.dense, reduce(np.kron, factors)), 0)
        assert dense.shape == (DENSE,)
        assert float(out[patient]) == pytest.approx(affine(head.output, dense)[0], rel=1e-9)


@torch.no_grad()
def test_gated_without_a_modality_reads_the_others_terms_only():
    head, (embeddings, logits, present) = made(Gated, (5, 3)), inputs((5, 3))
    first_only = torch.zeros_like(present)
    first_only[:, 0] = True
    before = head(embeddings, logits, first_only)
    grid = head.dense.weight.view(DENSE, REDUCED + 1, REDUCED + 1)
    grid[:, :, :-1] = torch.nan
    head.dense.weight.nan_to_num_(1e3)
    assert torch.equal(head(embeddings, logits, first_only), before)
    assert not torch.isclose(head(embeddings, logits, torch.ones_like(present)), before).any()


@WIDTHS
@pytest.mark.parametrize("name", fusions.names())
def test_stacked_heads_learn_what_each_would_alone(name, widths):
    heads = [made(fusions[name], widths, seed).train() for seed in range(3)]
    parameters, buffers = stack_module_state(heads)
    data = [inputs(widths, seed) for seed in range(3)]
    stacked = (
        [torch.stack([embeddings[m] for embeddings, _, _ in data]) for m in range(len(widths))],
        torch.stack([logits for _, logits, _ in data]),
        torch.stack([present for _, _, present in data]),
    )
    labels = (torch.arange(PATIENTS) % 2).double()

    def one(state, fixed, embeddings, logits, present):
        return functional_call(heads[0], (state, fixed), (embeddings, logits, present))

    together = vmap(one)(parameters, buffers, *stacked)
    if parameters:
        losses = binary_cross_entropy_with_logits(
            together, labels.expand(3, -1), reduction="none"
        ).mean(1)
        losses.sum().backward()
    for position in range(3):
        alone = made(fusions[name], widths, position).train()
        out = alone(*data[position])
        assert torch.allclose(together[position], out)
        if parameters:
            binary_cross_entropy_with_logits(out, labels).backward()
        for key, parameter in alone.named_parameters():
            gradient = parameters[key].grad[position]
            assert torch.isfinite(gradient).all(), key
            assert torch.allclose(gradient, parameter.grad, atol=1e-9), key
