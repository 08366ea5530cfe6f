"""Models whose reasons are known, and cases for them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from axilla.explanation.methods.case_model import CaseModel
from axilla.explanation.methods.explainer import Explainer, Maps
from axilla.inference.bundle import Bundle
from axilla.inference.manifest import Manifest, ModalityManifest, PreprocessingManifest
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.pooling import pools
from axilla.records.patients import ImageFile, Patient

WIDTH = 128  # of PLNet's embedding
COMPONENTS = 4
SIDE_PX = 56  # four pixels per cell of the grid
CORNER_PX = 16


def bundle_of(*, modalities, side_px, strategy, pooling="mean", components=0):
    torch.manual_seed(0)
    tensors, parts = {}, []
    for modality in modalities:
        backbone = find_backbone("plnet").build()
        for parameter in backbone.parameters():
            nn.init.normal_(parameter, std=0.3)
        tensors |= {f"{modality}.backbone.{k}": v for k, v in backbone.state_dict().items()}
        tensors[f"{modality}.classifier.weight"] = torch.randn(1, WIDTH) / WIDTH
        tensors[f"{modality}.classifier.bias"] = torch.zeros(1)
        if components:
            tensors[f"{modality}.projection.mean"] = torch.randn(WIDTH)
            tensors[f"{modality}.projection.axes"] = torch.randn(WIDTH, components) / WIDTH
        pool = pools[pooling](components or WIDTH)
        tensors |= {f"{modality}.pooling.{k}": v for k, v in pool.state_dict().items()}
        parts.append(
            ModalityManifest(
                modality=modality,
                model=f"{modality}/plnet",
                backbone="plnet",
                side_px=side_px,
                pooling=pooling,
            )
        )
    if strategy:
        fusion = fusions[strategy]([components or WIDTH] * len(parts))
        tensors |= {f"fusion.{k}": v for k, v in fusion.state_dict().items()}
    manifest = Manifest(
        axilla_version="0",
        study="toy",
        outcome="alnm",
        positive="1",
        model="toy",
        strategy=strategy,
        modalities=tuple(parts),
        preprocessing=PreprocessingManifest(
            image_size_px=side_px, roi_margin=0.2, harmonise=False, outside_mask=0.4
        ),
        threshold=0.5,
        threshold_rule="youden",
        cohort_digest="0",
        patients=9,
        positives=4,
        masks_in_training=True,
    )
    return Bundle(manifest, tensors)


class Energy(nn.Module):
    """The plane (B, 1, S/4, S/4) of fine texture where a window says to look."""

    def __init__(self, window):
        super().__init__()
        self.window = nn.Parameter(window)

    def forward(self, images):
        grey = images[:, :1]
        fine = grey - functional.avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)
        return functional.avg_pool2d(fine.square() * self.window, 4)


class CornerNetwork(nn.Module):
    """Sees the texture of the upper left corner, and through mirroring of the upper right."""

    def __init__(self):
        super().__init__()
        window = torch.zeros(SIDE_PX, SIDE_PX)
        window[:CORNER_PX, :CORNER_PX] = 1
        self.energy = Energy(window)

    def forward(self, images):
        seen = self.energy(images).mean((2, 3))
        return functional.pad(seen, (0, WIDTH - 1))


@dataclass
class Drawn:
    """An explainer that draws what a function of the images' planes (B, C, S, S) says."""

    draw: object
    method: str = "drawn"
    model: CaseModel | None = None

    def explain(self, described, which):
        images = described.images["pathology"]
        logits = self.model.fuse(described.components, described.logits, described.present)
        maps = self.draw(images.planes[which])
        return Maps(self.method, which, maps, logits[images.owner[which]].detach())


@pytest.fixture(scope="package")
def drawing():
    """Return what makes, of a function of planes, an explainer that ignores its model."""
    return lambda draw: lambda model: Drawn(draw, model=model)


@pytest.fixture(scope="package")
def gradcam():
    return lambda model: Explainer(model, "pathology", method="gradcam")


