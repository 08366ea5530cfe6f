"""Gated Kronecker-product fusion: every product of features, one from each modality."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import nn
from torch.nn.functional import pad

from axilla.models.fusion.strategy import Fusion, blank_missing, fusions

REDUCED = 16
DENSE = 64


@fusions.register("gated")
class Gated(Fusion):
    """Gated Kronecker product of all modalities, dense 64, ReLU, one neuron.

    Pathomic Fusion (Chen et al., IEEE TMI 2020, arXiv:1912.08937): h_m = ReLU(W_m x_m) is gated by
    z_m = sigmoid(W [x_1, ..., x_M]), a 1 is appended, and the Kronecker product over modalities
    holds every feature, and every product of features of two or more modalities. An absent
    modality is zeros in the gates and the vector (0, ..., 0, 1) in the product, which thereby
    reduces to the terms of the modalities that are present.
    """

    input_dropout = 0.5

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        joined = sum(self.widths)
        self.reduce = nn.ModuleList(nn.Linear(width, REDUCED) for width in self.widths)
        self.gates = nn.ModuleList(nn.Linear(joined, REDUCED) for _ in self.widths)
        self.dense = nn.Linear((REDUCED + 1) ** len(self.widths), DENSE)
        self.output = nn.Linear(DENSE, 1)

    def forward(
        self, embeddings: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return one logit per patient (B,)."""
        del logits
        clean = blank_missing(embeddings, present)
        joined = torch.cat(clean, dim=1)
        gated = [
            torch.relu(reduced(x)) * torch.sigmoid(gate(joined))
            for reduced, gate, x in zip(self.reduce, self.gates, clean, strict=True)
        ]
        factors = [pad(h, (0, 1), value=1.0) for h in blank_missing(gated, present)]
        product = reduce(_kronecker, factors)
        logit: torch.Tensor = self.output(torch.relu(self.dense(product))).squeeze(1)
        return logit


def _kronecker(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Multiply each patient's features (B, P) with theirs of another kind (B, Q): (B, P Q)."""
    return (left.unsqueeze(2) * right.unsqueeze(1)).flatten(1)
