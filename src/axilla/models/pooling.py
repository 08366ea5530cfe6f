"""Bag pooling: the several images of one patient become one vector, by shares that add up to 1.

Training sees bags padded to one length, with a mask; serving sees images in a row, each with the
bag that it belongs to. Both are the same arithmetic on the same scores.
"""

from typing import NamedTuple

import torch
from torch import nn

from axilla.models.networks import DROPOUT
from axilla.models.registry import Registry


class Pooled(NamedTuple):
    """Bags as vectors (B, K), and the share of each image in its bag (B, L)."""

    vectors: torch.Tensor
    shares: torch.Tensor


class Pool(nn.Module):
    """Base of all bag poolings: `scores` says how much an image counts among its bag's."""

    def __init__(self, width: int) -> None:
        """Pool embeddings of `width` numbers each."""
        super().__init__()
        self.width = width

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """Return a score per image: (..., K) to (...)."""
        raise NotImplementedError

    def forward(self, images: torch.Tensor, held: torch.Tensor) -> Pooled:
        """Pool bags (B, L, K); what `held` (B, L) bool masks never reaches the output.

        A bag that holds nothing is zeros, with shares of zero.
        """
        clean = torch.where(held.unsqueeze(-1), images, 0.0)
        scores = self.scores(clean)
        masked = torch.where(held, scores, torch.finfo(scores.dtype).min)
        shares = torch.where(held, torch.softmax(masked, dim=-1), 0.0)
        return Pooled((shares.unsqueeze(-1) * clean).sum(-2), shares)


pools: Registry[type[Pool]] = Registry("bag pooling")


@pools.register("mean")
class MeanPool(Pool):
    """All images of a bag count alike; nothing is learnt."""

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """Return the same score for every image."""
        return torch.zeros_like(images[..., 0])


@pools.register("attention")
class GatedAttention(Pool):
    """Shares by gated attention: softmax of w'(tanh(V h) * sigmoid(U h)).

    Ilse, Tomczak & Welling, "Attention-based Deep Multiple Instance Learning", ICML 2018, eq. 7
    and 9. V and U have half as many rows as an embedding has numbers, and a bias each: components
    have mean zero, where a tanh without bias could only say zero. A bias of w would add the same
    to every score, which a softmax does not see.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        hidden = max(1, width // 2)
        self.content = nn.Linear(width, hidden)
        self.gate = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of each image's attention, up to its bag's constant."""
        gated = torch.tanh(self.content(images)) * torch.sigmoid(self.gate(images))
        scores: torch.Tensor = self.score(gated).squeeze(-1)
        return scores


class BagHead(nn.Module):
    """A pool, dropout on the pooled vector, one linear neuron: the unimodal head for bags.

    The neuron is made first, so that it starts as it would without a pool.
    """

    input_dropout = DROPOUT

    def __init__(self, pooling: str, width: int) -> None:
        super().__init__()
        self.output = nn.Linear(width, 1)
        self.pool = pools[pooling](width)

    def forward(
        self, images: torch.Tensor, held: torch.Tensor, scale: torch.Tensor
    ) -> torch.Tensor:
        """Return a logit per bag (B,); `scale` (B, K) is dropout, drawn by the caller."""
        pooled = self.pool(images, held)
        logit: torch.Tensor = self.output(pooled.vectors * scale).squeeze(-1)
        return logit


def shares_in_bags(scores: torch.Tensor, owner: torch.Tensor, *, bags: int) -> torch.Tensor:
    """Return the softmax of `scores` (I,) within each bag; `owner` (I,) in [0, bags)."""
    highest = torch.full((bags,), -torch.inf, dtype=scores.dtype)
    highest = highest.scatter_reduce(0, owner, scores, "amax")
    weights = (scores - highest[owner]).exp()
    total = torch.zeros(bags, dtype=scores.dtype).index_add(0, owner, weights)
    return weights / total[owner]


def pooled_by(
    shares: torch.Tensor, values: torch.Tensor, owner: torch.Tensor, *, bags: int
) -> torch.Tensor:
    """Add up what images say (I, ...) by their shares (I,): (bags, ...); no image gives NaN."""
    weighted = shares.view(-1, *[1] * (values.dim() - 1)) * values
    total = torch.zeros(bags, *values.shape[1:], dtype=values.dtype).index_add(0, owner, weighted)
    empty = torch.bincount(owner, minlength=bags) == 0
    return total.masked_fill(empty.view(-1, *[1] * (values.dim() - 1)), torch.nan)
