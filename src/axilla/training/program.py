"""Heads of one shape as one batched program, whose training step is captured once and replayed.

A step of a small head is a few hundred operations of microseconds each; what costs is Python,
`vmap` and autograd deciding anew, every step, which operations these are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.fusion import Fusion

State = dict[str, torch.Tensor]
Strategy = Callable[[Sequence[int]], Fusion]

_PROGRAMS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Inputs:
    """Stacked arguments of a strategy: embeddings (T, B, [V,] K), logits and presence (T, B, M)."""

    embeddings: list[torch.Tensor]
    logits: torch.Tensor
    present: torch.Tensor


class Program:
    """T heads of one strategy, parameters and buffers (T, ...), run side by side.

    Each head starts from its own seed, and none from the global random state.
    """

    def __init__(self, strategy: Strategy, widths: Sequence[int], *, seeds: Sequence[int]) -> None:
        with torch.random.fork_rng(devices=[]):
            heads = [_seeded(strategy, widths, seed) for seed in seeds]
        parameters, self.buffers = stack_module_state(list(heads))
        self.parameters = {name: tensor.detach() for name, tensor in parameters.items()}
        self.head = heads[0]
        self._captured = partial(_captured, strategy, tuple(widths), len(seeds))

    def gradients(self, inputs: Inputs, labels: torch.Tensor) -> State:
        """Return the gradients of every head's mean loss on its batch; `labels` (T, B)."""
        given = (inputs.embeddings, inputs.logits, inputs.present)
        step = self._captured(labels.shape[1])
        return step(self.parameters, self.buffers, given, labels)

    @torch.no_grad()
    def logits(self, inputs: Inputs) -> torch.Tensor:
        """Return the served logits of every head (T, B)."""
        head = self.head.eval()
        run = vmap(lambda state, *given: functional_call(head, state, given))
        result: torch.Tensor = run(self.states(), inputs.embeddings, inputs.logits, inputs.present)
        return result

    def states(self) -> State:
        """Return the parameters and buffers of all heads (T, ...)."""
        return self.parameters | self.buffers


@lru_cache(maxsize=_PROGRAMS_KEPT)
def _captured(
    strategy: Strategy, widths: tuple[int, ...], heads: int, batch_size: int
) -> Callable[..., State]:
    """Capture the operations of a training step; they depend on nothing but these arguments."""
    program = Program(strategy, widths, seeds=range(heads))
    head = program.head.train()

    def loss(
        parameters: State, buffers: State, given: tuple[torch.Tensor, ...], labels: torch.Tensor
    ) -> torch.Tensor:
        output = functional_call(head, (parameters, buffers), given)
        return binary_cross_entropy_with_logits(output, labels)

    case = (heads, batch_size)
    given = (
        [torch.zeros(*case, width) for width in widths],
        torch.zeros(*case, len(widths)),
        torch.ones(*case, len(widths), dtype=torch.bool),
    )
    capture = make_fx(vmap(grad(loss)))
    step = capture(program.parameters, program.buffers, given, torch.zeros(case))
    step.graph.eliminate_dead_code()
    step.recompile()
    return torch.no_grad()(step)


def _seeded(strategy: Strategy, widths: Sequence[int], seed: int) -> Fusion:
    torch.manual_seed(seed)
    return strategy(widths)
