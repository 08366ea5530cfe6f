"""Unimodal networks (paper 2.4.1), and joint networks of several modalities."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import dropout

from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.records.types import Modality

DROPOUT = 0.5


class NetworkOutput(NamedTuple):
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

    def forward(self, images: torch.Tensor) -> NetworkOutput:
        """Embed images (B, K, S, S) and give each a logit."""
        embedding = self.backbone(images)
        return NetworkOutput(embedding, self.classifier(self.dropout(embedding)).squeeze(1))


class JointOutput(NamedTuple):
    """The fused logit (B,), and the unimodal logits (B, M) read off the same embeddings."""

    fused: torch.Tensor
    unimodal: torch.Tensor


class JointNetwork(nn.Module):
    """One backbone per image modality, features as given for the others, one strategy over all.

    The unimodal classifiers are probes: they learn from an embedding without shaping it, except
    through a strategy that uses their logits (voting).
    """

    def __init__(self, strategy: str, modalities: Mapping[Modality, str | int]) -> None:
        """Build from each modality's backbone name, or the width of the features it comes with."""
        super().__init__()
        self.modalities = tuple(modalities)
        self.networks = nn.ModuleDict(
            {m: Network(name) for m, name in modalities.items() if isinstance(name, str)}
        )
        self.probes = nn.ModuleDict(
            {m: nn.Linear(width, 1) for m, width in modalities.items() if isinstance(width, int)}
        )
        widths = [self.classifier(modality).in_features for modality in self.modalities]
        self.fusion = fusions[strategy](widths)

    def classifier(self, modality: str) -> nn.Linear:
        """Return the linear neuron of one modality's own logit."""
        if modality not in self.probes:
            return self.network(modality).classifier
        probe = self.probes[modality]
        if not isinstance(probe, nn.Linear):
            raise TypeError(modality)
        return probe

    def network(self, modality: str) -> Network:
        """Return one image modality's network."""
        network = self.networks[modality]
        if not isinstance(network, Network):
            raise TypeError(modality)
        return network

    def embed(self, modality: str, inputs: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Embed the inputs (B, ...) of those who have the modality; zeros for the others."""
        if modality in self.probes:
            return inputs.nan_to_num()
        width = self.classifier(modality).in_features
        embedding = inputs.new_zeros(len(inputs), width)
        having = present.nonzero().squeeze(1)
        if not len(having):
            return embedding
        # Batch norm cannot train on one image alone; its double gives it a batch.
        shown = having.repeat(2) if self.training and len(having) == 1 else having
        seen = self.network(modality).backbone(inputs[shown])[: len(having)]
        return embedding.index_copy(0, having, seen.to(embedding.dtype))

    def fuse(self, embeddings: Sequence[torch.Tensor], present: torch.Tensor) -> JointOutput:
        """Fuse embeddings (B, D_m) of modalities that are `present` (B, M)."""
        probed = torch.stack(
            [
                self.classifier(modality)(embedding.detach()).squeeze(1)
                for modality, embedding in zip(self.modalities, embeddings, strict=True)
            ],
            dim=1,
        )
        voted = torch.stack(
            [
                self.classifier(modality)(embedding).squeeze(1)
                for modality, embedding in zip(self.modalities, embeddings, strict=True)
            ],
            dim=1,
        )
        rate = self.fusion.input_dropout
        dropped = [dropout(embedding, rate, training=self.training) for embedding in embeddings]
        return JointOutput(self.fusion(dropped, voted, present), probed)

    def forward(self, inputs: Sequence[torch.Tensor], present: torch.Tensor) -> JointOutput:
        """Embed and fuse inputs, one (B, ...) per modality, of which `present` (B, M) exist."""
        embeddings = [
            self.embed(modality, shown, present[:, place])
            for place, (modality, shown) in enumerate(zip(self.modalities, inputs, strict=True))
        ]
        return self.fuse(embeddings, present)
