"""A unimodal network: backbone, dropout, one linear neuron (paper 2.4.1)."""

from typing import NamedTuple

import torch
from torch import nn

from axilla.models.backbones import find_backbone

DROPOUT = 0.5


class Output(NamedTuple):
    """What a network says of a batch: embeddings (B, D) and logits (B,)."""

    embedding: torch.Tensor
    logit: torch.Tensor


class Network(nn.Module):
    """A backbone by name with dropout 0.5 and one linear neuron on top."""

    def __init__(self, name: str) -> None:
        super().__init__()
        spec = find_backbone(name)
        self.backbone = spec.build()
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(spec.embedding_dim, 1)

    def forward(self, images: torch.Tensor) -> Output:
        """Embed images (B, K, S, S) and give each a logit."""
        embedding = self.backbone(images)
        return Output(embedding, self.classifier(self.dropout(embedding)).squeeze(1))
