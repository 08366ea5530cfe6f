"""Harmonise, scale and normalise stored planes to a network's input."""

import platform
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.exposure import equalize_hist
from torch.nn.functional import interpolate

from axilla.records.types import ImageModality, InputFormat

# An image that varies by less than this share of its brightness varies by rounding only.
_BLANK_SHARE = 1e-6
_VECTORISED = ("AVX2", "AVX512")
_ARM = ("aarch64", "arm64")
_ULTRASOUND_PLANES = 2


def harmonise(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardise one image's grey values, then equalise their histogram (paper 2.3.2).

    Takes any grey scale (H, W) and returns values in [0, 1]; a blank image becomes mid-grey.
    """
    sd = float(grey.std())
    if sd <= _BLANK_SHARE * float(np.abs(grey).max()):
        return np.full_like(grey, 0.5)
    return np.asarray(equalize_hist((grey - grey.mean()) / sd), dtype=np.float32)


def guide(images: torch.Tensor, masks: torch.Tensor, *, outside: float) -> torch.Tensor:
    """Dim everything outside the lesion to `outside` of its brightness (paper 2.3.2, mask-guided).

    `images` (B, 1, H, W) and `masks` (B, 1, H, W) in [0, 1]; a soft mask edge dims softly.
    """
    return images * (outside + (1 - outside) * masks)


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


def network_input(
    planes: torch.Tensor, modality: ImageModality, *, expects: InputFormat, outside_mask: float
) -> torch.Tensor:
    """Turn planes (B, C, S, S), uint8 or float in [0, 255], into a network's input (B, K, S, S).

    Ultrasound: the grey plane, dimmed outside the lesion to `outside_mask`, on three channels;
    a network with a mask channel sees the undimmed grey plane and the mask itself. Channels last
    in memory, as convolutions are fastest.
    """
    scaled = planes.float() / 255
    masks = None
    if modality == "ultrasound":
        grey, masks = scaled[:, :1], scaled[:, 1:_ULTRASOUND_PLANES]
        shown = grey if expects.mask_channel else guide(grey, masks, outside=outside_mask)
        scaled = shown.expand(-1, len(expects.mean), -1, -1)
    normalised = standardise(scaled, means=expects.mean, sds=expects.sd)
    if expects.mask_channel:
        if masks is None:
            masks = torch.ones_like(normalised[:, :1])
        normalised = torch.cat([normalised, masks], dim=1)
    return normalised.contiguous(memory_format=torch.channels_last)
