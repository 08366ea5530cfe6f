"""A bundle's whole way from one image to the logit, for gradients to follow back."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import torch

from axilla.explanation.methods.class_activation import Score, spatial_layer
from axilla.inference.bundle import Bundle
from axilla.inference.modality_networks import (
    ModalityNetworks,
    fusion_of,
    misfit,
    part_of,
    pixel_settings,
)
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.models.pooling import pooled_by, shares_in_bags
from axilla.preprocessing.augment import served_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import prepare, resize_planes
from axilla.records.errors import BundleError, ConfigError
from axilla.records.patients import ImageFile, Patient
from axilla.records.types import IMAGE_MODALITIES, ImageModality, Modality

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Images:
    """All images of one modality: uint8 planes (I, C, S, S), embeddings (I, D), whose each is.

    `share` (I,) is how much an image counts in its patient's bag.
    """

    files: tuple[ImageFile, ...]
    owner: torch.Tensor
    planes: torch.Tensor
    embeddings: torch.Tensor
    share: torch.Tensor


@dataclass(frozen=True, slots=True)
class Described:
    """What a model makes of N cases before it fuses them.

    `components` are (N, K) per modality, pooled over a case's images, `logits` and `present`
    (N, M), all in the bundle's order of modalities; absent is 0 and False.
    """

    images: Mapping[ImageModality, Images]
    components: tuple[torch.Tensor, ...]
    logits: torch.Tensor
    present: torch.Tensor


class CaseModel:
    """Runs a bundle so that a case's logit can be followed back to each of its images."""

    def __init__(self, bundle: Bundle, *, device: torch.device | None = None) -> None:
        """Build the bundle's networks; raise `BundleError` if its tensors do not fit them."""
        keep_freed_memory()
        self.manifest = bundle.manifest
        self.device = device or torch.device("cpu")
        self.pixels = pixel_settings(bundle.manifest)
        try:
            parts = [part_of(bundle, m, device=self.device) for m in bundle.manifest.modalities]
            self.fusion = fusion_of(bundle)
        except (RuntimeError, LookupError, TypeError, ConfigError) as error:
            raise misfit() from error
        self.parts: dict[Modality, ModalityNetworks] = {
            part.manifest.modality: part for part in parts
        }
        for part in parts:
            if part.backbone is not None:
                part.backbone.requires_grad_(requires_grad=False)
        self.original: CaseModel | None = None
        self._layers: dict[ImageModality, str] = {}

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that the model knows, in the bundle's order."""
        return tuple(self.parts)

    @property
    def image_modalities(self) -> tuple[ImageModality, ...]:
        """Those of them that are images."""
        return tuple(m for m in IMAGE_MODALITIES if m in self.parts)

    @property
    def mirror(self) -> bool:
        """Tell whether the model sees the mirror image beside every image."""
        return self.manifest.preprocessing.mirror

    def network(self, modality: ImageModality) -> torch.nn.Module:
        """Return the backbone of an image modality."""
        backbone = self.parts[modality].backbone
        if backbone is None:
            raise BundleError("an image part without its backbone; copy the bundle again.")
        return backbone

    def twin(self) -> Self:
        """Return a copy to change the weights of; maps of both are of the same layers."""
        other = deepcopy(self)
        other.original = self
        return other

    def layer_of(self, modality: ImageModality, example: torch.Tensor) -> str:
        """Return the name of the layer that class activation maps of a modality are made at.

        `example` (B, K, S, S) is one of its network's inputs. Raises `ConfigError` if it has none.
        """
        if self.original is not None:
            return self.original.layer_of(modality, example)
        if modality not in self._layers:
            network = self.network(modality)
            layer = spatial_layer(network, example)
            names = {module: str(name) for name, module in network.named_modules()}
            self._layers[modality] = names[layer]
        return self._layers[modality]

    def views(self, planes: torch.Tensor, modality: ImageModality) -> torch.Tensor:
        """Return network inputs (VB, K, S, S): the images as stored, then, if served, mirrored."""
        manifest = self.parts[modality].manifest
        sized = resize_planes(planes, manifest.side_px or planes.shape[-1])
        return torch.cat(
            [
                network_input(
                    view.to(self.device),
                    modality,
                    expects=find_backbone(manifest.backbone or "").expects,
                    outside_mask=self.manifest.preprocessing.outside_mask,
                )
                for view in served_views(sized, mirror=self.mirror)
            ]
        )

    @torch.no_grad()
    def embed(self, planes: torch.Tensor, modality: ImageModality) -> torch.Tensor:
        """Return the embeddings (B, D) of stored planes, the mean over their views."""
        embedded = self.network(modality)(self.views(planes, modality))
        mean: torch.Tensor = embedded.view(-1, len(planes), embedded.shape[1]).mean(0)
        return mean.float()

    @torch.no_grad()
    def describe(self, cases: Sequence[Patient]) -> Described:
        """Embed and pool everything that the cases bring; raise `UnreadableImage`, `RoiError`."""
        images: dict[ImageModality, Images] = {}
        components, logits, present = [], [], []
        for modality, part in self.parts.items():
            if modality == "clinical":
                raw = self._clinical(part, cases)
            else:
                images[modality] = self._images(modality, cases)
                raw = _pool_cases(images[modality], cases=len(cases))
            there = torch.isfinite(raw[:, 0])
            filled = raw.nan_to_num()
            components.append(part.components(filled))
            logits.append((filled @ part.weight.T + part.bias).squeeze(1))
            present.append(there)
        shown = torch.stack(present, dim=1)
        votes = torch.stack(logits, dim=1).where(shown, 0.0)
        return Described(images, tuple(components), votes, shown)

    def fuse(
        self, components: Sequence[torch.Tensor], logits: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Return the logit (N,) of pooled cases; of a bundle without fusion, its only model's."""
        return self.fusion(components, logits, present) if self.fusion else logits[:, 0]

    def score_of(self, modality: ImageModality, which: torch.Tensor, described: Described) -> Score:
        """Return the logit of the owners of images `which` (B,) as a function of their embedding.

        Everything else of these patients stays as it is: other modalities, other images of a bag.
        """
        part, place = self.parts[modality], self.modalities.index(modality)
        images = described.images[modality]
        owner = images.owner[which]
        bags, held, position = _bags_of(images, which)
        rows = torch.arange(len(which))

        def score(embedding: torch.Tensor) -> torch.Tensor:
            replaced = bags.clone()
            replaced[rows, position] = embedding.cpu()
            seen = part.components(replaced)
            pooled = part.pool(seen, held)
            raw = (pooled.shares.unsqueeze(-1) * replaced).sum(1)
            components = [block[owner] for block in described.components]
            components[place] = pooled.vectors
            logits = described.logits[owner].clone()
            logits[:, place] = (raw @ part.weight.T + part.bias).squeeze(1)
            return self.fuse(components, logits, described.present[owner])

        return score

    def _images(self, modality: ImageModality, cases: Sequence[Patient]) -> Images:
        files = [(row, file) for row, case in enumerate(cases) for file in case.images(modality)]
        part = self.parts[modality]
        planes, embedded = [], []
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            stored = torch.stack([prepare(f, modality, settings=self.pixels) for _, f in batch])
            planes.append(stored)
            embedded.append(self.embed(stored, modality).cpu())
        owner = torch.tensor([row for row, _ in files], dtype=torch.long)
        whole = torch.cat(embedded) if embedded else torch.zeros(0, part.weight.shape[1])
        return Images(
            tuple(file for _, file in files),
            owner,
            torch.cat(planes) if planes else torch.zeros(0, dtype=torch.uint8),
            whole,
            shares_in_bags(part.pool.scores(part.components(whole)), owner, bags=len(cases)),
        )

    def _clinical(self, part: ModalityNetworks, cases: Sequence[Patient]) -> torch.Tensor:
        if part.encoder is None:
            raise BundleError("a clinical part without its encoder; copy the bundle again.")
        features = torch.from_numpy(part.encoder([case.clinical for case in cases]))
        absent = torch.tensor([not case.has("clinical") for case in cases], dtype=torch.bool)
        return features.masked_fill(absent.unsqueeze(1), torch.nan)


def _pool_cases(images: Images, *, cases: int) -> torch.Tensor:
    return pooled_by(images.share, images.embeddings, images.owner, bags=cases)


def _bags_of(
    images: Images, which: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the bags (B, L, D) that images belong to, what they hold (B, L), and where (B,)."""
    members = [torch.nonzero(images.owner == images.owner[i]).squeeze(1) for i in which]
    longest = max(len(bag) for bag in members)
    bags = torch.zeros(len(which), longest, images.embeddings.shape[1])
    held = torch.zeros(len(which), longest, dtype=torch.bool)
    position = torch.zeros(len(which), dtype=torch.long)
    for row, (image, bag) in enumerate(zip(which, members, strict=True)):
        bags[row, : len(bag)] = images.embeddings[bag]
        held[row, : len(bag)] = True
        position[row] = int(torch.nonzero(bag == image))
    return bags, held, position
