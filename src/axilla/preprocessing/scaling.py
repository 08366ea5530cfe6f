"""Planes brought to another size and scale, bit for bit as torchvision's functions do it.

Not torchvision's own: it takes as long to import as torch, and a bundle whose networks are not
torchvision's predicts without it.
"""

import platform
from collections.abc import Sequence

import torch
from torch.nn.functional import interpolate

_VECTORISED = ("AVX2", "AVX512")
_ARM = ("aarch64", "arm64")


def resize(planes: torch.Tensor, side_px: int) -> torch.Tensor:
    """Scale planes (..., C, H, W), uint8 or float32, to `side_px` a side, bilinear and antialiased.

    Equals `torchvision.transforms.v2.functional.resize` of a tensor.
    """
    if planes.shape[-2:] == (side_px, side_px):
        return planes
    batch = planes.reshape(-1, *planes.shape[-3:])
    exact = planes.dtype == torch.uint8 and not _has_uint8_kernel(planes.device)
    scaled = interpolate(
        batch.float() if exact else batch,
        size=[side_px, side_px],
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    if exact:
        scaled = scaled.round_().to(planes.dtype)
    return scaled.reshape(*planes.shape[:-2], side_px, side_px)


def standardise(
    images: torch.Tensor, *, means: Sequence[float], sds: Sequence[float]
) -> torch.Tensor:
    """Subtract each channel's mean from float images (..., C, H, W) and divide by its SD."""
    mean, sd = (
        torch.as_tensor(list(values), dtype=images.dtype, device=images.device).view(-1, 1, 1)
        for values in (means, sds)
    )
    return images.sub(mean).div_(sd)


def _has_uint8_kernel(device: torch.device) -> bool:
    """Tell whether torch scales bytes as fast as floats; elsewhere they are scaled as floats."""
    return device.type == "cpu" and (
        torch.backends.cpu.get_cpu_capability() in _VECTORISED or platform.machine() in _ARM
    )
