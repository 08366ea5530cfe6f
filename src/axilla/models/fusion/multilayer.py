"""The paper's multilayer fusion."""

from collections.abc import Sequence

import torch
from torch import nn

from axilla.models.fusion.strategy import Fusion, blank_missing, fusions

HIDDEN = 256
_SQUEEZE = 16


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
        clean = blank_missing(embeddings, present)
        scaled = [norm(embedding) for norm, embedding in zip(self.norms, clean, strict=True)]
        joined = torch.cat(blank_missing(scaled, present), dim=1)
        hidden = self.dense_norm(torch.relu(self.dense(joined)))
        logit: torch.Tensor = self.output(hidden * self.excitation(hidden)).squeeze(1)
        return logit
