"""Heads on bags of images, many side by side: pool and classifier are trained together.

As in `stacked`, each trial keeps its own patients, batches, views, dropout and initial weights,
all drawn from its own seed. Bags are padded to one length, so that no step loops over patients.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import torch

from axilla.models.pooling import BagHead, pooled_by, shares_in_bags
from axilla.preprocessing.augment import SERVED_VIEWS
from axilla.training.heads.batched_heads import Heads, State
from axilla.training.heads.batched_training import (
    Descent,
    Schedule,
    TrainedHead,
    draw_dropout,
    group_positions,
    shuffled_batches,
    steps_of,
)

TRAINED_IMAGES = 64
"""Of a larger bag every training step sees as many images, drawn anew; serving sees all."""

_GATHERED_IMAGES = 16
_PROGRAMS_KEPT = 32


@dataclass(frozen=True, slots=True)
class BagIndex:
    """Where each patient's images lie: `places` (N, L) in I, of which `held` (N, L) are theirs.

    `owner` (I,) is the patient of each image. Padding repeats a patient's own first image.
    """

    places: torch.Tensor
    held: torch.Tensor
    owner: torch.Tensor

    @classmethod
    def of(cls, owner: torch.Tensor, *, patients: int) -> "BagIndex":
        """Index the bags of `patients` by the owner (I,) of each image, at least one."""
        count = torch.bincount(owner, minlength=patients)
        order = torch.argsort(owner, stable=True)
        first = (count.cumsum(0) - count).unsqueeze(1)
        number = torch.arange(int(count.max()))
        held = number < count.unsqueeze(1)
        at = torch.where(held, first + number, first).clamp(max=len(owner) - 1)
        return cls(order[at], held, owner)

    @property
    def present(self) -> torch.Tensor:
        """Tell for each patient whether there is an image (N,)."""
        return self.held[:, 0]

    @property
    def patients(self) -> int:
        """Number of patients, with images or without."""
        return len(self.places)


@dataclass(frozen=True, slots=True)
class BagTrial:
    """One head to train: components (I, V, K) of all images, training patients (n,), a seed."""

    images: torch.Tensor
    train: torch.Tensor
    seed: int
    served_views: int = SERVED_VIEWS


class Served(NamedTuple):
    """What a head says of all patients: pooled views (N, V, K), logits (N,), NaN = no image."""

    vectors: torch.Tensor
    logits: torch.Tensor


def train_bags(
    pooling: str,
    trials: Sequence[BagTrial],
    labels: torch.Tensor,
    *,
    bags: BagIndex,
    schedule: Schedule,
    rate_factor: float = 1.0,
) -> list[TrainedHead]:
    """Train one pool and classifier per trial, in separate programs where shapes differ.

    `labels` (N,) float 0 or 1; `train` holds patients with an image. A batch is of bags, full as
    in `train_stacked`.
    """
    results: dict[int, TrainedHead] = {}
    keys = [(t.images.shape[2], *steps_of(len(t.train), schedule.batch_size)) for t in trials]
    for positions in group_positions(keys):
        group = [trials[position] for position in positions]
        states = _fit(pooling, group, labels, bags=bags, schedule=schedule, rate_factor=rate_factor)
        for position, trial, state in zip(positions, group, states, strict=True):
            served = serve_bags(
                pooling, state, trial.images, bags=bags, served_views=trial.served_views
            )
            results[position] = TrainedHead(state, served.logits)
    return [results[position] for position in range(len(trials))]


@torch.no_grad()
def serve_bags(
    pooling: str,
    state: State,
    images: torch.Tensor,
    *,
    bags: BagIndex,
    served_views: int = SERVED_VIEWS,
) -> Served:
    """Pool and judge every patient's whole bag, as a bundle does.

    An image's share comes from the mean of its original and mirror image, and is that of all its
    views: pooling the views and averaging them may be done in either order.
    """
    with torch.device("meta"):  # no weights are drawn that the state replaces anyway
        head = BagHead(pooling, images.shape[2])
    head.load_state_dict(state, assign=True)
    scores = head.pool.scores(images[:, :served_views].mean(1))
    shares = shares_in_bags(scores, bags.owner, bags=bags.patients)
    vectors = pooled_by(shares, images, bags.owner, bags=bags.patients)
    return Served(vectors, head.output(vectors[:, :served_views].mean(1)).squeeze(1))


def _fit(
    pooling: str,
    trials: Sequence[BagTrial],
    labels: torch.Tensor,
    *,
    bags: BagIndex,
    schedule: Schedule,
    rate_factor: float,
) -> list[State]:
    width = trials[0].images.shape[2]
    heads = Heads(partial(BagHead, pooling, width), seeds=[trial.seed for trial in trials])
    images = torch.stack([trial.images for trial in trials])
    rngs = [torch.Generator().manual_seed(trial.seed) for trial in trials]
    _, steps = steps_of(len(trials[0].train), schedule.batch_size)
    descent = Descent(heads, [steps] * len(trials), schedule=schedule, rate_factors=(rate_factor,))
    for _ in range(schedule.epochs):
        epochs = [
            _draw(trial, bags, schedule, rng=rng) for trial, rng in zip(trials, rngs, strict=True)
        ]
        for batch, truth in _batches(images, labels, epochs):
            length = batch[0].shape[2]
            step = _capture_step(pooling, width, len(trials), truth.shape[1], length=length)
            descent.step(step(heads.parameters, heads.buffers, batch, truth))
    descent.finish()
    states = heads.states()
    return [{name: t[place].clone() for name, t in states.items()} for place in range(len(trials))]


@lru_cache(maxsize=_PROGRAMS_KEPT)
def _capture_step(
    pooling: str, width: int, heads: int, batch_size: int, *, length: int
) -> Callable[..., tuple[torch.Tensor, ...]]:
    """Capture the training step of these heads once for all that ask for it."""
    case = (heads, batch_size)
    given = (
        torch.zeros(*case, length, width),
        torch.ones(*case, length, dtype=torch.bool),
        torch.ones(*case, width),
    )
    program = Heads(partial(BagHead, pooling, width), seeds=range(heads))
    return program.step(given, torch.zeros(case))


@dataclass(frozen=True, slots=True)
class _BagEpoch:
    """One trial's epoch, drawn at once: what each of its steps sees of whom.

    `chosen` (steps, B) patients; `places`, `held` and `views` (steps, B, L) their images; `scale`
    (steps, B, K), the dropout.
    """

    chosen: torch.Tensor
    places: torch.Tensor
    held: torch.Tensor
    views: torch.Tensor
    scale: torch.Tensor


def _draw(
    trial: BagTrial, bags: BagIndex, schedule: Schedule, *, rng: torch.Generator
) -> _BagEpoch:
    chosen = shuffled_batches(trial.train, schedule.batch_size, rng)
    places, held = bags.places[chosen], bags.held[chosen]
    if held.shape[2] > TRAINED_IMAGES:
        order = torch.rand(held.shape, generator=rng).where(held, -1.0)
        seen = order.topk(TRAINED_IMAGES, dim=2).indices
        places, held = places.gather(2, seen), held.gather(2, seen)
    views = torch.randint(trial.images.shape[1], places.shape, generator=rng)
    size = (*chosen.shape, trial.images.shape[2])
    scale = draw_dropout(size, BagHead.input_dropout, rng=rng)
    return _BagEpoch(chosen, places, held, views, torch.ones(size) if scale is None else scale)


def _batches(
    images: torch.Tensor, labels: torch.Tensor, epochs: Sequence[_BagEpoch]
) -> Iterator[tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]]:
    """Yield each step's bags of every trial (T, B, L, K), what they hold, dropout and labels."""
    chosen = torch.stack([epoch.chosen for epoch in epochs], dim=1)
    places = torch.stack([epoch.places for epoch in epochs], dim=1)
    held = torch.stack([epoch.held for epoch in epochs], dim=1)
    views = torch.stack([epoch.views for epoch in epochs], dim=1)
    scales = torch.stack([epoch.scale for epoch in epochs], dim=1)
    rows = torch.arange(len(epochs)).view(1, -1, 1, 1)
    # Short bags are gathered for some steps at once: many small look-ups cost more than one.
    at_once = max(1, _GATHERED_IMAGES // places.shape[3])
    for start in range(0, len(chosen), at_once):
        steps = slice(start, start + at_once)
        seen = images[rows, places[steps], views[steps]]
        truth = labels[chosen[steps]]
        for number in range(len(seen)):
            step = start + number
            yield (seen[number], held[step], scales[step]), truth[number]
