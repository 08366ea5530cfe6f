"""Train one network on images: transfer learning, or from scratch where nothing is pretrained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.backbones import find_backbone
from axilla.models.networks import Network
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.augment import count_served_views, random_views, served_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import resize_planes
from axilla.records.types import ImageModality, InputFormat
from axilla.training.data.pixels import per_patient
from axilla.training.heads.batched_heads import State
from axilla.training.heads.batched_training import shuffled_batches
from axilla.training.networks.amp import Precision, resident, steps_in
from axilla.training.networks.optimisation import Optimisation

_SERVING_BATCH = 32


@dataclass(frozen=True, slots=True)
class Bags:
    """Planes (I, C, S, S) uint8 of one modality, the patient who owns each image, labels (N,)."""

    planes: torch.Tensor
    owner: NDArray[np.int64]
    labels: torch.Tensor
    modality: ImageModality

    def of(self, positions: Sequence[int]) -> torch.Tensor:
        """Return the images (positions in I) of these patients."""
        return torch.from_numpy(np.flatnonzero(np.isin(self.owner, positions)))

    def resize(self, side_px: int) -> "Bags":
        """Return the same images at another input side."""
        return replace(self, planes=resize_planes(self.planes, side_px))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained; `precision` is that of training steps, predictions are float32."""

    name: str
    optimisation: Optimisation
    rate_factor: float
    batch_size: int
    pretrained: bool
    crop_min_area: float
    outside_mask: float
    precision: Precision = "float32"
    mirror: bool = True

    @property
    def expects(self) -> InputFormat:
        """What the network expects of its input."""
        return find_backbone(self.name).expects

    def set_rate(
        self, optimiser: torch.optim.Optimizer, step: int, *, steps: int, epochs: int
    ) -> None:
        """Set the rate of a step (from 0) of training for `epochs` of `steps` each."""
        rate = self.optimisation.rate_at(step, steps=steps, epochs=epochs) * self.rate_factor
        for group in optimiser.param_groups:
            group["lr"] = rate


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network after some epochs: its state, embeddings (N, V, D) and logits (N,) of `watch`."""

    epochs: int
    state: State
    embedding: torch.Tensor
    logits: torch.Tensor


def fit_network(
    recipe: Recipe,
    bags: Bags,
    train: Sequence[int],
    *,
    watch: Sequence[int],
    checkpoints: Sequence[int],
    seed: int,
    device: torch.device,
) -> list[Checkpoint]:
    """Train on the images of patients `train`; keep the state after each number of epochs.

    At each checkpoint the patients in `watch` are predicted; they are never trained on. Every
    random draw comes from `seed`.
    """
    images, rng = bags.of(train), torch.Generator().manual_seed(seed)
    planes, targets = resident(bags.planes, device), bags.labels[torch.from_numpy(bags.owner)]
    kept: list[Checkpoint] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _start(recipe).to(device)
        optimiser, epochs = recipe.optimisation.optimiser_of(network.parameters()), max(checkpoints)
        for epoch in range(1, epochs + 1):
            network.train()
            batches = shuffled_batches(images, recipe.batch_size, rng)
            for number, batch in enumerate(batches, start=(epoch - 1) * len(batches)):
                recipe.set_rate(optimiser, number, steps=len(batches), epochs=epochs)
                views = random_views(
                    planes[batch].to(device), min_area=recipe.crop_min_area, rng=rng
                )
                with steps_in(recipe.precision, device):
                    logits = network(_input(views, recipe, bags.modality)).logit
                loss = binary_cross_entropy_with_logits(logits.float(), targets[batch].to(device))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if epoch in checkpoints:
                state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
                kept.append(
                    Checkpoint(epoch, state, *predict_network(network, recipe, bags, watch))
                )
    return kept


def restore(recipe: Recipe, state: State, *, device: torch.device) -> Network:
    """Build the recipe's network with a checkpoint's state."""
    network = Network(recipe.name)
    network.load_state_dict(state)
    return network.to(memory_format=torch.channels_last).to(device)


@torch.inference_mode()
def predict_network(
    network: Network, recipe: Recipe, bags: Bags, patients: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings (N, V, D) by served view, and logits (N,); NaN for other patients."""
    network.eval()
    device = next(network.parameters()).device
    images, total = bags.of(patients), len(bags.labels)
    if not len(images):
        size = (total, count_served_views(mirror=recipe.mirror), network.classifier.in_features)
        return torch.full(size, torch.nan), torch.full((total,), torch.nan)
    embedded, scored = [], []
    for batch in images.split(_SERVING_BATCH):
        outputs = [
            network(_input(view.to(device), recipe, bags.modality))
            for view in served_views(bags.planes[batch], mirror=recipe.mirror)
        ]
        embedded.append(torch.stack([output.embedding for output in outputs], dim=1).cpu())
        scored.append(torch.stack([output.logit for output in outputs], dim=1).mean(1).cpu())
    owner = bags.owner[images.numpy()]
    return (
        per_patient(torch.cat(embedded), owner, patients=total),
        per_patient(torch.cat(scored), owner, patients=total),
    )


def _start(recipe: Recipe) -> Network:
    network = Network(recipe.name)
    if recipe.pretrained:
        load_pretrained(recipe.name, network.backbone)
    return network.to(memory_format=torch.channels_last)


def _input(planes: torch.Tensor, recipe: Recipe, modality: ImageModality) -> torch.Tensor:
    return network_input(planes, modality, expects=recipe.expects, outside_mask=recipe.outside_mask)
