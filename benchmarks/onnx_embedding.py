"""Embedding against onnxruntime: the same networks and images, one thread each.

onnxruntime runs the exported network alone, over batches that lie ready; axilla's time is that of
`store_embeddings`, which also builds the network, reads pixels, normalises and writes.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from axilla.config.study import PreprocessingSection
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.preprocessing.normalise import network_input
from axilla.records.progress import Silent
from axilla.training.data.embeddings import EmbeddingPlan, fixed_backbone, store_embeddings
from axilla.training.data.pixels import Pixels
from axilla.training.engine.engine import Engine
from benchmarks.common import Result, compared, open_sample, spread, table
from benchmarks.environments import create_environment, run_script
from benchmarks.running import alone

NETWORKS = ("densenet121", "squeezenet", "efficientnet_lite0")
_WANTED = ("onnxruntime~=1.23", "onnxscript~=0.5", "torch~=2.13", "numpy~=2.0")
_BATCH = 8


def measure(*, quick: bool) -> Result:
    """Embed the sample's ultrasound images on both sides in turn; count processor seconds."""
    keep_freed_memory()
    torch.set_num_threads(1)
    python = create_environment("onnxruntime", _WANTED)
    per = {}
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root))
        pixels = sample.pixels("ultrasound")
        settings = sample.config.preprocessing.model_copy(update={"mirror": False})
        for name in NETWORKS[1:2] if quick else NETWORKS:
            folder = Path(root) / name
            folder.mkdir()
            _write(name, pixels, settings.outside_mask, folder)
            theirs, ours, apart = [], [], 0.0
            for _ in range(1 if quick else 3):
                found = run_script(python, "onnx_runner.py", folder, folder=folder)
                theirs.append(found["processor_s"])
                seconds, embeddings = _axilla(name, pixels, settings)
                ours.append(seconds)
                apart = float(np.abs(embeddings - np.load(folder / "embeddings.npy")).max())
            per[name] = compared(theirs, ours) | {"apart": apart, "version": found["version"]}
    return {"images": len(pixels.owner), "batch": _BATCH, "per": per}


def report(result: Result) -> list[str]:
    """One line per network."""
    rows = [
        [
            name,
            f"{result['images'] / one['reference_s']:.1f}",
            f"{result['images'] / one['axilla_s']:.1f}",
            spread(one),
            f"{one['apart']:.1e}",
        ]
        for name, one in result["per"].items()
    ]
    version = next(iter(result["per"].values()))["version"]
    header = [
        *("Network", f"onnxruntime {version}, images per processor second", "axilla, the same"),
        *("Ratio", "Largest difference of an embedding's value"),
    ]
    return table(header, rows)


def _write(name: str, pixels: Pixels, outside_mask: float, folder: Path) -> None:
    network, expects = fixed_backbone(name, pretrained=True, seed=0), find_backbone(name).expects
    ready = network_input(
        pixels.load(), pixels.modality, expects=expects, outside_mask=outside_mask
    ).contiguous()
    np.save(folder / "images.npy", ready.numpy())
    program = torch.export.export(
        network.to(memory_format=torch.contiguous_format),
        (ready[:_BATCH],),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    torch.export.save(program, folder / "network.pt2")


def _axilla(name: str, pixels: Pixels, settings: PreprocessingSection) -> tuple[float, np.ndarray]:
    with tempfile.TemporaryDirectory() as cache:
        plan = EmbeddingPlan(*(name, pixels, settings), pretrained=True, seed=0, cache=Path(cache))
        start = time.process_time()
        store_embeddings([plan], Engine(torch.device("cpu"), None), progress=Silent())
        seconds = time.process_time() - start
        return seconds, np.load(plan.path)[:, 0]


if __name__ == "__main__":
    alone("onnx_embedding")
