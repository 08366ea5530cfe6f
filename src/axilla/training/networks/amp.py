"""What the device does best: number format of training steps, and where the pixels lie."""

from contextlib import AbstractContextManager
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]

_LARGEST_RESIDENT_SHARE = 0.5


def choose_precision(asked: Literal["auto", "float32", "bfloat16"], device: str) -> Precision:
    """Return the format of training steps on a type of device.

    `auto` is bfloat16 where the processor multiplies it natively: measured faster there, slower
    everywhere else. Weights, gradients, losses and every prediction stay in float32.
    """
    if asked != "auto":
        return asked
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"  # noqa: SLF001


def steps_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Run forward passes inside in this format."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def resident(planes: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the planes in the GPU's own memory, unless they would fill half of what is free."""
    if device.type != "cuda":
        return planes
    free, _ = torch.cuda.mem_get_info(device)
    return planes.to(device) if planes.nbytes < _LARGEST_RESIDENT_SHARE * free else planes
