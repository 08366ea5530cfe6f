"""Fusion strategies: several modalities of one patient become one logit.

Every strategy is built from the widths of its modalities' embeddings and called with
`embeddings`, one (B, D_m) per modality, `logits` (B, M) of the unimodal models, and `present`
(B, M) bool. What a missing modality holds never reaches the output, and in evaluation mode a
patient's logit never depends on who else is in the batch.
"""

from collections.abc import Sequence

import torch
from torch import nn

from axilla.models.registry import Registry

HIDDEN = 256
_SQUEEZE = 16


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


fusions: Registry[type[Fusion]] = Registry("fusion strategy")


@fusions.register("concatenation")
class Concatenation(Fusion):
    """Embeddings side by side, dropout 0.5, one linear neuron (Baltrusaitis 2019, sec. 3.1)."""

    input_dropout = 0.5

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        self.output = nn.Linear(sum(self.widths), 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        logit: torch.Tensor = self.output(
            torch.cat(_blank_missing(embeddings, present), dim=1)
        ).squeeze(1)
        return logit


@fusions.register("weighting")
class Weighting(Fusion):
    """Sum of embeddings in one space, each scaled by its modality's learned share (paper 2.4.4).

    The shares are a softmax over modalities, the same for all patients, spread anew over what a
    patient has.
    """

    input_dropout = 0.5

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        shared = min(self.widths)
        self.into_shared = nn.ModuleList(nn.Linear(width, shared) for width in self.widths)
        self.importance = nn.Parameter(torch.zeros(len(self.widths)))
        self.output = nn.Linear(shared, 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        tokens = _tokens(self.into_shared, embeddings, present)
        shares = _shares(self.importance.expand(present.shape), present)
        logit: torch.Tensor = self.output((shares.unsqueeze(2) * tokens).sum(1)).squeeze(1)
        return logit


@fusions.register("attention")
class Attention(Fusion):
    """Sum of embeddings in one space, each patient's shares computed by gated attention.

    Gated attention pooling over modalities (Ilse et al., ICML 2018, eq. 9).
    """

    input_dropout = 0.5

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        shared = min(self.widths)
        hidden = max(1, shared // 2)
        self.into_shared = nn.ModuleList(nn.Linear(width, shared) for width in self.widths)
        self.content = nn.Linear(shared, hidden)
        self.gate = nn.Linear(shared, hidden)
        self.score = nn.Linear(hidden, 1)
        self.output = nn.Linear(shared, 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        tokens = _tokens(self.into_shared, embeddings, present)
        gated = torch.tanh(self.content(tokens)) * torch.sigmoid(self.gate(tokens))
        shares = _shares(self.score(gated).squeeze(2), present)
        logit: torch.Tensor = self.output((shares.unsqueeze(2) * tokens).sum(1)).squeeze(1)
        return logit


@fusions.register("voting")
class Voting(Fusion):
    """Mean of the unimodal models' log-odds (Kittler et al., PAMI 1998, product rule, eq. 7)."""

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del embeddings
        votes = torch.where(present, logits, 0.0)
        return votes.sum(1) / present.sum(1).clamp(min=1)


@fusions.register("multilayer")
class Multilayer(Fusion):
    """The paper's multilayer fusion, layer by layer (paper 2.4.4).

    Batch norm on each embedding, concatenation, dense 256, ReLU, batch norm, squeeze-and-
    excitation (Hu et al. 2018, reduction 16), one neuron; no dropout.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in self.widths)
        self.dense = nn.Linear(sum(self.widths), HIDDEN)
        self.dense_norm = nn.BatchNorm1d(HIDDEN)
        self.excitation = nn.Sequential(
            nn.Linear(HIDDEN, HIDDEN // _SQUEEZE),
            nn.ReLU(),
            nn.Linear(HIDDEN // _SQUEEZE, HIDDEN),
            nn.Sigmoid(),
        )
        self.output = nn.Linear(HIDDEN, 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        clean = _blank_missing(embeddings, present)
        scaled = [norm(embedding) for norm, embedding in zip(self.norms, clean, strict=True)]
        joined = torch.cat(_blank_missing(scaled, present), dim=1)
        hidden = self.dense_norm(torch.relu(self.dense(joined)))
        logit: torch.Tensor = self.output(hidden * self.excitation(hidden)).squeeze(1)
        return logit


def _blank_missing(embeddings: Sequence[torch.Tensor], present: torch.Tensor) -> list[torch.Tensor]:
    """Put zeros, the mean of a standardised embedding, where a modality is missing."""
    return [
        torch.where(present[:, position].unsqueeze(1), embedding, 0.0)
        for position, embedding in enumerate(embeddings)
    ]


def _tokens(
    layers: nn.ModuleList, embeddings: Sequence[torch.Tensor], present: torch.Tensor
) -> torch.Tensor:
    """Bring each modality's embedding into the shared space: (B, M, shared)."""
    clean = _blank_missing(embeddings, present)
    return torch.stack([layer(z) for layer, z in zip(layers, clean, strict=True)], dim=1)


def _shares(scores: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Softmax over the modalities that are present (B, M); none present gives zeros."""
    floor = torch.finfo(scores.dtype).min
    shares = torch.softmax(torch.where(present, scores, floor), dim=1)
    return torch.where(present, shares, 0.0)
