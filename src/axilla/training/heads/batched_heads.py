"""Heads of one shape as one batched program, whose training step is captured once and replayed.

A step of a small head is a few hundred operations of microseconds each; what costs is Python,
`vmap` and autograd deciding anew, every step, which operations these are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.fusion import Fusion

State = dict[str, torch.Tensor]
Strategy = Callable[[Sequence[int]], Fusion]

_PROGRAMS_KEPT = 32
_SERVED_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Inputs:
    """Stacked arguments of a strategy: embeddings (T, B, [V,] K), logits and presence (T, B, M)."""

    embeddings: list[torch.Tensor]
    logits: torch.Tensor
    present: torch.Tensor


class Heads:
    """T heads of one kind side by side: parameters and buffers (T, ...).

    Each head starts from its own seed, and none from the global random state.
    """

    def __init__(self, make: Callable[[], nn.Module], *, seeds: Sequence[int]) -> None:
        with torch.random.fork_rng(devices=[]):
            heads = [_build_seeded(make, seed) for seed in seeds]
        parameters, self.buffers = stack_module_state(heads)
        self.parameters = {name: tensor.detach() for name, tensor in parameters.items()}
        self.head = heads[0]

    def states(self) -> State:
        """Return the parameters and buffers of all heads (T, ...)."""
        return self.parameters | self.buffers

    def step(
        self, given: Sequence[Any], labels: torch.Tensor
    ) -> Callable[..., tuple[torch.Tensor, ...]]:
        """Capture a training step; its operations depend on nothing but the arguments' shapes.

        What is returned takes parameters, buffers, arguments (T, B, ...) and labels (T, B), and
        returns the gradients (T, ...) of every head's mean loss, in the order of the parameters.
        """
        head = self.head.train()

        def loss(
            parameters: State, buffers: State, given: tuple[Any, ...], labels: torch.Tensor
        ) -> torch.Tensor:
            output = functional_call(head, (parameters, buffers), given)
            return binary_cross_entropy_with_logits(output, labels)

        def gradients(*arguments: Any) -> tuple[torch.Tensor, ...]:
            return tuple(vmap(grad(loss))(*arguments).values())

        step = make_fx(gradients)(self.parameters, self.buffers, tuple(given), labels)
        step.graph.eliminate_dead_code()
        step.recompile()
        return torch.no_grad()(step)


class BatchedHeads(Heads):
    """T heads of one fusion strategy, run side by side."""

    def __init__(self, strategy: Strategy, widths: Sequence[int], *, seeds: Sequence[int]) -> None:
        super().__init__(partial(strategy, widths), seeds=seeds)
        self.head: Fusion
        self._captured = partial(_capture_step, strategy, tuple(widths), len(seeds))

    def gradients(self, inputs: Inputs, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the gradients of every head's mean loss on its batch; `labels` (T, B)."""
        given = (inputs.embeddings, inputs.logits, inputs.present)
        step = self._captured(labels.shape[1])
        return step(self.parameters, self.buffers, given, labels)

    @torch.no_grad()
    def logits(self, inputs: Inputs) -> torch.Tensor:
        """Return the served logits of every head (T, N); some patients at a time bound memory."""
        head = self.head.eval()
        run = vmap(lambda state, *given: functional_call(head, state, given))
        parts = zip(
            zip(*(z.split(_SERVED_AT_ONCE, dim=1) for z in inputs.embeddings), strict=True),
            inputs.logits.split(_SERVED_AT_ONCE, dim=1),
            inputs.present.split(_SERVED_AT_ONCE, dim=1),
            strict=True,
        )
        state = self.states()
        return torch.cat([run(state, list(z), votes, has) for z, votes, has in parts], dim=1)


@lru_cache(maxsize=_PROGRAMS_KEPT)
def _capture_step(
    strategy: Strategy, widths: tuple[int, ...], heads: int, batch_size: int
) -> Callable[..., tuple[torch.Tensor, ...]]:
    """Capture the training step of these heads once for all that ask for it."""
    case = (heads, batch_size)
    given = (
        [torch.zeros(*case, width) for width in widths],
        torch.zeros(*case, len(widths)),
        torch.ones(*case, len(widths), dtype=torch.bool),
    )
    return BatchedHeads(strategy, widths, seeds=range(heads)).step(given, torch.zeros(case))


def _build_seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return make()
