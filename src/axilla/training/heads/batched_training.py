"""Many small heads trained as one batched program: folds, inner splits and rates side by side.

Each trial keeps its own patients, batches, dropout and initial weights, all drawn from its own
seed; what is shared is only the arithmetic. Heads are small, so one step of seventy costs little
more than one step of one. Trials with fewer patients have fewer steps, and are done earlier.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from axilla.models.fusion import Fusion
from axilla.preprocessing.augment import SERVED_VIEWS
from axilla.training.heads.batched_heads import BatchedHeads, Heads, Inputs, State
from axilla.training.networks.optimisation import Optimisation

_GATHERED_STEPS = 16


@dataclass(frozen=True, slots=True)
class HeadTrial:
    """One head to train: embeddings (N, V, K) per modality, logits and presence (N, M).

    Predictions use the mean of the first `served_views` views.
    """

    embeddings: tuple[torch.Tensor, ...]
    logits: torch.Tensor
    present: torch.Tensor
    train: torch.Tensor
    seed: int
    served_views: int = SERVED_VIEWS


@dataclass(frozen=True, slots=True)
class Schedule:
    """Training schedule of a family of heads; the factor of the rate is given apart.

    `modality_dropout` is the chance that a case with several modalities lacks one, drawn anew for
    every batch, so that the head learns to do without (as in Neverova et al., PAMI 2016).
    """

    optimisation: Optimisation
    batch_size: int
    epochs: int
    modality_dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """What a trial became: its head's state, and its logits of all patients (N,)."""

    state: State
    logits: torch.Tensor


def train_stacked(
    strategy: type[Fusion],
    trials: Sequence[HeadTrial],
    labels: torch.Tensor,
    *,
    schedule: Schedule,
    rate_factor: float = 1.0,
) -> list[TrainedHead]:
    """Train one head per trial, as `train_at_rates` does at one rate."""
    (trained,) = train_at_rates(
        strategy, trials, labels, schedule=schedule, rate_factors=(rate_factor,)
    )
    return trained


def train_at_rates(
    strategy: type[Fusion],
    trials: Sequence[HeadTrial],
    labels: torch.Tensor,
    *,
    schedule: Schedule,
    rate_factors: Sequence[float],
) -> list[list[TrainedHead]]:
    """Train one head per rate and trial; trials of unlike shape are trained in separate programs.

    `labels` (N,) float 0 or 1. Every batch is full: the last one of an epoch is filled up with
    patients from the epoch's start, so that batch norm never meets a batch of one. Heads of one
    trial differ by their rate alone: initial weights, batches and dropout are the same.
    """
    results: dict[int, list[TrainedHead]] = {}
    for positions in _alike(trials, schedule.batch_size):
        group = [trials[position] for position in positions]
        per_trial = _train_group(
            strategy, group, labels, schedule=schedule, rate_factors=rate_factors
        )
        results |= dict(zip(positions, per_trial, strict=True))
    return [
        [results[position][rate] for position in range(len(trials))]
        for rate in range(len(rate_factors))
    ]


def _alike(trials: Sequence[HeadTrial], batch_size: int) -> list[list[int]]:
    return group_positions(
        (
            *(tuple(embedding.shape) for embedding in trial.embeddings),
            trial.served_views,
            min(batch_size, len(trial.train)),
        )
        for trial in trials
    )


def group_positions(keys: Iterable[Hashable]) -> list[list[int]]:
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
    strategy: type[Fusion],
    trials: Sequence[HeadTrial],
    labels: torch.Tensor,
    *,
    schedule: Schedule,
    rate_factors: Sequence[float],
) -> list[list[TrainedHead]]:
    """Return, for each trial, its head at each rate."""
    widths = [embedding.shape[2] for embedding in trials[0].embeddings]
    # Heads that make as many steps stand together, so that an optimiser's group is one piece.
    steps = [steps_of(len(trial.train), schedule.batch_size)[1] for trial in trials]
    order = sorted(range(len(trials)), key=steps.__getitem__)
    ordered, rates = [trials[position] for position in order], len(rate_factors)
    program = BatchedHeads(strategy, widths, seeds=[trial.seed for trial in ordered] * rates)
    inputs = _stack(ordered)
    if program.parameters:
        counts = [steps[position] for position in order]
        descent = Descent(program, counts, schedule=schedule, rate_factors=rate_factors)
        batches = _batches(
            *(inputs, labels, ordered),
            steps=counts,
            schedule=schedule,
            dropout=program.head.input_dropout,
        )
        for batch, truth in batches:
            descent.step(program.gradients(_at_every_rate(batch, rates), truth.repeat(rates, 1)))
        descent.finish()
    served = [embedding[:, :, : ordered[0].served_views].mean(2) for embedding in inputs.embeddings]
    whole = Inputs(served, inputs.logits, inputs.present)
    logits = program.logits(_at_every_rate(whole, rates))
    states = program.states()
    found: list[list[TrainedHead]] = [[] for _ in trials]
    for place in range(len(logits)):
        state = {name: tensor[place].clone() for name, tensor in states.items()}
        found[order[place % len(trials)]].append(TrainedHead(state, logits[place].clone()))
    return found


