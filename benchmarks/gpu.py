"""i. On a GPU, where one is at hand: images/s as a share of the measured matrix peak; `paper`."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from axilla.models.backbones import find_backbone
from axilla.preprocessing.prepare import resize_planes
from axilla.records.progress import Silent
from axilla.training.data.embeddings import EmbeddingPlan, fixed_backbone, store_embeddings
from axilla.training.engine.engine import Engine
from axilla.training.networks.amp import Precision, choose_precision
from axilla.training.networks.fit_network import Bags, Recipe, fit_network
from axilla.training.networks.optimisation import Optimisation
from benchmarks.common import Result, Sample, open_sample, seconds_of, table
from benchmarks.running import alone

NETWORKS = ("resnet50", "densenet121", "vit_b_16")
_BATCH, _MATRIX = 64, 8192
_FORWARD_GFLOP = {"resnet50": 8.2, "densenet121": 5.7, "vit_b_16": 35.2}  # 2 x published MACs
_FORMATS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def measure(*, quick: bool, device: torch.device | None = None) -> Result:
    """Return nothing but a remark without a GPU."""
    if device is None:
        if not torch.cuda.is_available():
            return {"skipped": "no GPU on this machine"}
        device = torch.device("cuda")
    precision = choose_precision("auto", device.type)
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root) / "sample")
        peaks = {name: _peak(kind, device, quick=quick) for name, kind in _FORMATS.items()}
        per = {
            name: _network(sample, name, device, precision, peaks, quick=quick)
            for name in NETWORKS[: 1 if quick else None]
        }
        paper = None if quick else _paper(Path(root) / "paper")
    tflops = {name: peak / 1e12 for name, peak in peaks.items()}
    return {"peak_tflops": tflops, "training_in": precision, "per": per, "paper_s": paper}


def report(result: Result) -> list[str]:
    """Peaks, one line per network, and the paper's protocol."""
    peaks = ", ".join(f"{name} {rate:.1f}" for name, rate in result["peak_tflops"].items())
    rows = [
        [name, *(text for key in ("extraction", "training") for text in _shown(one[key]))]
        for name, one in result["per"].items()
    ]
    header = ["Network", "Extraction, images/s", "of peak", "Training, images/s", "of peak"]
    paper = result["paper_s"]
    rates = (
        f"Matrix products of {_MATRIX} x {_MATRIX}, TFLOP/s: {peaks}. Extraction is in float32, "
        f"training in {result['training_in']}; each is a share of its own format's peak."
    )
    lines = [rates, "", *table(header, rows)]
    if paper:
        lines += ["", f"`paper` with five-fold cross-validation, whole: {paper / 60:.1f} min."]
    return lines


def _shown(one: Result) -> list[str]:
    return [f"{one['images_per_s']:.0f}", f"{one['share_of_peak']:.1%}"]


def _network(
    sample: Sample,
    name: str,
    device: torch.device,
    precision: Precision,
    peaks: dict[str, float],
    *,
    quick: bool,
) -> Result:
    """Extraction: the sample's two views; training: the difference of two lengths, per epoch."""
    pixels = sample.pixels("ultrasound")
    recipe = Recipe(
        *(name, Optimisation("adam", 1e-5, halve_every=10)),
        rate_factor=1.0,
        batch_size=16 if quick else _BATCH,
        pretrained=False,
        crop_min_area=0.6,
        outside_mask=0.4,
        precision=precision,
    )
    planes = resize_planes(pixels.load()[: 16 if quick else None], 224)
    owner = pixels.owner[: len(planes)]
    bags = Bags(planes, owner, sample.labels, "ultrasound")
    train = sorted(set(owner.tolist()))

    def fit(epochs: int) -> None:
        fit_network(recipe, bags, train, watch=(), checkpoints=[epochs], seed=1, device=device)

    def extract() -> None:
        with tempfile.TemporaryDirectory() as cache:
            plan = EmbeddingPlan(
                *(name, pixels, sample.config.preprocessing),
                pretrained=False,
                seed=0,
                cache=Path(cache),
            )
            store_embeddings([plan], Engine(device, None), progress=Silent())

    few, many = (1, 2) if quick else (2, 12)
    build = seconds_of(lambda: fixed_backbone(name, pretrained=False, seed=0))
    for work in (extract, lambda: fit(1)):
        work()
    extraction = 2 * len(pixels.owner) / (seconds_of(extract) - build)
    longer = seconds_of(lambda: fit(many)) - seconds_of(lambda: fit(few))
    training = len(planes) * (many - few) / longer
    forward = _FORWARD_GFLOP[name] * 1e9
    return {
        "extraction": _share(extraction, forward / peaks["float32"]),
        "training": _share(training, 3 * forward / peaks[precision]),
        "side_px": find_backbone(name).fixed_size_px or 224,
    }


def _share(images_per_s: float, peak_s_per_image: float) -> Result:
    return {"images_per_s": images_per_s, "share_of_peak": images_per_s * peak_s_per_image}


def _peak(kind: torch.dtype, device: torch.device, *, quick: bool) -> float:
    """Return FLOP/s of a large matrix product in this format."""
    side, calls = (512, 2) if quick else (_MATRIX, 40)
    matrix = torch.randn(side, side, device=device, dtype=kind)

    def multiply(count: int) -> Callable[[], None]:
        def work() -> None:
            for _ in range(count):
                matrix @ matrix
            if device.type == "cuda":
                torch.cuda.synchronize()

        return work

    multiply(3)()
    return 2 * side**3 * calls / seconds_of(multiply(calls))


def _paper(folder: Path) -> float:
    """Run the whole protocol with cross-validation; random weights where no hub can be reached."""
    call = "from axilla.cli.main import app; app()"
    axilla = [sys.executable, "-c", call]
    subprocess.run([*axilla, "init", "--sample", "paired", str(folder)], check=True)  # noqa: S603
    study = folder / "study.toml"
    text = study.read_text(encoding="utf-8").replace('preset = "quick"', 'preset = "paper"')
    if "AXILLA_WEIGHTS" not in os.environ:
        text = text.replace("[models]\n", '[models]\nweights = "none"\n')
    text += '\n[validation]\nscheme = "nested_cv"\nfolds = 5\n'
    study.write_text(text, encoding="utf-8")
    start = time.perf_counter()
    subprocess.run([*axilla, "run", str(folder)], check=True, capture_output=True)  # noqa: S603
    provenance = json.loads((folder / "results" / "provenance.json").read_text(encoding="utf-8"))
    print(f"training stage {provenance['seconds']} s", file=sys.stderr)
    return time.perf_counter() - start


if __name__ == "__main__":
    alone("gpu")
