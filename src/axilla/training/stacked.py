"""Many small heads trained as one batched program: folds and rates side by side.

Each trial keeps its own patients, batches, dropout and initial weights, all drawn from its own
seed; what is shared is only the arithmetic. Heads are small, so one step of forty costs little
more than one step of one.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from axilla.models.fusion import Fusion
from axilla.preprocessing.augment import SERVED_VIEWS
from axilla.training.optimisation import Optimisation
from axilla.training.program import Inputs, Program, State

_GATHERED_STEPS = 16


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
    return grouped(
        (
            *(tuple(embedding.shape) for embedding in trial.embeddings),
            *steps_of(len(trial.train), batch_size),
        )
        for trial in trials
    )


def grouped(keys: Iterable[Hashable]) -> list[list[int]]:
    """Return the positions of equal keys together, in the order in which they first appear."""
    groups: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def steps_of(patients: int, batch_size: int) -> tuple[int, int]:
    """Return the size and the number of an epoch's full batches."""
    batch = min(batch_size, patients)
    return batch, -(-patients // batch)


def _train_group(
    strategy: type[Fusion], trials: Sequence[Trial], labels: torch.Tensor, *, schedule: Schedule
) -> list[Trained]:
    widths = [embedding.shape[2] for embedding in trials[0].embeddings]
    program = Program(strategy, widths, seeds=[trial.seed for trial in trials])
    inputs = _stack(trials)
    if program.parameters:
        _fit(program, inputs, trials, labels, schedule=schedule)
    served = [embedding[:, :, :SERVED_VIEWS].mean(2) for embedding in inputs.embeddings]
    logits = program.logits(replace(inputs, embeddings=served))
    states = program.states()
    return [
        Trained({name: tensor[i].clone() for name, tensor in states.items()}, logits[i])
        for i in range(len(trials))
    ]


def _stack(trials: Sequence[Trial]) -> Inputs:
    modalities = range(len(trials[0].embeddings))
    return Inputs(
        [torch.stack([trial.embeddings[m] for trial in trials]).nan_to_num_() for m in modalities],
        torch.stack([trial.logits for trial in trials]).nan_to_num_(),
        torch.stack([trial.present for trial in trials]),
    )


def _fit(
    program: Program,
    inputs: Inputs,
    trials: Sequence[Trial],
    labels: torch.Tensor,
    *,
    schedule: Schedule,
) -> None:
    rngs = [torch.Generator().manual_seed(trial.seed) for trial in trials]

    def gradients() -> Iterator[torch.Tensor]:
        epochs = [
            _draw(trial, schedule, dropout=program.head.input_dropout, rng=rng)
            for trial, rng in zip(trials, rngs, strict=True)
        ]
        for batch, truth in _batches(inputs, labels, epochs):
            yield program.gradient(batch, truth)

    descend(program.weights, gradients, schedule=schedule)


def descend(
    weights: torch.Tensor, gradients: Callable[[], Iterator[torch.Tensor]], *, schedule: Schedule
) -> None:
    """Optimise `weights` in place for all epochs, one step per gradient that an epoch yields."""
    optimiser, halving = schedule.optimisation.make([weights], rate_factor=schedule.rate_factor)
    for _ in range(schedule.epochs):
        for gradient in gradients():
            weights.grad = gradient
            optimiser.step()
        halving.step()


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One trial's epoch, drawn at once: what each of its steps sees of whom.

    `chosen` (steps, B) patients; per modality `views` (steps, B) and `scales` (steps, B, K), the
    dropout, or None without it; `withheld` (steps, B, M) bool, what is taken away, or None.
    """

    chosen: torch.Tensor
    views: list[torch.Tensor]
    scales: list[torch.Tensor | None]
    withheld: torch.Tensor | None


def _draw(trial: Trial, schedule: Schedule, *, dropout: float, rng: torch.Generator) -> _Epoch:
    chosen = shuffled_batches(trial.train, schedule.batch_size, rng)
    drawn = [torch.randint(e.shape[1], chosen.shape, generator=rng) for e in trial.embeddings]
    sizes = [(*chosen.shape, e.shape[2]) for e in trial.embeddings]
    scales = [draw_dropout(size, dropout, rng=rng) for size in sizes]
    withheld = None
    if schedule.modality_dropout:
        present = trial.present[chosen].flatten(0, 1)
        left = withhold(present, schedule.modality_dropout, rng=rng)
        withheld = (present & ~left).view(*chosen.shape, -1)
    return _Epoch(chosen, drawn, scales, withheld)


def draw_dropout(size: Sequence[int], rate: float, *, rng: torch.Generator) -> torch.Tensor | None:
    """Draw what embeddings are multiplied with; scaled so that expectations are unchanged."""
    return (torch.rand(size, generator=rng) >= rate) / (1 - rate) if rate else None


def _batches(
    inputs: Inputs, labels: torch.Tensor, epochs: Sequence[_Epoch]
) -> Iterator[tuple[Inputs, torch.Tensor]]:
    """Yield each step's patients of every trial (T, B), one random view each, and their labels."""
    modalities = range(len(inputs.embeddings))
    chosen = torch.stack([epoch.chosen for epoch in epochs], dim=1)
    views = [torch.stack([epoch.views[m] for epoch in epochs], dim=1) for m in modalities]
    scales = [_side_by_side([epoch.scales[m] for epoch in epochs]) for m in modalities]
    withheld = _side_by_side([epoch.withheld for epoch in epochs])
    rows = torch.arange(len(epochs)).view(1, -1, 1)
    # Some steps' patients are gathered at once: many small look-ups cost more than one.
    for start in range(0, len(chosen), _GATHERED_STEPS):
        steps = slice(start, start + _GATHERED_STEPS)
        patients = chosen[steps]
        seen = [inputs.embeddings[m][rows, patients, views[m][steps]] for m in modalities]
        kept = [
            embedding if scale is None else embedding * scale[steps]
            for embedding, scale in zip(seen, scales, strict=True)
        ]
        present = inputs.present[rows, patients]
        if withheld is not None:
            present = present & ~withheld[steps]
        votes, truth = inputs.logits[rows, patients], labels[patients]
        for step in range(len(patients)):
            yield Inputs([z[step] for z in kept], votes[step], present[step]), truth[step]


def _side_by_side(drawn: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """Stack what each trial's steps drew (steps, T, ...), if they drew any."""
    tensors = [tensor for tensor in drawn if tensor is not None]
    return torch.stack(tensors, dim=1) if tensors else None


def shuffled_batches(train: torch.Tensor, batch_size: int, rng: torch.Generator) -> torch.Tensor:
    """Shuffle the training patients into full batches (steps, batch)."""
    batch, steps = steps_of(len(train), batch_size)
    order = train[torch.randperm(len(train), generator=rng)]
    return torch.cat([order, order])[: steps * batch].view(steps, batch)


def withhold(present: torch.Tensor, rate: float, *, rng: torch.Generator) -> torch.Tensor:
    """Take one modality at random from a share `rate` of the cases (B, M) that have several."""
    draws = torch.rand(present.shape, generator=rng).where(present, -1.0)
    struck = torch.rand(len(present), generator=rng) < rate
    several = present.sum(1) > 1
    lost = draws == draws.amax(1, keepdim=True)
    return present & ~(lost & (struck & several).unsqueeze(1))