def _stack(trials: Sequence[HeadTrial]) -> Inputs:
    modalities = range(len(trials[0].embeddings))
    return Inputs(
        [torch.stack([trial.embeddings[m] for trial in trials]).nan_to_num_() for m in modalities],
        torch.stack([trial.logits for trial in trials]).nan_to_num_(),
        torch.stack([trial.present for trial in trials]),
    )


def _at_every_rate(inputs: Inputs, rates: int) -> Inputs:
    """Repeat the inputs of T trials (T, ...) for the heads of every rate (rates x T, ...)."""
    if rates == 1:
        return inputs
    return Inputs(
        [z.repeat(rates, *[1] * (z.dim() - 1)) for z in inputs.embeddings],
        inputs.logits.repeat(rates, 1, 1),
        inputs.present.repeat(rates, 1, 1),
    )


@dataclass(slots=True)
class _Run:
    """Heads `rows` that share a rate and the number of steps of an epoch."""

    rows: slice
    rate_factor: float
    steps: int
    parameters: list[torch.Tensor]
    buffers: dict[str, torch.Tensor] = field(default_factory=dict)


class Descent:
    """Optimises stacked heads in place, each for its own number of steps at its own rate.

    Heads come rate by rate, and within a rate by ascending `steps` of an epoch, one count for each
    trial. A head whose epochs are over keeps its weights and buffers while others go on.
    """

    def __init__(
        self,
        heads: Heads,
        steps: Sequence[int],
        *,
        schedule: Schedule,
        rate_factors: Sequence[float],
    ) -> None:
        self._heads, self._schedule, self._done = heads, schedule, 0
        self._runs = [
            self._run(rate * len(steps) + steps.index(count), steps.count(count), factor, count)
            for rate, factor in enumerate(rate_factors)
            for count in dict.fromkeys(steps)
        ]
        self._optimiser = schedule.optimisation.optimiser_of(
            {"params": run.parameters} for run in self._runs
        )

    def step(self, gradients: Sequence[torch.Tensor]) -> None:
        """Take the next step of every head that has one left, by gradients (T, ...)."""
        optimisation, epochs = self._schedule.optimisation, self._schedule.epochs
        for run, group in zip(self._runs, self._optimiser.param_groups, strict=True):
            if self._done < run.steps * epochs:
                rate = optimisation.rate_at(self._done, steps=run.steps, epochs=epochs)
                group["lr"] = rate * run.rate_factor
                for parameter, gradient in zip(run.parameters, gradients, strict=True):
                    parameter.grad = gradient[run.rows]
        self._optimiser.step()
        self._done += 1
        for run in self._runs:
            if self._done == run.steps * epochs:
                self._stop(run)

    def finish(self) -> None:
        """Give heads that were done earlier back the buffers they had then."""
        for run in self._runs:
            for name, tensor in run.buffers.items():
                self._heads.buffers[name][run.rows] = tensor

    def _run(self, start: int, count: int, rate_factor: float, steps: int) -> _Run:
        rows = slice(start, start + count)
        parameters = [tensor[rows] for tensor in self._heads.parameters.values()]
        return _Run(rows, rate_factor, steps, parameters)

    def _stop(self, run: _Run) -> None:
        for parameter in run.parameters:
            parameter.grad = None
        run.buffers = {
            name: tensor[run.rows].clone() for name, tensor in self._heads.buffers.items()
        }


