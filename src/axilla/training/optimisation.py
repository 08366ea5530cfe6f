"""How a model is optimised: its published optimiser, first rate and schedule, or study.toml's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import nn

from axilla.models.backbones import find_backbone
from axilla.records.study import OptimisationSection

OptimiserName = Literal["adam", "adamw", "sgd"]

NETWORK_HALVE_EVERY = 10
FUSION_RATE = 1e-4
FUSION_HALVE_EVERY = 5
_MOMENTUM = 0.9
_OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=_MOMENTUM),
}


@dataclass(frozen=True, slots=True)
class Optimisation:
    """An optimiser by name, its first rate at factor 1, and the epochs after which it halves."""

    optimiser: OptimiserName
    rate: float
    halve_every: int
    weight_decay: float | None = None

    def make(
        self, parameters: Iterable[nn.Parameter] | Iterable[torch.Tensor], *, rate_factor: float
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.StepLR]:
        """Return a fused optimiser over parameters and its schedule, stepped once per epoch."""
        decay = {} if self.weight_decay is None else {"weight_decay": self.weight_decay}
        optimiser = _OPTIMISERS[self.optimiser](
            list(parameters), lr=self.rate * rate_factor, fused=True, **decay
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, self.halve_every, gamma=0.5)
        return optimiser, schedule


def of_network(name: str, changed: OptimisationSection) -> Optimisation:
    """Return how a network or its head is optimised: Adam, its own rate (paper 2.4.1, 2.4.2)."""
    own = Optimisation("adam", find_backbone(name).learning_rate, NETWORK_HALVE_EVERY)
    return _changed(own, changed)


def of_fusion(changed: OptimisationSection) -> Optimisation:
    """Return how a strategy is optimised: AdamW, 1e-4, halved every 5 epochs (paper 2.4.4)."""
    return _changed(Optimisation("adamw", FUSION_RATE, FUSION_HALVE_EVERY), changed)


def _changed(own: Optimisation, changed: OptimisationSection) -> Optimisation:
    return Optimisation(
        optimiser=changed.optimiser or own.optimiser,
        rate=changed.rate or own.rate,
        halve_every=changed.halve_every or own.halve_every,
        weight_decay=changed.weight_decay if changed.weight_decay is not None else own.weight_decay,
    )
