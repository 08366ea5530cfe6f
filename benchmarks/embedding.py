"""a. Embedding extraction against a bare forward loop of the same network on ready tensors."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from axilla.config.study import PreprocessingSection
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.preprocessing.augment import served_views
from axilla.preprocessing.normalise import network_input
from axilla.records.progress import Silent
from axilla.training.data.embeddings import EmbeddingPlan, fixed_backbone, store_embeddings
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import Engine
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
NETWORKS = ("densenet121", "squeezenet", "efficientnet_lite0")
_BATCH = 16


def measure(*, quick: bool) -> Result:
    """The subject loads the network, reads uint8 pixels, makes both views, normalises, saves."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root))
        pixels, settings = sample.pixels("ultrasound"), sample.config.preprocessing
        networks = ("squeezenet",) if quick else NETWORKS
        per = {
            name: _compare(name, pixels, settings, rounds=1 if quick else 5) for name in networks
        }
    return {"target": TARGET, "inputs": 2 * len(pixels.owner), "batch": _BATCH, "per": per}


def report(result: Result) -> list[str]:
    """One line per network."""
    rows = [
        [
            name,
            f"{result['inputs'] / both['kept']['reference_s']:.1f}",
            f"{result['inputs'] / both['kept']['axilla_s']:.1f}",
            spread(both["kept"]),
            spread(both["as_is"]),
        ]
        for name, both in result["per"].items()
    ]
    header = [
        *("Network", "Bare loop, images/s", "axilla, images/s"),
        *("Ratio, same allocator", "Ratio, bare loop with glibc's default"),
    ]
    aim = f"Target: at least {result['target']} with the same allocator."
    return [aim, "", *table(header, rows)]


def _compare(name: str, pixels: Pixels, settings: PreprocessingSection, *, rounds: int) -> Result:
    def ours() -> None:
        with tempfile.TemporaryDirectory() as cache:
            plan = EmbeddingPlan(
                *(name, pixels, settings),
                pretrained=True,
                seed=0,
                cache=Path(cache),
            )
            store_embeddings([plan], Engine(torch.device("cpu"), None), progress=Silent())

    with Elsewhere(_bare, name, pixels, settings.outside_mask) as as_is:
        bare = _bare(name, pixels, settings.outside_mask)
        sides = {"kept": bare, "axilla": ours, "as_is": as_is}
        timed = interleaved(sides, rounds=rounds)
    return {side: compared(timed[side], timed["axilla"]) for side in ("kept", "as_is")}


def _bare(name: str, pixels: Pixels, outside_mask: float) -> Callable[[], object]:
    """Return a loop over ready float batches, channels last, the same views and batch size."""
    network, expects = fixed_backbone(name, pretrained=True, seed=0), find_backbone(name).expects
    ready = [
        network_input(view, pixels.modality, expects=expects, outside_mask=outside_mask)
        for batch in pixels.load().split(_BATCH)
        for view in served_views(batch, mirror=True)
    ]

    @torch.inference_mode()
    def loop() -> torch.Tensor:
        return torch.cat([network(batch) for batch in ready])

    return loop


if __name__ == "__main__":
    alone("embedding")