@dataclass(frozen=True, slots=True)
class _HeadEpoch:
    """Steps of one trial, drawn an epoch at a time: what each of them sees of whom.

    `chosen` (steps, B) patients; per modality `views` (steps, B) and `scales` (steps, B, K), the
    dropout, or None without it; `withheld` (steps, B, M) bool, what is taken away, or None.
    """

    chosen: torch.Tensor
    views: list[torch.Tensor]
    scales: list[torch.Tensor | None]
    withheld: torch.Tensor | None

    def part(self, steps: slice | list[int]) -> "_HeadEpoch":
        """Return some of the steps."""
        return _HeadEpoch(
            self.chosen[steps],
            [views[steps] for views in self.views],
            [None if scale is None else scale[steps] for scale in self.scales],
            None if self.withheld is None else self.withheld[steps],
        )

    def followed_by(self, other: "_HeadEpoch") -> "_HeadEpoch":
        """Return these steps and then those of `other`."""
        return _HeadEpoch(
            torch.cat([self.chosen, other.chosen]),
            [torch.cat(pair) for pair in zip(self.views, other.views, strict=True)],
            [_join(*pair) for pair in zip(self.scales, other.scales, strict=True)],
            _join(self.withheld, other.withheld),
        )


def _join(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
    return None if one is None or other is None else torch.cat([one, other])


def _draw(
    trial: HeadTrial, schedule: Schedule, *, dropout: float, rng: torch.Generator
) -> _HeadEpoch:
    chosen = shuffled_batches(trial.train, schedule.batch_size, rng)
    drawn = [torch.randint(e.shape[1], chosen.shape, generator=rng) for e in trial.embeddings]
    sizes = [(*chosen.shape, e.shape[2]) for e in trial.embeddings]
    scales = [draw_dropout(size, dropout, rng=rng) for size in sizes]
    withheld = None
    if schedule.modality_dropout:
        present = trial.present[chosen].flatten(0, 1)
        left = withhold(present, schedule.modality_dropout, rng=rng)
        withheld = (present & ~left).view(*chosen.shape, -1)
    return _HeadEpoch(chosen, drawn, scales, withheld)


def draw_dropout(size: Sequence[int], rate: float, *, rng: torch.Generator) -> torch.Tensor | None:
    """Draw what embeddings are multiplied with; scaled so that expectations are unchanged."""
    return (torch.rand(size, generator=rng) >= rate) / (1 - rate) if rate else None


def _batches(
    inputs: Inputs,
    labels: torch.Tensor,
    trials: Sequence[HeadTrial],
    *,
    steps: Sequence[int],
    schedule: Schedule,
    dropout: float,
) -> Iterator[tuple[Inputs, torch.Tensor]]:
    """Yield each step's patients of every trial (T, B), one random view each, and their labels.

    A trial that is done sees its last patients again until the longest is done too.
    """
    modalities = range(len(inputs.embeddings))
    drawn = [_Drawn(trial, schedule, dropout=dropout) for trial in trials]
    rows = torch.arange(len(trials)).view(1, -1, 1)
    longest = max(steps) * schedule.epochs
    # Some steps' patients are gathered at once: many small look-ups cost more than one.
    for start in range(0, longest, _GATHERED_STEPS):
        count = min(_GATHERED_STEPS, longest - start)
        parts = [one.take(count) for one in drawn]
        patients = torch.stack([part.chosen for part in parts], dim=1)
        seen = []
        for m in modalities:
            views = torch.stack([part.views[m] for part in parts], dim=1)
            scale = _side_by_side([part.scales[m] for part in parts])
            embedding = inputs.embeddings[m][rows, patients, views]
            seen.append(embedding if scale is None else embedding * scale)
        present = inputs.present[rows, patients]
        if (withheld := _side_by_side([part.withheld for part in parts])) is not None:
            present = present & ~withheld
        votes, truth = inputs.logits[rows, patients], labels[patients]
        for step in range(count):
            yield Inputs([z[step] for z in seen], votes[step], present[step]), truth[step]


class _Drawn:
    """A trial's steps in their order, drawn epoch by epoch as they are asked for."""

    def __init__(self, trial: HeadTrial, schedule: Schedule, *, dropout: float) -> None:
        self._trial, self._schedule, self._dropout = trial, schedule, dropout
        self._rng = torch.Generator().manual_seed(trial.seed)
        self._epochs_left = schedule.epochs
        self._ready = self._next_epoch()

    def take(self, count: int) -> _HeadEpoch:
        """Return the next `count` steps; after the last epoch, its last step again and again."""
        while len(self._ready.chosen) < count:
            missing = count - len(self._ready.chosen)
            more = self._next_epoch() if self._epochs_left else self._ready.part([-1] * missing)
            self._ready = self._ready.followed_by(more)
        taken = self._ready.part(slice(0, count))
        keeps_last = not self._epochs_left and len(self._ready.chosen) == count
        self._ready = self._ready.part(slice(-1 if keeps_last else count, None))
        return taken

    def _next_epoch(self) -> _HeadEpoch:
        self._epochs_left -= 1
        return _draw(self._trial, self._schedule, dropout=self._dropout, rng=self._rng)


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
