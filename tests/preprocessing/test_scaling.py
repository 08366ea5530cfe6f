"""Planes scaled and standardised, against torchvision: equal to the last bit."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from axilla.preprocessing.normalise import resize, standardise

SHAPES = [(1, 40, 30), (2, 7, 90), (3, 224, 224), (5, 3, 64, 50), (4, 2, 33, 33)]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("side_px", [16, 64, 112])
@pytest.mark.parametrize("shape", SHAPES)
def test_resizing_is_that_of_torchvision(shape, side_px, dtype):
    planes = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = reference.resize(planes, [side_px, side_px], antialias=True)
    found = resize(planes, side_px)
    assert found.dtype == dtype
    assert torch.equal(found, expected)


def test_resizing_channels_last_is_that_of_torchvision():
    image = torch.rand(50, 70, 3, generator=torch.Generator().manual_seed(0)).permute(2, 0, 1)
    assert torch.equal(resize(image, 32), reference.resize(image, [32, 32], antialias=True))


def test_bytes_are_scaled_as_floats_where_torch_has_no_kernel_for_them(monkeypatch):
    planes = torch.randint(0, 256, (2, 3, 40, 30), generator=torch.Generator().manual_seed(0))
    planes = planes.to(torch.uint8)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert torch.equal(resize(planes, 16), reference.resize(planes, [16, 16], antialias=True))


def test_standardising_is_that_of_torchvision():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    means, sds = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = reference.normalize(images, list(means), list(sds))
    assert torch.equal(standardise(images, means=means, sds=sds), expected)
