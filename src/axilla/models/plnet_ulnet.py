"""The paper's own networks: PLNet (2.4.2) and ULNet (2.4.1)."""

import torch
from torch import nn

_FILTERS = (16, 32, 64, 128)
EMBEDDING_DIM = _FILTERS[-1]


class PLNet(nn.Module):
    """Four convolution blocks with growing filters, batch norm, and global average pooling.

    Images (B, 3, S, S) with S >= 32 become embeddings (B, 128). The first convolution has stride
    2: at 224 px it costs a quarter and keeps nuclei resolved (paper: no kernel sizes given).
    """

    def __init__(self) -> None:
        super().__init__()
        blocks, incoming = [], 3
        for position, filters in enumerate(_FILTERS):
            blocks.append(_block(incoming, filters, stride=2 if position == 0 else 1))
            incoming = filters
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Embed a batch of images."""
        return torch.flatten(self.pool(self.blocks(images)), 1)


def _block(incoming: int, filters: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(incoming, filters, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


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
