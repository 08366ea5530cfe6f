"""Many small heads trained as one batched program: folds and rates side by side.

Each trial keeps its own patients, batches, dropout and initial weights, all drawn from its own
seed; what is shared is only the arithmetic. Heads are small, so one step of forty costs little
more than one step of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.fusion import Fusion
from axilla.preprocessing.augment import SERVED_VIEWS
from axilla.training.optimisation import Optimisation

State = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Trial:
    """One head to train: embeddings (N, V, K) per modality, logits and presence (N, M)."""

    embeddings: tuple[torch.Tensor, ...]
    logits: torch.Tensor
    present: torch.Tensor
    train: torch.Tensor
    seed: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a family of heads is trained, its first rate times `rate_factor`.

    `modality_dropout` is the chance that a case with several modalities lacks one, drawn anew for
    every batch, so that the head learns to do without (as in Neverova et al., PAMI 2016).
    """

    optimisation: Optimisation
    rate_factor: float
    batch_size: int
    epochs: int
    modality_dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What a trial became: its head's state, and its logits of all patients (N,)."""

    state: State
    logits: torch.Tensor


def train_stacked(
    strategy: type[Fusion],
    trials: Sequence[Trial],
    labels: torch.Tensor,
    *,
    schedule: Schedule,
) -> list[Trained]:
    """Train one head per trial; trials of unlike shape are trained in separate programs.

    `labels` (N,) float 0 or 1. Every batch is full: the last one of an epoch is filled up with
    patients from the epoch's start, so that batch norm never meets a batch of one.
    """
    results: list[Trained | None] = [None] * len(trials)
    for positions in _alike(trials, schedule.batch_size):
        group = [trials[position] for position in positions]
        for position, trained in zip(
            positions, _train_group(strategy, group, labels, schedule=schedule), strict=True
        ):
            results[position] = trained
    return [trained for trained in results if trained is not None]


