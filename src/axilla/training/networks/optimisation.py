"""How a model is optimised: its published optimiser, first rate and schedule, or study.toml's."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch

from axilla.config.study import OptimisationSection
from axilla.models.backbones import find_backbone

OptimiserName = Literal["adam", "adamw", "sgd"]
RateSchedule = Literal["halving", "one_cycle"]

NETWORK_HALVE_EVERY = 10
FUSION_RATE = 1e-4
FUSION_HALVE_EVERY = 5
_MOMENTUM = 0.9
_OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=_MOMENTUM),
}
# One cycle: shares of the peak rate at the start and at the end, and the share of steps that rise.
_CYCLE_START, _CYCLE_END, _CYCLE_RISE = 1 / 25, 1e-4 / 25, 0.3


@dataclass(frozen=True, slots=True)
class Optimisation:
    """An optimiser by name, its rate at factor 1, and how the rate changes while it trains.

    `halving` starts at the rate and halves it every `halve_every` epochs (paper 2.4.1); `one_cycle`
    rises to the rate and falls to almost nothing along cosines (Smith & Topin 2019).
    """

    optimiser: OptimiserName
    rate: float
    halve_every: int
    weight_decay: float | None = None
    schedule: RateSchedule = "halving"

    def optimiser_of(
        self, parameters: Iterable[torch.Tensor] | Iterable[dict[str, Any]]
    ) -> torch.optim.Optimizer:
        """Return a fused optimiser over parameters, or groups of them; its rate is set per step."""
        decay = {} if self.weight_decay is None else {"weight_decay": self.weight_decay}
        return _OPTIMISERS[self.optimiser](list(parameters), lr=self.rate, fused=True, **decay)

    def rate_at(self, step: int, *, steps: int, epochs: int) -> float:
        """Return the rate, at factor 1, of a step (from 0) when an epoch has `steps` of them."""
        if self.schedule == "halving":
            return self.rate * 0.5 ** (step // steps // self.halve_every)
        last, peak = steps * epochs - 1, max(1.0, _CYCLE_RISE * steps * epochs - 1)
        if step <= peak:
            return self.rate * _along_cosine(_CYCLE_START, 1.0, step / peak)
        return self.rate * _along_cosine(1.0, _CYCLE_END, (step - peak) / (last - peak))


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def of_network(name: str, changed: OptimisationSection) -> Optimisation:
    """Return how a network or its head is optimised: Adam, its own rate (paper 2.4.1, 2.4.2)."""
    own = Optimisation("adam", find_backbone(name).learning_rate, NETWORK_HALVE_EVERY)
    return _apply_changes(own, changed)


def of_fusion(changed: OptimisationSection) -> Optimisation:
    """Return how a strategy is optimised: AdamW, 1e-4, halved every 5 epochs (paper 2.4.4)."""
    return _apply_changes(Optimisation("adamw", FUSION_RATE, FUSION_HALVE_EVERY), changed)


def _apply_changes(own: Optimisation, changed: OptimisationSection) -> Optimisation:
    return Optimisation(
        optimiser=changed.optimiser or own.optimiser,
        rate=changed.rate or own.rate,
        halve_every=changed.halve_every or own.halve_every,
        weight_decay=changed.weight_decay if changed.weight_decay is not None else own.weight_decay,
        schedule=changed.schedule or own.schedule,
    )
