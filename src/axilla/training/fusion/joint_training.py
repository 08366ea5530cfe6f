"""Train a fusion strategy together with the networks it fuses, from their pretrained weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.backbones import find_backbone
from axilla.models.networks import JointNetwork, JointOutput
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.augment import random_views, served_views
from axilla.preprocessing.normalise import network_input
from axilla.records.types import Modality
from axilla.training.data.pixels import per_patient
from axilla.training.fusion.fusion_heads import withheld_patterns
from axilla.training.heads.batched_heads import State
from axilla.training.heads.batched_training import shuffled_batches, withhold
from axilla.training.networks.amp import resident, steps_in
from axilla.training.networks.fit_network import Bags, Recipe

_SERVING_BATCH = 32


@dataclass(frozen=True, slots=True)
class Features:
    """Features (N, W) of a modality without images, NaN for patients who lack it."""

    values: torch.Tensor

    @property
    def present(self) -> torch.Tensor:
        """Tell for each patient whether the modality is there (N,)."""
        return torch.isfinite(self.values).all(1)


@dataclass(frozen=True, slots=True)
class JointInputs:
    """All patients of a study by modality: images with their network's name, or features."""

    images: Mapping[Modality, tuple[str, Bags]]
    features: Mapping[Modality, Features]
    modalities: tuple[Modality, ...]
    labels: torch.Tensor

    @property
    def present(self) -> torch.Tensor:
        """Tell what each patient has (N, M)."""
        columns = []
        for modality in self.modalities:
            if modality in self.features:
                columns.append(self.features[modality].present)
            else:
                owner = torch.from_numpy(self.images[modality][1].owner)
                columns.append(torch.bincount(owner, minlength=len(self.labels)) > 0)
        return torch.stack(columns, dim=1)

    def network(self, strategy: str, *, pretrained: bool) -> JointNetwork:
        """Build the network, its backbones pretrained or as they are initialised."""
        parts: dict[Modality, str | int] = {
            m: self.images[m][0] if m in self.images else self.features[m].values.shape[1]
            for m in self.modalities
        }
        network = JointNetwork(strategy, parts)
        for modality, (name, _) in self.images.items():
            if pretrained:
                load_pretrained(name, network.network(modality).backbone)
        return network.to(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class JointCheckpoint:
    """A joint network after some epochs: its state, all patients' logits, those with less shown."""

    epochs: int
    state: State
    logits: torch.Tensor
    withheld: Mapping[str, torch.Tensor]


def fit_joint(
    recipe: Recipe,
    inputs: JointInputs,
    train: Sequence[int],
    *,
    checkpoints: Sequence[int],
    modality_dropout: float,
    seed: int,
    device: torch.device,
) -> list[JointCheckpoint]:
    """Train on patients `train`, one random image of each per epoch; `recipe.name` is the strategy.

    Every random draw comes from `seed`. Patients outside `train` are only predicted.
    """
    rng = torch.Generator().manual_seed(seed)
    present, kept = inputs.present, []
    usable = torch.tensor(train)[present[torch.tensor(train)].any(1)]
    planes = {m: resident(bags.planes, device) for m, (_, bags) in inputs.images.items()}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = inputs.network(recipe.name, pretrained=recipe.pretrained).to(device)
        optimiser, epochs = recipe.optimisation.optimiser_of(network.parameters()), max(checkpoints)
        for epoch in range(1, epochs + 1):
            network.train()
            batches = shuffled_batches(usable, recipe.batch_size, rng)
            for number, batch in enumerate(batches, start=(epoch - 1) * len(batches)):
                recipe.set_rate(optimiser, number, steps=len(batches), epochs=epochs)
                shown = (
                    withhold(present[batch], modality_dropout, rng=rng)
                    if modality_dropout
                    else present[batch]
                )
                drawn = _draw(recipe, inputs, planes, batch, rng=rng, device=device)
                with steps_in(recipe.precision, device):
                    output = network(drawn, shown.to(device))
                loss = _loss(output, inputs.labels[batch].to(device), shown.to(device))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if epoch in checkpoints:
                state = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
                kept.append(JointCheckpoint(epoch, state, *predict_joint(network, recipe, inputs)))
    return kept


@torch.inference_mode()
def predict_joint(
    network: JointNetwork, recipe: Recipe, inputs: JointInputs
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the logits (N,) of all patients, and by pattern those with modalities withheld.

    Embeddings are averaged over a patient's images and their mirror images before they are fused,
    as a bundle does.
    """
    network.eval()
    device = next(network.parameters()).device
    embeddings = [
        inputs.features[m].values.nan_to_num()
        if m in inputs.features
        else _embed_all(network, recipe, m, *inputs.images[m], patients=len(inputs.labels))
        for m in inputs.modalities
    ]
    on_device = [embedding.nan_to_num().to(device) for embedding in embeddings]

    def fuse_shown(shown: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        logits = network.fuse(on_device, shown.to(device)).fused.float().cpu()
        return logits.where(known, torch.nan)

    present = inputs.present
    withheld = {
        pattern: fuse_shown(shown, fewer)
        for pattern, shown, fewer in withheld_patterns(present, inputs.modalities)
    }
    return fuse_shown(present, present.any(1)), withheld


def _embed_all(
    network: JointNetwork,
    recipe: Recipe,
    modality: Modality,
    name: str,
    bags: Bags,
    *,
    patients: int,
) -> torch.Tensor:
    device = next(network.parameters()).device
    rows = []
    for batch in bags.planes.split(_SERVING_BATCH):
        everyone = torch.ones(len(batch), dtype=torch.bool, device=device)
        views = [
            network.embed(
                modality,
                network_input(
                    view.to(device),
                    bags.modality,
                    expects=find_backbone(name).expects,
                    outside_mask=recipe.outside_mask,
                ),
                everyone,
            )
            for view in served_views(batch, mirror=recipe.mirror)
        ]
        rows.append(torch.stack(views).mean(0).float().cpu())
    return per_patient(torch.cat(rows), bags.owner, patients=patients)


def _draw(
    recipe: Recipe,
    inputs: JointInputs,
    planes: Mapping[Modality, torch.Tensor],
    batch: torch.Tensor,
    *,
    rng: torch.Generator,
    device: torch.device,
) -> list[torch.Tensor]:
    """Return each modality's input of the batch: a random view of one random image, or features."""
    drawn = []
    for modality in inputs.modalities:
        if modality in inputs.features:
            drawn.append(inputs.features[modality].values[batch].to(device))
            continue
        name, bags = inputs.images[modality]
        views = random_views(
            planes[modality][_one_image(bags, batch, rng=rng)].to(device),
            min_area=recipe.crop_min_area,
            rng=rng,
        )
        drawn.append(
            network_input(
                views,
                bags.modality,
                expects=find_backbone(name).expects,
                outside_mask=recipe.outside_mask,
            )
        )
    return drawn


def _one_image(bags: Bags, batch: torch.Tensor, *, rng: torch.Generator) -> torch.Tensor:
    """Draw one image of each patient; any image stands in for one who has none, and is not used."""
    owner = torch.from_numpy(bags.owner)
    draws = torch.rand(len(batch), len(owner), generator=rng)
    return draws.where(owner == batch.unsqueeze(1), -1.0).argmax(1)


def _loss(output: JointOutput, labels: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Return the fused loss, and beside it what the probes of present modalities learn by."""
    fused = binary_cross_entropy_with_logits(output.fused.float(), labels)
    targets = labels.unsqueeze(1).expand_as(output.unimodal)
    each = binary_cross_entropy_with_logits(output.unimodal.float(), targets, reduction="none")
    return fused + (each * present).sum() / present.sum().clamp(min=1)
