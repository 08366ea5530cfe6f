"""PLNet: the paper's light network for pathology, trained from scratch (paper 2.4.2)."""

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
