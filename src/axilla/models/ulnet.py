"""ULNet: ResNet50 that sees the lesion mask as a fourth channel (paper 2.4.1)."""

import torch
from torch import nn


def ulnet() -> nn.Module:
    """Build ResNet50 for images (B, 4, S, S), three of grey and one of lesion mask -> (B, 2048)."""
    from torchvision.models import resnet50  # noqa: PLC0415 - as slow to import as torch

    network: nn.Module = resnet50()
    network.conv1 = nn.Conv2d(4, 64, kernel_size=7, stride=2, padding=3, bias=False)
    network.fc = nn.Identity()
    return network


def widen_first_convolution(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give ResNet50's pretrained state a mask channel of zeros: it starts as plain ResNet50."""
    kernel = state["conv1.weight"]
    return state | {"conv1.weight": torch.cat([kernel, torch.zeros_like(kernel[:, :1])], dim=1)}
