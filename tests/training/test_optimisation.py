"""Rates over a training, against torch's own schedulers."""

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from axilla.training.networks.optimisation import Optimisation

STEPS, EPOCHS = 7, 6
HALVING = Optimisation("adamw", 1e-2, halve_every=2)
ONE_CYCLE = Optimisation("adamw", 1e-2, halve_every=2, schedule="one_cycle")


def rates_of(optimisation, *, steps=STEPS, epochs=EPOCHS):
    return [optimisation.rate_at(n, steps=steps, epochs=epochs) for n in range(steps * epochs)]


def rates_by(make, *, every, steps=STEPS, epochs=EPOCHS):
    """Return the rates that a scheduler of torch sets, itself stepped after `every` steps."""
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
    scheduler, rates = make(optimiser), []
    for number in range(steps * epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if (number + 1) % every == 0 and number + 1 < steps * epochs:
            scheduler.step()
    return rates


def test_halving_is_torchs_step_schedule():
    expected = rates_by(lambda o: StepLR(o, 2, gamma=0.5), every=STEPS)
    assert rates_of(HALVING) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("steps", "epochs"), [(7, 6), (1, 8), (20, 1)])
def test_one_cycle_is_torchs(steps, epochs):
    expected = rates_by(
        lambda o: OneCycleLR(o, max_lr=1e-2, total_steps=steps * epochs, cycle_momentum=False),
        every=1,
        steps=steps,
        epochs=epochs,
    )
    assert rates_of(ONE_CYCLE, steps=steps, epochs=epochs) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_cycle_of_few_steps_has_rates(count):
    rates = rates_of(ONE_CYCLE, steps=count, epochs=1)
    assert all(0 < rate <= 1e-2 for rate in rates)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_an_optimiser_takes_parameters_or_groups_of_them(name):
    one, other = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimiser = Optimisation(name, 1e-2, halve_every=2).optimiser_of(
        [{"params": [one]}, {"params": [other]}]
    )
    optimiser.param_groups[1]["lr"] = 1e-3
    one.grad, other.grad = torch.ones(2), torch.ones(2)
    optimiser.step()
    assert float(1 - one.detach()[0]) > 5 * float(1 - other.detach()[0]) > 0
