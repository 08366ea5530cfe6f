"""Harmonising and guiding: against scikit-image on the standardised image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.exposure import equalize_hist
from torchvision.transforms.v2 import functional as transforms

from axilla.preprocessing.normalise import guide, harmonise

RNG = np.random.default_rng(3)
SPECKLE = RNG.integers(0, 256, (32, 32)).astype(np.float32)


def test_harmonising_is_z_score_then_histogram_equalisation():
    grey = (RNG.gamma(2.0, 30.0, (50, 70))).astype(np.float32)
    z = (grey - np.mean(grey)) / np.std(grey)
    expected = equalize_hist(z)
    assert harmonise(grey) == pytest.approx(expected, abs=1e-6)
    assert harmonise(grey).dtype == np.float32
    assert harmonise(grey).max() == 1.0


def test_equalised_values_are_spread_evenly():
    grey = RNG.gamma(2.0, 30.0, (200, 200)).astype(np.float32)
    deciles = np.quantile(harmonise(grey), np.linspace(0.1, 0.9, 9))
    assert deciles == pytest.approx(np.linspace(0.1, 0.9, 9), abs=0.02)


@given(gain=st.floats(0.1, 8.0), offset=st.floats(-50.0, 50.0))
def test_gain_and_offset_of_a_scanner_do_not_matter(gain, offset):
    grey = SPECKLE
    other = (grey.astype(np.float64) * gain + offset).astype(np.float32)
    # A grey value on the edge of one of 256 bins may round into the next.
    assert harmonise(other) == pytest.approx(harmonise(grey), abs=0.03)


@pytest.mark.parametrize("level", [0.0, 3.0, 100.0, 255.0])
def test_a_blank_image_becomes_mid_grey(level):
    blank = np.full((40, 30), level, dtype=np.float32)
    assert (harmonise(blank) == 0.5).all()


@pytest.mark.parametrize("level", [1, 77, 200, 255])
@pytest.mark.parametrize("shape", [(301, 173), (900, 17)])
def test_the_rounding_of_a_resized_blank_image_is_not_blown_up(level, shape):
    blank = torch.full((1, *shape), float(level))
    resized = transforms.resize(blank, [224, 224], antialias=True)[0].numpy()
    assert (harmonise(resized) == 0.5).all()


def test_the_faintest_mark_on_a_bright_image_survives():
    grey = np.full((224, 224), 255, dtype=np.float32)
    grey[100, 100] = 254
    harmonised = harmonise(grey)
    assert harmonised[100, 100] < 0.001
    assert harmonised[0, 0] == 1.0


def test_the_input_is_left_alone():
    grey = RNG.integers(0, 256, (8, 8)).astype(np.float32)
    before = grey.copy()
    harmonise(grey)
    assert np.array_equal(grey, before)


def test_guidance_dims_outside_and_softly_at_the_edge():
    images = torch.rand(2, 1, 4, 4)
    masks = torch.zeros(2, 1, 4, 4)
    masks[:, :, 1], masks[:, :, 2] = 1.0, 0.5
    guided = guide(images, masks, outside=0.4)
    assert torch.allclose(guided[:, :, 0], images[:, :, 0] * 0.4)
    assert torch.equal(guided[:, :, 1], images[:, :, 1])
    assert torch.allclose(guided[:, :, 2], images[:, :, 2] * 0.7)
    assert torch.equal(guide(images, masks, outside=1.0), images)
    assert torch.equal(guide(images, masks, outside=0.0), images * masks)
