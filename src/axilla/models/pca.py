"""A fixed linear map from a backbone's embedding to a few components, fitted on a fold."""

import torch
from torch import nn


class Projection(nn.Module):
    """Map embeddings (B, D) to components (B, K): (x - mean) @ axes; never trained by gradient.

    `axes` divides by each feature's sd first and scales all components by one number, so that
    the leading components stay as large against the last as the data have them.
    """

    mean: torch.Tensor
    axes: torch.Tensor

    def __init__(self, *, mean: torch.Tensor, axes: torch.Tensor) -> None:
        """Hold `mean` (D,) and `axes` (D, K)."""
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Project a batch of embeddings."""
        return (embedding - self.mean) @ self.axes
