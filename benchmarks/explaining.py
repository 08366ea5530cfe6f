"""h. Grad-CAM of the sample cohort, both images, against one forward and backward pass each."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from axilla import __version__
from axilla.config.study import StudyConfig
from axilla.explanation.faithfulness.case_selection import top_images
from axilla.explanation.methods.case_model import CaseModel
from axilla.explanation.methods.explainer import Explainer
from axilla.inference.bundle import Bundle
from axilla.inference.manifest import Manifest, ModalityManifest, PreprocessingManifest
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.normalise import network_input
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from benchmarks.common import Result, Sample, compared, interleaved, open_sample, spread, table
from benchmarks.running import alone

TARGET = 3.0
NETWORKS = ("squeezenet", "densenet121")
_BATCH = 16


def measure(*, quick: bool) -> Result:
    """The subject reads the files, describes the cases and maps them with their mirror images."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root))
        networks = NETWORKS[:1] if quick else NETWORKS
        per = {name: _compare(name, sample, rounds=1 if quick else 3) for name in networks}
    return {"target": TARGET, "patients": len(sample.patients), "batch": _BATCH, "per": per}


def report(result: Result) -> list[str]:
    """One line per network."""
    rows = [
        [
            name,
            f"{1 / both['parameters']['ratio']:.2f}",
            f"{1 / both['inputs']['ratio']:.2f}",
            f"{1000 * both['parameters']['axilla_s'] / (2 * result['patients']):.0f}",
            spread(both["parameters"]),
        ]
        for name, both in result["per"].items()
    ]
    header = [
        *("Network", "Cost, in passes", "Cost, in passes without gradients of weights"),
        *("axilla, ms per image", "Ratio"),
    ]
    aim = f"Target: at most {result['target']:.0f} passes; {result['patients']} patients."
    return [aim, "", *table(header, rows)]


def _compare(name: str, sample: Sample, *, rounds: int) -> Result:
    model = CaseModel(make_bundle(dict.fromkeys(IMAGE_MODALITIES, name), sample.config))

    def ours() -> None:
        described = model.describe(sample.patients)
        for modality in model.image_modalities:
            explainer = Explainer(model, modality, method="gradcam")
            explainer.explain(described, top_images(described, modality))

    sides = {
        "parameters": _bare(model, sample, of_weights=True),
        "inputs": _bare(model, sample, of_weights=False),
        "axilla": ours,
    }
    timed = interleaved(sides, rounds=rounds)
    return {side: compared(timed[side], timed["axilla"]) for side in ("parameters", "inputs")}


def _bare(model: CaseModel, sample: Sample, *, of_weights: bool) -> Callable[[], object]:
    """Return one forward and backward pass per image, over float batches that are ready."""
    ready = [
        (
            model.network(modality),
            network_input(
                batch,
                modality,
                expects=find_backbone(model.parts[modality].manifest.backbone or "").expects,
                outside_mask=model.manifest.preprocessing.outside_mask,
            ),
        )
        for modality in model.image_modalities
        for batch in sample.pixels(modality).load().split(_BATCH)
    ]

    def loop() -> None:
        for network, batch in ready:
            images = batch.detach().requires_grad_(not of_weights)
            wanted = list(network.parameters()) if of_weights else [images]
            torch.autograd.grad(network(images).sum(), wanted)

    return loop


def make_bundle(networks: Mapping[ImageModality, str], config: StudyConfig) -> Bundle:
    """Return a multilayer fusion of one pretrained network per modality; its heads are random."""
    torch.manual_seed(0)
    tensors, parts, widths = {}, [], []
    for modality, name in networks.items():
        width = find_backbone(name).embedding_dim
        widths.append(width)
        network = find_backbone(name).build()
        load_pretrained(name, network)
        tensors |= {f"{modality}.backbone.{k}": v for k, v in network.state_dict().items()}
        tensors[f"{modality}.classifier.weight"] = torch.randn(1, width) / width
        tensors[f"{modality}.classifier.bias"] = torch.zeros(1)
        parts.append(ModalityManifest(modality=modality, model=f"{modality}/{name}", backbone=name))
    fusion = fusions["multilayer"](widths)
    tensors |= {f"fusion.{k}": v for k, v in fusion.state_dict().items()}
    settings = config.preprocessing
    manifest = Manifest(
        axilla_version=__version__,
        study="benchmark",
        outcome=config.study.outcome,
        positive="1",
        model="multilayer",
        strategy="multilayer",
        modalities=tuple(parts),
        preprocessing=PreprocessingManifest(
            image_size_px=settings.image_size_px,
            roi_margin=settings.roi_margin,
            harmonise=settings.harmonise,
            outside_mask=settings.outside_mask,
        ),
        threshold=0.5,
        threshold_rule="fixed",
        cohort_digest="",
        patients=211,
        positives=107,
        masks_in_training=True,
    )
    return Bundle(manifest, tensors)


if __name__ == "__main__":
    alone("explaining")
