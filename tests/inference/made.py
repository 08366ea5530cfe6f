"""Bundles with random networks, for the tests of what predicts with them."""

import torch

from axilla.inference.bundle import Bundle
from axilla.inference.manifest import Manifest, ModalityManifest, PreprocessingManifest
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.preprocessing.clinical import fit_encoder

SIDE_PX = 32
COMPONENTS = 4
TRAINED_ON = [{"age": 40.0, "er": "positive"}, {"age": 60.0, "er": "negative"}, {"age": 55.0}]
KINDS = {"age": "number", "er": "category"}


def tensors_of(modality, width, *, components):
    tensors = {
        f"{modality}.classifier.weight": torch.randn(1, width),
        f"{modality}.classifier.bias": torch.randn(1),
    }
    if components:
        tensors[f"{modality}.projection.mean"] = torch.randn(width)
        tensors[f"{modality}.projection.axes"] = torch.randn(width, components)
    return tensors


def randomised(network):
    """Give a network weights and batch-norm statistics that are not those of its start."""
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    return network


def manifest_of(strategy, parts, **changes):
    """Return the manifest of a model that fuses these parts."""
    values = {
        "axilla_version": "0",
        "study": "test",
        "outcome": "alnm",
        "positive": "1",
        "model": strategy,
        "strategy": strategy,
        "modalities": tuple(parts),
        "preprocessing": PreprocessingManifest(
            image_size_px=SIDE_PX, roi_margin=0.25, harmonise=True, outside_mask=0.4
        ),
        "threshold": 0.5,
        "threshold_rule": "half",
        "cohort_digest": "0",
        "patients": 3,
        "positives": 1,
        "masks_in_training": False,
    }
    return Manifest(**values | changes)


def make_bundle(strategy="multilayer", *, clinical=True, side_px=SIDE_PX):
    torch.manual_seed(0)
    tensors, parts, widths = {}, [], []
    for modality in ("ultrasound", "pathology"):
        backbone = randomised(find_backbone("plnet").build())
        tensors |= {f"{modality}.backbone.{k}": v for k, v in backbone.state_dict().items()}
        tensors |= tensors_of(modality, 128, components=COMPONENTS)
        parts.append(
            ModalityManifest(
                modality=modality, model=f"{modality}/plnet", backbone="plnet", side_px=side_px
            )
        )
        widths.append(COMPONENTS)
    if clinical:
        encoder = fit_encoder(TRAINED_ON, KINDS)
        tensors |= tensors_of("clinical", encoder.width, components=0)
        parts.append(
            ModalityManifest(
                modality="clinical", model="clinical/logistic", encoder=encoder.to_json()
            )
        )
        widths.append(encoder.width)
    fusion = randomised(fusions[strategy](widths))
    tensors |= {f"fusion.{name}": tensor for name, tensor in fusion.state_dict().items()}
    return Bundle(manifest_of(strategy, parts), tensors)