@pytest.fixture(scope="package")
def true_place():
    """Where the corner model looks: a plane of 0 and 1 per image."""

    def draw(planes):
        window = torch.zeros(len(planes), SIDE_PX, SIDE_PX)
        window[:, :CORNER_PX, :CORNER_PX] = window[:, :CORNER_PX, -CORNER_PX:] = 1
        return window

    return draw


def textured(rng, *, loud):
    """Return an image: harsh blocks below, which no network here looks at, and faint texture above.

    The texture of the upper corners is louder or hardly louder than the rest.
    """
    image = rng.normal(120, 10, (SIDE_PX, SIDE_PX))
    blocks = rng.choice([20, 230], (SIDE_PX // 4, SIDE_PX // 4))
    image[20:] = np.kron(blocks, np.ones((4, 4)))[20:]
    scale = 3.0 if loud else 1.2
    for corner in (np.s_[:CORNER_PX, :CORNER_PX], np.s_[:CORNER_PX, -CORNER_PX:]):
        image[corner] = 120 + (image[corner] - 120) * scale
    return image.clip(0, 255).astype(np.uint8)


def save(path, image):
    Image.fromarray(image).save(path)
    return path


@pytest.fixture(scope="package")
def corner_cases(tmp_path_factory):
    """Twelve patients in six groups: half loud in the corners, which the network calls positive."""
    folder, rng = tmp_path_factory.mktemp("corner"), np.random.default_rng(4)
    return [
        Patient(
            f"P{k}",
            k % 2,
            f"donor{k // 2}",
            pathology=(ImageFile(save(folder / f"{k}.png", textured(rng, loud=k % 2 == 1))),),
        )
        for k in range(12)
    ]


@pytest.fixture(scope="package")
def corner_model():
    """A model whose logit is the corners' texture, above 0 for loud ones."""
    model = CaseModel(bundle_of(modalities=("pathology",), side_px=SIDE_PX, strategy=None))
    part = model.parts["pathology"]
    weight = torch.full((1, WIDTH), 1000.0)  # all but the first of an embedding are 0
    model.parts["pathology"] = replace(
        part, backbone=CornerNetwork().eval(), weight=weight, bias=torch.tensor([-1.5])
    )
    return model


@pytest.fixture(scope="package")
def corner_described(corner_model, corner_cases):
    return corner_model.describe(corner_cases)


@pytest.fixture(scope="package")
def fused_model():
    """A fusion of two real networks with weights drawn at random; bags pooled by attention."""
    return CaseModel(
        bundle_of(
            modalities=("ultrasound", "pathology"),
            side_px=64,
            strategy="multilayer",
            pooling="attention",
            components=COMPONENTS,
        )
    )


@pytest.fixture(scope="package")
def fused_cases(tmp_path_factory):
    """Six patients in three groups, two images of pathology each; the last has no ultrasound."""
    folder, rng = tmp_path_factory.mktemp("fused"), np.random.default_rng(6)

    def noise(name, shape):
        coarse = rng.integers(0, 255, (8, 8, *shape), dtype=np.uint8)
        return save(folder / name, np.kron(coarse, np.ones((12, 12, *[1] * len(shape)), np.uint8)))

    cases = []
    for k in range(6):
        mask = np.zeros((96, 96), np.uint8)
        mask[20 + k : 60, 30 : 70 - k] = 255
        ultrasound = ImageFile(noise(f"us{k}.png", ()), mask=save(folder / f"m{k}.png", mask))
        pathology = tuple(ImageFile(noise(f"he{k}{j}.png", (3,))) for j in range(2))
        cases.append(
            Patient(
                f"P{k}",
                k % 2,
                f"donor{k // 2}",
                ultrasound=() if k == 5 else (ultrasound,),
                pathology=pathology,
            )
        )
    return cases


@pytest.fixture(scope="package")
def fused_described(fused_model, fused_cases):
    return fused_model.describe(fused_cases)
