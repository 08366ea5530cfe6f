"""b. Fine-tuning against a bare forward, backward and optimiser loop on ready tensors."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.models.networks import Network
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.normalise import network_input
from axilla.training.data.pixels import Pixels
from axilla.training.networks.amp import Precision, choose_precision, steps_in
from axilla.training.networks.fit_network import Bags, Recipe, fit_network
from axilla.training.networks.optimisation import Optimisation
from benchmarks.common import (
    Elsewhere,
    Result,
    compared,
    interleaved,
    open_sample,
    spread,
    table,
)
from benchmarks.running import alone

TARGET = 0.95
_NAME, _BATCH = "densenet121", 16
_CPU = torch.device("cpu")
_ADAM = Optimisation("adam", 1e-4, halve_every=10)
_MIN_AREA, _OUTSIDE = 0.6, 0.4


def measure(*, quick: bool) -> Result:
    """The subject reads uint8 pixels, augments and normalises each batch, and trains one epoch."""
    keep_freed_memory()
    images, chosen = 32 if quick else 96, choose_precision("auto", "cpu")
    formats: list[Precision] = [chosen] if quick else list(dict.fromkeys((chosen, "float32")))
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root))
        pixels, labels = sample.pixels("ultrasound"), sample.labels
        per = {
            precision: _compare(pixels, labels, precision, images=images, rounds=1 if quick else 5)
            for precision in formats
        }
    return {"target": TARGET, "network": _NAME, "images": images, "batch": _BATCH, "per": per}


def report(result: Result) -> list[str]:
    """One line per number format; the first is the one that axilla chooses on this processor."""
    rows = [
        [
            precision,
            f"{result['images'] / both['kept']['reference_s']:.2f}",
            f"{result['images'] / both['kept']['axilla_s']:.2f}",
            spread(both["kept"]),
            spread(both["as_is"]),
        ]
        for precision, both in result["per"].items()
    ]
    header = [
        *("Steps in", "Bare loop, images/s", "axilla, images/s"),
        *("Ratio, same allocator", "Ratio, bare loop with glibc's default"),
    ]
    aim = f"Target: at least {result['target']} with the same allocator."
    return [aim, "", *table(header, rows)]


def _compare(
    pixels: Pixels, labels: torch.Tensor, precision: Precision, *, images: int, rounds: int
) -> Result:
    recipe = Recipe(
        *(_NAME, _ADAM),
        rate_factor=1.0,
        batch_size=_BATCH,
        pretrained=True,
        crop_min_area=_MIN_AREA,
        outside_mask=_OUTSIDE,
        precision=precision,
    )
    bags = Bags(pixels.load(), pixels.owner, labels, pixels.modality)

    def ours() -> None:
        train = range(images)
        fit_network(recipe, bags, train, watch=(), checkpoints=[1], seed=1, device=_CPU)

    arguments = (pixels, labels.tolist(), precision, images)
    with Elsewhere(_bare, *arguments) as as_is:
        timed = interleaved(
            {"kept": _bare(*arguments), "axilla": ours, "as_is": as_is}, rounds=rounds
        )
    return {side: compared(timed[side], timed["axilla"]) for side in ("kept", "as_is")}


def _bare(
    pixels: Pixels, labels: list[float], precision: Precision, images: int
) -> Callable[[], object]:
    """Return one epoch over ready float batches; as the subject, it starts from the weights."""
    expects = find_backbone(_NAME).expects
    ready = [
        network_input(batch, pixels.modality, expects=expects, outside_mask=_OUTSIDE)
        for batch in pixels.load()[:images].split(_BATCH)
    ]
    truth = torch.tensor(labels)[torch.from_numpy(pixels.owner)][:images].split(_BATCH)

    def loop() -> None:
        network = Network(_NAME)
        load_pretrained(_NAME, network.backbone)
        network = network.to(memory_format=torch.channels_last).train()
        optimiser = torch.optim.Adam(network.parameters(), lr=_ADAM.rate, fused=True)
        for batch, target in zip(ready, truth, strict=True):
            with steps_in(precision, _CPU):
                logits = network(batch).logit
            loss = binary_cross_entropy_with_logits(logits.float(), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return loop


if __name__ == "__main__":
    alone("finetune")