def _alike(trials: Sequence[Trial], batch_size: int) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for position, trial in enumerate(trials):
        shapes = tuple(tuple(embedding.shape) for embedding in trial.embeddings)
        batch = min(batch_size, len(trial.train))
        groups.setdefault((shapes, batch, -(-len(trial.train) // batch)), []).append(position)
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Stacked arguments of a strategy: embeddings (T, B, [V,] K), logits and presence (T, B, M)."""

    embeddings: list[torch.Tensor]
    logits: torch.Tensor
    present: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Program:
    """One strategy with the parameters and buffers of all trials (T, ...), run side by side."""

    head: Fusion
    parameters: State
    buffers: State

    def __call__(self, inputs: _Inputs) -> torch.Tensor:
        """Return the logits of every trial (T, B)."""

        def one(
            state: State,
            fixed: State,
            z: list[torch.Tensor],
            votes: torch.Tensor,
            has: torch.Tensor,
        ) -> torch.Tensor:
            output: torch.Tensor = functional_call(self.head, (state, fixed), (z, votes, has))
            return output

        stacked = (inputs.embeddings, inputs.logits, inputs.present)
        result: torch.Tensor = vmap(one)(self.parameters, self.buffers, *stacked)
        return result


def _train_group(
    strategy: type[Fusion], trials: Sequence[Trial], labels: torch.Tensor, *, schedule: Schedule
) -> list[Trained]:
    heads = [_build(strategy, trial) for trial in trials]
    program = _Program(heads[0], *stack_module_state(heads))
    inputs = _stack(trials)
    if program.parameters:
        _fit(program, inputs, trials, labels, schedule=schedule)
    program.head.eval()
    with torch.no_grad():
        served = [embedding[:, :, :SERVED_VIEWS].mean(2) for embedding in inputs.embeddings]
        logits = program(replace(inputs, embeddings=served))
    states = program.parameters | program.buffers
    return [
        Trained({name: tensor[i].detach().clone() for name, tensor in states.items()}, logits[i])
        for i in range(len(trials))
    ]


def _stack(trials: Sequence[Trial]) -> _Inputs:
    modalities = range(len(trials[0].embeddings))
    return _Inputs(
        [torch.stack([trial.embeddings[m] for trial in trials]).nan_to_num() for m in modalities],
        torch.stack([trial.logits for trial in trials]).nan_to_num(),
        torch.stack([trial.present for trial in trials]),
    )


def _build(strategy: type[Fusion], trial: Trial) -> Fusion:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.seed)
        return strategy([embedding.shape[2] for embedding in trial.embeddings])


def _fit(
    program: _Program,
    inputs: _Inputs,
    trials: Sequence[Trial],
    labels: torch.Tensor,
    *,
    schedule: Schedule,
) -> None:
    optimiser, halving = schedule.optimisation.make(
        program.parameters.values(), rate_factor=schedule.rate_factor
    )
    rngs = [torch.Generator().manual_seed(trial.seed) for trial in trials]
    program.head.train()
    for _ in range(schedule.epochs):
        epoch = [
            shuffled_batches(trial.train, schedule.batch_size, rng)
            for trial, rng in zip(trials, rngs, strict=True)
        ]
        for chosen in torch.stack(epoch, dim=1):
            batch = _batch(inputs, chosen, dropout=program.head.input_dropout, rngs=rngs)
            batch = replace(
                batch, present=_withhold(batch.present, schedule.modality_dropout, rngs)
            )
            loss = binary_cross_entropy_with_logits(
                program(batch), labels[chosen], reduction="none"
            )
            optimiser.zero_grad()
            loss.mean(1).sum().backward()
            optimiser.step()
        halving.step()


def _batch(
    inputs: _Inputs, chosen: torch.Tensor, *, dropout: float, rngs: Sequence[torch.Generator]
) -> _Inputs:
    """Gather the chosen patients (T, B) of every trial, one random view each, with dropout."""
    rows = torch.arange(len(chosen)).unsqueeze(1)
    views = [_one_view(e, rows, chosen, rngs=rngs) for e in inputs.embeddings]
    return _Inputs(
        [_drop(view, dropout, rngs) for view in views],
        inputs.logits[rows, chosen],
        inputs.present[rows, chosen],
    )


def shuffled_batches(train: torch.Tensor, batch_size: int, rng: torch.Generator) -> torch.Tensor:
    """Shuffle the training patients into full batches (steps, batch)."""
    batch = min(batch_size, len(train))
    steps = -(-len(train) // batch)
    order = train[torch.randperm(len(train), generator=rng)]
    return torch.cat([order, order])[: steps * batch].view(steps, batch)


def _one_view(
    embedding: torch.Tensor,
    rows: torch.Tensor,
    chosen: torch.Tensor,
    *,
    rngs: Sequence[torch.Generator],
) -> torch.Tensor:
    views = embedding.shape[2]
    drawn = torch.stack([torch.randint(views, chosen.shape[1:], generator=rng) for rng in rngs])
    return embedding[rows, chosen, drawn]


def _drop(inputs: torch.Tensor, rate: float, rngs: Sequence[torch.Generator]) -> torch.Tensor:
    """Dropout with each trial's own generator; scaled so that expectations are unchanged."""
    if rate == 0:
        return inputs
    kept = torch.stack([torch.rand(inputs.shape[1:], generator=rng) for rng in rngs]) >= rate
    return inputs * kept / (1 - rate)


def _withhold(present: torch.Tensor, rate: float, rngs: Sequence[torch.Generator]) -> torch.Tensor:
    """Take one modality (T, B, M) from a share of the cases that have several."""
    if rate == 0:
        return present
    return torch.stack(
        [withhold(has, rate, rng=rng) for has, rng in zip(present, rngs, strict=True)]
    )


def withhold(present: torch.Tensor, rate: float, *, rng: torch.Generator) -> torch.Tensor:
    """Take one modality at random from a share `rate` of the cases (B, M) that have several."""
    draws = torch.rand(present.shape, generator=rng).where(present, -1.0)
    struck = torch.rand(len(present), generator=rng) < rate
    several = present.sum(1) > 1
    lost = draws == draws.amax(1, keepdim=True)
    return present & ~(lost & (struck & several).unsqueeze(1))
