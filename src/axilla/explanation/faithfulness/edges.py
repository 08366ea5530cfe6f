"""The naive rival of every heatmap: where the image has edges, whatever the model says."""

import numpy as np
import torch
from scipy.ndimage import sobel

from axilla.explanation.methods.case_model import CaseModel
from axilla.records.types import ImageModality

_COLOURS = 3


def edge_strength(model: CaseModel, modality: ImageModality, planes: torch.Tensor) -> torch.Tensor:
    """Return the strength of edges (B, S, S) in what the network sees of planes (B, C, S, S).

    Sobel's gradient magnitude of the mean over colours, with what preprocessing dimmed dimmed.
    """
    seen = model.views(planes, modality)[: len(planes), :_COLOURS].mean(1).cpu().numpy()
    across, down = (sobel(seen, axis=axis, mode="nearest") for axis in (2, 1))
    return torch.from_numpy(np.hypot(across, down))
