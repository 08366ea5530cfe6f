"""How alike two maps are: by the ranks of their values, which no colour scale can change."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata


def rank_correlations(one: torch.Tensor, other: torch.Tensor) -> NDArray[np.float64]:
    """Return Spearman's correlation (B,) of maps (B, ...), pairwise; NaN where a map is flat."""
    first, second = _centred_ranks(one), _centred_ranks(other)
    spread = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    told = spread > 0
    return np.where(told, (first * second).sum(1) / np.where(told, spread, 1.0), np.nan)


def _centred_ranks(maps: torch.Tensor) -> NDArray[np.float64]:
    ranks = np.asarray(rankdata(maps.flatten(1).numpy(), axis=1), np.float64)
    centred: NDArray[np.float64] = ranks - ranks.mean(1, keepdims=True)
    return centred
