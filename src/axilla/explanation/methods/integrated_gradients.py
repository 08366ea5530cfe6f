"""Integrated gradients: a second opinion that needs no layer."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from axilla.explanation.methods.class_activation import ExplainedBatch, Score
from axilla.preprocessing.augment import flip

STEPS = 8
_SIDE = 28


def integrated_gradients(
    network: nn.Module,
    images: torch.Tensor,
    *,
    score: Score,
    mirror: bool = True,
    steps: int = STEPS,
) -> ExplainedBatch:
    """Add up gradients on the straight way from a blank image to each of `images` (B, K, S, S).

    Blank is the image's own mean colour, so that brightness is no evidence. `score` is asked of
    the mean embedding of image and, with `mirror`, mirror image. Maps (B, h, w) are sums over
    channels and blocks of pixels: a map's sum is the logit minus that of the blank image, up to the
    error of `steps` Gauss-Legendre points (Sundararajan, Taly & Yan, ICML 2017, eq. 3).
    """

    def logits_of(inputs: torch.Tensor) -> torch.Tensor:
        embedding = network(inputs)
        return score((embedding + network(flip(inputs))) / 2 if mirror else embedding)

    blank = images.mean((2, 3), keepdim=True)
    way = images - blank
    points, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1]
    slope = torch.zeros_like(images)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        with torch.enable_grad():
            inputs = (blank + float(point) * way).requires_grad_()
            (gradient,) = torch.autograd.grad(logits_of(inputs).sum(), inputs)
        slope += float(weight) * gradient
    with torch.no_grad():
        logits = logits_of(images)
    per_pixel = (slope * way).sum(1, keepdim=True)
    block = max(1, images.shape[-1] // _SIDE)
    summed = functional.avg_pool2d(per_pixel, block) * block**2
    return ExplainedBatch(summed.squeeze(1).detach(), logits)
