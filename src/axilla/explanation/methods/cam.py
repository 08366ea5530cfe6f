"""Class activation maps of convolutional networks, signed and in units of the logit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from axilla.explanation.methods.class_activation import channels_first, watched

CamMethod = Literal["gradcam", "layercam"]

Score = Callable[[torch.Tensor], torch.Tensor]
"""From embeddings (B, D) to one logit per image (B,); no image's logit depends on another's."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Maps (B, h, w), signed: positive where the image speaks for the outcome; logits (B,)."""

    maps: torch.Tensor
    logits: torch.Tensor


def class_activation(
    network: nn.Module,
    images: torch.Tensor,
    *,
    layer: nn.Module,
    score: Score,
    method: CamMethod = "gradcam",
) -> Explained:
    """Map what the layer's activations say for each image's logit; one forward, one backward pass.

    `images` (B, K, S, S), `network` in evaluation mode. `gradcam` weighs each channel by its mean
    gradient (Selvaraju et al., ICCV 2017, eq. 1 and 2, before its ReLU, which would hide all that
    speaks against); `layercam` weighs each position by its own positive gradient (Jiang et al.,
    TIP 2021, eq. 6 and 7).
    """
    with torch.enable_grad(), watched(layer) as outputs:
        logits = score(network(images))
        (slope,) = torch.autograd.grad(logits.sum(), outputs[-1])
    gradient, activation = channels_first(slope), channels_first(outputs[-1].detach())
    weights = gradient.mean((2, 3), keepdim=True) if method == "gradcam" else gradient.relu()
    return Explained((weights * activation).sum(1), logits.detach())
