"""Does another method say the same? Agreement shows no truth, but disagreement is worth knowing."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from axilla.explanation.faithfulness.randomisation import Explains
from axilla.explanation.faithfulness.rank_correlation import rank_correlations
from axilla.explanation.methods.case_model import Described
from axilla.explanation.methods.explainer import Maps


def agreement(maps: Maps, other: Explains, described: Described) -> NDArray[np.float64]:
    """Return the rank correlation (I,) of maps with those of another method; NaN if one is flat.

    Compared is what each gives the cells of the coarser of both maps.
    """
    theirs = other.explain(described, maps.which).values
    rows = min(maps.values.shape[1], theirs.shape[1])
    return rank_correlations(_coarse(maps.values, rows), _coarse(theirs, rows))


def _coarse(values: torch.Tensor, rows: int) -> torch.Tensor:
    return functional.adaptive_avg_pool2d(values.unsqueeze(1).float(), rows).squeeze(1)
