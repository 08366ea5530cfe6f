"""Strategies of one linear neuron: concatenation, weighting, attention; and a vote."""

from collections.abc import Sequence

import torch
from torch import nn

from axilla.models.fusion.strategy import Fusion, blank_missing, fusions, shares_of, tokens_of


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
            torch.cat(blank_missing(embeddings, present), dim=1)
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
        tokens = tokens_of(self.into_shared, embeddings, present)
        shares = shares_of(self.importance.expand(present.shape), present)
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
        # A bias would add the same to every score, and a softmax does not see that.
        self.score = nn.Linear(hidden, 1, bias=False)
        self.output = nn.Linear(shared, 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        tokens = tokens_of(self.into_shared, embeddings, present)
        gated = torch.tanh(self.content(tokens)) * torch.sigmoid(self.gate(tokens))
        shares = shares_of(self.score(gated).squeeze(2), present)
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
