"""A bundle's networks, built from its tensors: what each modality needs to be predicted from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn

from axilla.inference.bundle import Bundle
from axilla.inference.manifest import Manifest, ModalityManifest
from axilla.inference.ood import Reference
from axilla.models.backbones import find_backbone
from axilla.models.fusion import Fusion, fusions
from axilla.models.pca import Projection
from axilla.models.pooling import Pool, pools
from axilla.preprocessing.clinical import ClinicalEncoder
from axilla.preprocessing.prepare import PixelSettings
from axilla.records.errors import BundleError, Problem
from axilla.records.types import Modality

REFERENCE_TENSORS: Final = ("mean", "covariance", "distances")


@dataclass(frozen=True, slots=True)
class ModalityNetworks:
    """One modality's networks, ready to run."""

    manifest: ModalityManifest
    backbone: nn.Module | None
    encoder: ClinicalEncoder | None
    projection: Projection | None
    weight: torch.Tensor
    bias: torch.Tensor
    pool: Pool
    reference: Reference | None = None

    def components(self, raw: torch.Tensor) -> torch.Tensor:
        """Return what fusion and pooling see of embeddings (..., D): (..., K)."""
        return self.projection(raw) if self.projection else raw


def pixel_settings(manifest: Manifest) -> PixelSettings:
    """Return how the bundle's images are prepared."""
    settings = manifest.preprocessing
    return PixelSettings(
        image_size_px=settings.image_size_px,
        roi_margin=settings.roi_margin,
        harmonise=settings.harmonise,
        stain=settings.stain,
    )


def part_of(
    bundle: Bundle, manifest: ModalityManifest, *, device: torch.device
) -> ModalityNetworks:
    """Build one modality's networks from a bundle's tensors; raise `BundleError` on a misfit."""
    prefix = manifest.modality
    backbone = None
    if manifest.backbone is not None:
        backbone = find_backbone(manifest.backbone).build()
        backbone.load_state_dict(bundle.part(f"{prefix}.backbone"))
        backbone = backbone.eval().to(memory_format=torch.channels_last).to(device)
    projection = bundle.part(f"{prefix}.projection")
    classifier = bundle.part(f"{prefix}.classifier")
    encoder = ClinicalEncoder.from_json(manifest.encoder) if manifest.encoder is not None else None
    width = encoder.width if encoder else find_backbone(manifest.backbone or "").embedding_dim
    inputs = [classifier["weight"].shape[1], *(projection[k].shape[0] for k in projection)]
    if any(size != width for size in inputs):
        raise misfit()
    return ModalityNetworks(
        manifest,
        backbone,
        encoder,
        Projection(mean=projection["mean"], axes=projection["axes"]) if projection else None,
        classifier["weight"],
        classifier["bias"],
        _pool(bundle, manifest),
        _reference(bundle, manifest),
    )


def _reference(bundle: Bundle, manifest: ModalityManifest) -> Reference | None:
    """Return the training patients in short, if the bundle has them."""
    if manifest.reference_patients is None:
        return None
    state = bundle.part(f"{manifest.modality}.reference")
    mean, covariance, distances = (
        state[name].numpy().astype(np.float64) for name in REFERENCE_TENSORS
    )
    width = _width(bundle, manifest.modality)
    shapes = ((width,), (width, width), (manifest.reference_patients,))
    if (mean.shape, covariance.shape, distances.shape) != shapes:
        raise misfit()
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise misfit() from error
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise misfit()
    return Reference(mean, covariance, np.sort(distances))


def _pool(bundle: Bundle, manifest: ModalityManifest) -> Pool:
    pool = pools[manifest.pooling](_width(bundle, manifest.modality))
    pool.load_state_dict(bundle.part(f"{manifest.modality}.pooling"))
    return pool.eval()


def misfit() -> BundleError:
    """Return the error that a bundle's tensors are not those of its networks."""
    return BundleError(
        Problem(
            "bundle",
            "tensors that do not fit its networks",
            "those it was written with",
            "Copy the bundle again.",
        )
    )


def fusion_of(bundle: Bundle) -> Fusion | None:
    """Build the bundle's fusion strategy, if it has one."""
    if bundle.manifest.strategy is None:
        return None
    fusion = fusions[bundle.manifest.strategy](
        [_width(bundle, part.modality) for part in bundle.manifest.modalities]
    )
    fusion.load_state_dict(bundle.part("fusion"))
    return fusion.eval()


def _width(bundle: Bundle, modality: Modality) -> int:
    """Return the number of components a modality brings into fusion."""
    projection = bundle.part(f"{modality}.projection")
    shape = (
        projection["axes"].shape
        if projection
        else bundle.part(f"{modality}.classifier")["weight"].shape
    )
    return int(shape[1])
