"""What inner predictions decide: by hand, to the bit without a map, and blind to test patients."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from axilla.config.study import ValidationSection
from axilla.inference.recalibration import fit_recalibration
from axilla.inference.thresholds import choose_threshold
from axilla.training.prediction_tables import operating_point

KINDS = ("none", "platt", "isotonic")


@pytest.fixture
def inner():
    """Logits of 40 inner patients, NaN for ten test patients, and the labels of all."""
    generator = torch.Generator().manual_seed(4)
    labels = (torch.rand(50, generator=generator) < 0.5).float()
    logits = 2 * torch.randn(50, generator=generator) + labels
    logits[40:] = torch.nan
    return logits, labels


@pytest.mark.parametrize("rule", ["half", "youden", "sensitivity=0.9", "net_benefit=0.2"])
def test_without_a_map_probabilities_are_the_sigmoid_to_the_bit(inner, rule):
    logits, labels = inner
    point = operating_point(logits, labels, validation=ValidationSection(threshold=rule))
    assert point.recalibration is None
    asked = torch.linspace(-20, 20, 99)
    assert torch.equal(point.probabilities(asked), asked.double().sigmoid())
    known = logits[:40].double().sigmoid().numpy()
    assert point.threshold == choose_threshold(labels[:40].numpy(), known, rule=rule)


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_the_threshold_is_chosen_on_mapped_predictions(inner, kind):
    logits, labels = inner
    point = operating_point(logits, labels, validation=ValidationSection(recalibration=kind))
    outcome, before = labels[:40].numpy(), expit(logits[:40].double().numpy())
    mapped = fit_recalibration(kind, outcome, probabilities=before).apply(before)
    assert point.threshold == pytest.approx(choose_threshold(outcome, mapped, rule="youden"))
    np.testing.assert_allclose(point.probabilities(logits[:40]), mapped, atol=1e-12)
    assert point.probabilities(logits)[40:].isnan().all()


@pytest.mark.parametrize("kind", KINDS)
def test_outcomes_of_test_patients_reach_neither_map_nor_threshold(inner, kind):
    logits, labels = inner
    validation = ValidationSection(recalibration=kind)
    honest = operating_point(logits, labels, validation=validation)
    poisoned = labels.clone()
    poisoned[40:] = 1 - poisoned[40:]
    assert operating_point(logits, poisoned, validation=validation) == honest
    poisoned = labels.clone()
    poisoned[:5] = 1 - poisoned[:5]  # those of inner patients do
    assert operating_point(logits, poisoned, validation=validation) != honest


def test_one_patient_alone_is_mapped_as_among_others(inner):
    logits, labels = inner
    point = operating_point(logits, labels, validation=ValidationSection(recalibration="platt"))
    assert float(point.probabilities(logits[3])) == float(point.probabilities(logits)[3])
