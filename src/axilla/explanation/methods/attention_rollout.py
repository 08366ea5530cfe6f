"""Gradient attention rollout of transformers, signed."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from axilla.explanation.methods.class_activation import ExplainedBatch, Score


def attention_layers(network: nn.Module) -> tuple[nn.Module, ...]:
    """Return the self-attention layers of a plain vision transformer, in order; () of others.

    Known are torch's own layer, as torchvision's networks have it, and timm's. Attention within
    windows (Swin) has no matrix over the whole image and does not count.
    """
    return tuple(m for m in network.modules() if _is_torch(m) or _is_timm(m))


def rollout(
    network: nn.Module,
    images: torch.Tensor,
    *,
    layers: Sequence[nn.Module],
    score: Score,
) -> ExplainedBatch:
    """Follow relevance through all attention layers from the class token to the patches.

    `images` (B, K, S, S). Maps are (B, h, w) over the patches: what speaks for the outcome, minus
    what speaks against, each by Chefer et al., ICCV 2021, eq. 5 and 6, of the logit and of its
    negative. Networks that pool patches instead of a class token start from all patches alike.
    """
    with torch.enable_grad(), ExitStack() as stack:
        matrices: list[torch.Tensor] = []
        for layer in layers:
            stack.enter_context(_record_attention(layer, matrices))
        embedding = network(images.detach().requires_grad_())
        logits = score(embedding)
        gradients = torch.autograd.grad(logits.sum(), matrices)
    attentions = [matrix.detach() for matrix in matrices]
    for_outcome = _relevance(attentions, gradients, sign=1.0)
    against = _relevance(attentions, gradients, sign=-1.0)
    return ExplainedBatch(for_outcome - against, logits.detach())


def _relevance(
    attentions: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], *, sign: float
) -> torch.Tensor:
    count, tokens = attentions[0].shape[0], attentions[0].shape[-1]
    relevance = torch.eye(tokens).expand(count, -1, -1).to(attentions[0])
    for attention, gradient in zip(attentions, gradients, strict=True):
        weight = (sign * gradient * attention).relu().mean(1)
        relevance = relevance + weight @ relevance
    side = int(tokens**0.5)
    others = tokens - side * side  # class token, and registers beside it
    row = relevance[:, 0] if others else relevance.mean(1)
    return row[:, others:].reshape(count, side, side)


def _is_torch(module: nn.Module) -> bool:
    return isinstance(module, nn.MultiheadAttention) and module.batch_first


def _is_timm(module: nn.Module) -> bool:
    named = all(hasattr(module, name) for name in ("fused_attn", "attn_drop", "qkv"))
    return named and not hasattr(module, "window_size")


@contextmanager
def _record_attention(layer: nn.Module, into: list[torch.Tensor]) -> Iterator[None]:
    """Make a layer compute its attention matrix (B, heads, N, N) and append it to a list."""
    with _torch_recorded(layer, into) if _is_torch(layer) else _timm_recorded(layer, into):
        yield


@contextmanager
def _torch_recorded(layer: Any, into: list[torch.Tensor]) -> Iterator[None]:
    # torch returns a view of its matrix, through which no gradient flows: the layer is computed
    # here by its own weights.
    def attend(
        query: torch.Tensor, _key: torch.Tensor, _value: torch.Tensor, **_options: Any
    ) -> tuple[torch.Tensor, None]:
        count, tokens, width = query.shape
        joined = functional.linear(query, layer.in_proj_weight, layer.in_proj_bias)
        heads = joined.view(count, tokens, 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads.unbind(0)
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(layer.head_dim)
        into.append(scores.softmax(-1))
        gathered = (into[-1] @ values).transpose(1, 2).reshape(count, tokens, width)
        return layer.out_proj(gathered), None

    layer.forward = attend
    try:
        yield
    finally:
        del layer.forward


@contextmanager
def _timm_recorded(layer: Any, into: list[torch.Tensor]) -> Iterator[None]:
    # The fused kernel never forms the matrix.
    fused, layer.fused_attn = layer.fused_attn, False
    after = layer.attn_drop.register_forward_hook(lambda _m, _i, output: into.append(output))
    try:
        yield
    finally:
        layer.fused_attn = fused
        after.remove()
