"""Fusion strategies: several modalities of one patient become one logit.

Every strategy is built from the widths of its modalities' embeddings and called with
`embeddings`, one (B, D_m) per modality, `logits` (B, M) of the unimodal models, and `present`
(B, M) bool. What a missing modality holds never reaches the output, and in evaluation mode a
patient's logit never depends on who else is in the batch.
"""

from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import nn

from axilla.models.registry import Registry


class Fusion(nn.Module):
    """Base of all strategies; `input_dropout` is applied to the embeddings in training."""

    input_dropout: float = 0.0

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        raise NotImplementedError


def _is_strategy(entry: object) -> TypeGuard[type[Fusion]]:
    return isinstance(entry, type) and issubclass(entry, Fusion) and entry is not Fusion


fusions: Registry[type[Fusion]] = Registry(
    "fusion strategy",
    group="axilla.fusions",
    accepts=_is_strategy,
    wanted="a subclass of axilla.models.fusion.Fusion",
)


def blank_missing(embeddings: Sequence[torch.Tensor], present: torch.Tensor) -> list[torch.Tensor]:
    """Put zeros, the mean of a standardised embedding, where a modality is missing."""
    return [
        torch.where(present[:, position].unsqueeze(1), embedding, 0.0)
        for position, embedding in enumerate(embeddings)
    ]


def tokens_of(
    layers: nn.ModuleList, embeddings: Sequence[torch.Tensor], present: torch.Tensor
) -> torch.Tensor:
    """Bring each modality's embedding into the shared space: (B, M, shared)."""
    clean = blank_missing(embeddings, present)
    return torch.stack([layer(z) for layer, z in zip(layers, clean, strict=True)], dim=1)


def shares_of(scores: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Softmax over the modalities that are present (B, M); none present gives zeros."""
    floor = torch.finfo(scores.dtype).min
    shares = torch.softmax(torch.where(present, scores, floor), dim=1)
    return torch.where(present, shares, 0.0)
