"""Class activation maps (Grad-CAM, LayerCAM) and the layer that they are made of."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from axilla.records.errors import ConfigError, Problem

_IMAGE_DIMENSIONS = 4
_LEAST_ROWS = 6
_ROUNDING = 1e-4
CamMethod = Literal["gradcam", "layercam"]
Score = Callable[[torch.Tensor], torch.Tensor]
"""From embeddings (B, D) to one logit per image (B,); no image's logit depends on another's."""


def spatial_layer(network: nn.Module, example: torch.Tensor) -> nn.Module:
    """Return the last layer, in order of execution, whose output is still a picture.

    `example` (B, K, S, S) is run through `network` in evaluation mode; the layer's output is
    (B, C, h, w) with at least 6 rows, or as many as the network has where it never has more, and
    all that the network sees passes through it. Raises `ConfigError` if there is no such layer.
    """
    planes = _planes(network, example)
    least = min(_LEAST_ROWS, max((rows for _, rows in planes), default=0))
    large = (module for module, rows in reversed(planes) if rows >= least)
    last = next((module for module in large if _is_gate(network, module, example)), None)
    if last is None:
        raise ConfigError(
            Problem(
                type(network).__name__,
                "no layer whose output is a plane of features",
                "a convolutional network, or a transformer with attention layers",
                "Choose integrated gradients for it.",
            )
        )
    return last


def _planes(network: nn.Module, example: torch.Tensor) -> list[tuple[nn.Module, int]]:
    """Return the layers that make a plane of features, in order of execution, and its rows."""
    seen: list[tuple[nn.Module, int]] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        seen.append((module, _rows(output)))

    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.inference_mode():
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    calls = Counter(module for module, _ in seen)
    # A layer that runs several times, as an activation may, is no one place.
    return [(module, rows) for module, rows in seen if rows > 1 and calls[module] == 1]


def _is_gate(network: nn.Module, layer: nn.Module, example: torch.Tensor) -> bool:
    """Tell whether nothing goes around the layer: blind there, the network sees no difference."""
    one, other = example[:1], example[:1].flip(2) - example[:1].roll(3, dims=3)
    handle = layer.register_forward_hook(lambda _m, _i, output: torch.zeros_like(output))
    try:
        with torch.inference_mode():
            blind = network(torch.cat([one, other]))
    finally:
        handle.remove()
    # Not equality: kernels round the rows of a batch differently, and later layers enlarge it.
    apart = (blind[0] - blind[1]).abs().max()
    return bool(apart <= _ROUNDING * blind.abs().max())


def channels_first(output: torch.Tensor) -> torch.Tensor:
    """Return a layer's plane as (B, C, h, w), whichever way its network keeps it."""
    return output.permute(0, 3, 1, 2) if _channels_last(output) else output


def _rows(output: object) -> int:
    """Return the rows of a plane of features, 0 of anything else."""
    if not isinstance(output, torch.Tensor) or output.dim() != _IMAGE_DIMENSIONS:
        return 0
    return int(output.shape[1 if _channels_last(output) else 2])


def _channels_last(output: torch.Tensor) -> bool:
    """Tell by the square plane, which network input always is, where the channels are."""
    return output.shape[1] == output.shape[2] != output.shape[3]


@contextmanager
def watch_layer(layer: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Yield a list that receives the layer's output, as later layers see it, at each forward pass.

    Gradients reach the output and go no further: nothing is kept of the layers below, which would
    take many times the memory. The output is held, not copied: an activation that works in place
    afterwards is part of it.
    """
    outputs: list[torch.Tensor] = []

    def hold(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        outputs.append(output.detach().requires_grad_().clone())
        return outputs[-1]

    handle = layer.register_forward_hook(hold)
    try:
        yield outputs
    finally:
        handle.remove()


@dataclass(frozen=True, slots=True)
class ExplainedBatch:
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
) -> ExplainedBatch:
    """Map what the layer's activations say for each image's logit; one forward, one backward pass.

    `images` (B, K, S, S), `network` in evaluation mode. `gradcam` weighs each channel by its mean
    gradient (Selvaraju et al., ICCV 2017, eq. 1 and 2, before its ReLU, which would hide all that
    speaks against); `layercam` weighs each position by its own positive gradient (Jiang et al.,
    TIP 2021, eq. 6 and 7).
    """
    with torch.enable_grad(), watch_layer(layer) as outputs:
        logits = score(network(images))
        (slope,) = torch.autograd.grad(logits.sum(), outputs[-1])
    gradient, activation = channels_first(slope), channels_first(outputs[-1].detach())
    weights = gradient.mean((2, 3), keepdim=True) if method == "gradcam" else gradient.relu()
    return ExplainedBatch((weights * activation).sum(1), logits.detach())
