"""Network input: values, guidance and the mask channel, computed by hand."""

from dataclasses import replace

import pytest
import torch

from axilla.preprocessing.normalise import network_input
from axilla.records.types import HALVES, IMAGENET

MASKED = replace(IMAGENET, mask_channel=True)


@pytest.fixture
def ultrasound():
    planes = torch.randint(0, 256, (3, 2, 6, 6), generator=torch.Generator().manual_seed(1))
    planes[:, 1] = 0
    planes[:, 1, 2:5] = 255
    return planes.to(torch.uint8)


@pytest.mark.parametrize("expects", [IMAGENET, HALVES])
def test_pathology_is_scaled_and_standardised_per_channel(expects):
    planes = torch.randint(0, 256, (2, 3, 5, 5)).to(torch.uint8)
    out = network_input(planes, "pathology", expects=expects, outside_mask=0.4)
    assert out.shape == (2, 3, 5, 5)
    for channel in range(3):
        expected = (planes[:, channel] / 255 - expects.mean[channel]) / expects.sd[channel]
        assert torch.allclose(out[:, channel], expected, atol=1e-6)


def test_halves_bring_black_to_minus_one_and_white_to_one():
    planes = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    out = network_input(planes, "pathology", expects=HALVES, outside_mask=1.0)
    assert out.flatten().tolist() == [-1.0] * 3 + [1.0] * 3


@pytest.mark.parametrize("outside", [0.0, 0.4, 1.0])
def test_ultrasound_is_dimmed_outside_the_lesion_on_three_channels(ultrasound, outside):
    out = network_input(ultrasound, "ultrasound", expects=IMAGENET, outside_mask=outside)
    assert out.shape == (3, 3, 6, 6)
    grey = ultrasound[:, 0] / 255
    shown = grey * outside
    shown[:, 2:5] = grey[:, 2:5]
    for channel in range(3):
        expected = (shown - IMAGENET.mean[channel]) / IMAGENET.sd[channel]
        assert torch.allclose(out[:, channel], expected, atol=1e-6)


def test_a_mask_channel_comes_with_the_undimmed_image(ultrasound):
    out = network_input(ultrasound, "ultrasound", expects=MASKED, outside_mask=0.4)
    assert out.shape == (3, MASKED.channels, 6, 6)
    plain = network_input(ultrasound, "ultrasound", expects=IMAGENET, outside_mask=1.0)
    assert torch.equal(out[:, :3], plain)
    assert torch.equal(out[:, 3], ultrasound[:, 1] / 255)


def test_pathology_in_a_network_with_a_mask_channel_is_all_lesion():
    planes = torch.randint(0, 256, (2, 3, 5, 5)).to(torch.uint8)
    out = network_input(planes, "pathology", expects=MASKED, outside_mask=0.4)
    assert out.shape == (2, 4, 5, 5)
    assert (out[:, 3] == 1).all()


def test_bytes_and_floats_mean_the_same(ultrasound):
    bytes_in, floats_in = (
        network_input(planes, "ultrasound", expects=MASKED, outside_mask=0.4)
        for planes in (ultrasound, ultrasound.float())
    )
    assert torch.equal(bytes_in, floats_in)


def test_channel_counts():
    assert (IMAGENET.channels, HALVES.channels, MASKED.channels) == (3, 3, 4)
