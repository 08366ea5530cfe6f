"""Fit the projection of a fold on its training patients only."""

import torch

from axilla.models.projection import Projection

_CONSTANT_SD = 1e-6


def fit_projection(embeddings: torch.Tensor, *, components: int) -> Projection:
    """Fit standardisation and principal axes on training embeddings (n, V, D).

    Keeps `components` axes, or as many as n patients and D features allow; the components' mean
    variance becomes one. Double precision inside, so that the fit is the same on every run.
    """
    rows = embeddings.double().flatten(0, 1)
    mean = rows.mean(0)
    sd = rows.std(0, correction=0)
    inverse_sd = torch.where(sd > _CONSTANT_SD, 1 / sd.clamp(min=_CONSTANT_SD), 0.0)
    keep = min(components, embeddings.shape[0] - 1, embeddings.shape[2])
    _, singular, right = torch.linalg.svd((rows - mean) * inverse_sd, full_matrices=False)
    axes = right[:keep].T * _sign(right[:keep])
    scale = (singular[:keep].square().mean() / rows.shape[0]).sqrt().clamp(min=_CONSTANT_SD)
    return Projection(mean=mean.float(), axes=(inverse_sd.unsqueeze(1) * axes / scale).float())


def _sign(axes: torch.Tensor) -> torch.Tensor:
    """Make each axis' largest entry positive: singular vectors are unique up to sign only."""
    largest = axes.abs().argmax(1, keepdim=True)
    return axes.gather(1, largest).sign().squeeze(1)
