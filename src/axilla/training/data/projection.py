"""Fit the projection of a fold on its training patients only."""

import torch

from axilla.models.pca import Projection

_CONSTANT_SD = 1e-6
_ROWS = 4096


def fit_projection(embeddings: torch.Tensor, *, components: int) -> Projection:
    """Fit standardisation and principal axes on training embeddings (n, V, D).

    Keeps `components` axes, or as many as n patients and D features allow; the components' mean
    variance becomes one. Double precision inside, so that the fit is the same on every run.
    """
    rows = embeddings.double().flatten(0, 1)
    mean = rows.mean(0)
    inverse_sd = _inverse(rows.std(0, correction=0))
    keep = min(components, embeddings.shape[0] - 1, embeddings.shape[2])
    axes, variance = _principal_axes((rows - mean) * inverse_sd, keep=keep)
    return _projection(mean, inverse_sd, axes, variance)


def fit_bag_projection(images: torch.Tensor, owner: torch.Tensor, *, components: int) -> Projection:
    """Fit the same to bags: images (I, V, D) of patients `owner` (I,), each patient counting once.

    Rows are read some at a time, so that thousands of tiles never stand in memory in double
    precision. With one image per patient it is `fit_projection`.
    """
    rows, (count, views, width) = images.flatten(0, 1), images.shape
    weight = (1 / torch.bincount(owner)[owner].double()).repeat_interleave(views)
    pieces = list(zip(rows.split(_ROWS), (weight / weight.sum()).split(_ROWS), strict=True))
    mean, variance = torch.zeros(width).double(), torch.zeros(width).double()
    for x, share in pieces:
        mean += share @ x.double()
    for x, share in pieces:
        variance += share @ (x.double() - mean).square()
    inverse_sd = _inverse(variance.sqrt())
    keep = min(components, count - 1, width)
    weighted = (
        (x.double() - mean) * inverse_sd * (share * len(rows)).sqrt().unsqueeze(1)
        for x, share in pieces
    )
    if len(rows) < width:
        return _projection(mean, inverse_sd, *_principal_axes(torch.cat([*weighted]), keep=keep))
    gram = torch.zeros(width, width).double()
    for x in weighted:
        gram += x.T @ x
    return _projection(mean, inverse_sd, *_leading(gram, keep=keep, count=len(rows)))


def _inverse(sd: torch.Tensor) -> torch.Tensor:
    return torch.where(sd > _CONSTANT_SD, 1 / sd.clamp(min=_CONSTANT_SD), 0.0)


def _projection(
    mean: torch.Tensor, inverse_sd: torch.Tensor, axes: torch.Tensor, variance: torch.Tensor
) -> Projection:
    scale = variance.mean().sqrt().clamp(min=_CONSTANT_SD)
    axes = axes * _sign(axes)
    return Projection(mean=mean.float(), axes=(inverse_sd.unsqueeze(1) * axes / scale).float())


def _principal_axes(centred: torch.Tensor, *, keep: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the leading axes (D, K) and their variances (K,), largest first.

    Decomposes the smaller of the two Gram matrices, four times faster than a singular value
    decomposition of a few hundred patients; axes without variance are zero.
    """
    count, width = centred.shape
    if count < width:
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        values, vectors = values.flip(0)[:keep], vectors.flip(1)[:, :keep]
        length = values.clamp(min=0).sqrt()
        usable = length > _CONSTANT_SD * length[0]
        axes = centred.T @ vectors / length.where(usable, 1.0)
        return axes.where(usable, 0.0), values.clamp(min=0) / count
    return _leading(centred.T @ centred, keep=keep, count=count)


def _leading(gram: torch.Tensor, *, keep: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    values, vectors = torch.linalg.eigh(gram)
    return vectors.flip(1)[:, :keep], values.flip(0)[:keep].clamp(min=0) / count


def _sign(axes: torch.Tensor) -> torch.Tensor:
    """Make each axis' largest entry positive: axes are unique up to sign only."""
    largest = axes.abs().argmax(0, keepdim=True)
    return axes.gather(0, largest).sign()
