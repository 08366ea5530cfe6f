"""Embeddings of fixed pretrained networks: once per image and view, kept by content."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from axilla.models.backbones import Backbone, find_backbone
from axilla.models.pretrained import identity_of, load_pretrained
from axilla.preprocessing.augment import random_views, served_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import resized
from axilla.records.digests import digest_of, seed_of
from axilla.records.progress import Progress
from axilla.records.study import PreprocessingSection
from axilla.training.pixels import Pixels, per_patient
from axilla.training.store import is_whole_array, write_array

_BATCH = 16


def store_embeddings(
    name: str,
    pixels: Pixels,
    *,
    settings: PreprocessingSection,
    pretrained: bool,
    seed: int,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> Path:
    """Embed a modality's images with a fixed backbone, unless the cache has them; return where."""
    views = (settings.crops, settings.crop_min_area, settings.outside_mask)
    start = identity_of(name) if pretrained else f"random {seed}"
    key = digest_of("embeddings", 1, name, pixels.digest, views, seed, start)
    path = cache / "embeddings" / f"{key}.npy"
    if not is_whole_array(path):
        network = fixed_backbone(name, pretrained=pretrained, seed=seed).to(device)
        images = _embed_images(
            network,
            pixels,
            backbone=find_backbone(name),
            settings=settings,
            seed=seed,
            progress=progress,
            label=f"Embedding {pixels.modality} with {name}",
        )
        write_array(path, [images.numpy()], shape=tuple(images.shape), dtype=np.float32)
    return path


def load_embeddings(path: Path, pixels: Pixels) -> torch.Tensor:
    """Return embeddings (N, V, D), bags averaged; NaN for patients without an image."""
    images = torch.from_numpy(np.load(path))
    return per_patient(images, pixels.owner, patients=pixels.patients)


def map_embeddings(path: Path) -> torch.Tensor:
    """Map the embeddings (I, V, D) of all images into memory; pages are read when touched."""
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def fixed_backbone(name: str, *, pretrained: bool, seed: int) -> nn.Module:
    """Build a backbone for inference, channels last, pretrained or from a seeded random start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = find_backbone(name).build()
    if pretrained:
        load_pretrained(name, network)
    return network.eval().to(memory_format=torch.channels_last)


@torch.inference_mode()
def _embed_images(
    network: nn.Module,
    pixels: Pixels,
    *,
    backbone: Backbone,
    settings: PreprocessingSection,
    seed: int,
    progress: Progress,
    label: str,
) -> torch.Tensor:
    device = next(network.parameters()).device
    planes = pixels.load()
    rng = torch.Generator().manual_seed(seed_of(seed, "crops", pixels.digest))

    def ready(view: torch.Tensor) -> torch.Tensor:
        return network_input(
            view.to(device),
            pixels.modality,
            expects=backbone.expects,
            outside_mask=settings.outside_mask,
        )

    rows: list[torch.Tensor] = []
    with progress.task(label, total=len(planes)) as advance:
        for stored in planes.split(_BATCH):
            batch = resized(stored, backbone.fixed_size_px or stored.shape[-1])
            # Mirrored once ready: the same values as the other way round, at a fifth of the cost.
            views = served_views(ready(batch)) + [
                ready(random_views(batch, min_area=settings.crop_min_area, rng=rng))
                for _ in range(settings.crops)
            ]
            rows.append(torch.stack([network(view) for view in views], dim=1).float().cpu())
            advance(len(batch))
    return torch.cat(rows)
