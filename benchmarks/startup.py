"""l. From a command to its answer: what `axilla` costs before and beside its work.

Each command runs in a process of its own, with the files that it reads in memory already. One case
is predicted by bundles of pretrained networks; the reference is a bare script that imports torch
and what builds the same two networks, fills them with the bundle's tensors and runs them on the
same two images, without cutting to the lesion, harmonising, flipped views, fusion or a report of
the case. Both sides take turns. Seconds are of the processor, user and system, unless called wall.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import httpx

from axilla.cli.init import write_sample
from axilla.config.load import read_study
from axilla.inference.bundle import write_bundle
from axilla.records.types import ImageModality
from benchmarks.common import Result, spread, table
from benchmarks.explaining import make_bundle
from benchmarks.running import alone

TARGET_HELP_S, TARGET_RATIO, TARGET_SERVE_S = 0.5, 1.5, 5.0
ROUNDS = 7
_AXILLA: Final = "from axilla.cli.main import app; app()"
_NETWORKS: Final[Sequence[Mapping[ImageModality, str]]] = (
    {"ultrasound": "densenet121", "pathology": "efficientnet_lite0"},
    {"ultrasound": "plnet", "pathology": "plnet"},
)
_BARE: Final = """
import json, sys, zipfile
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load
from torch.nn.functional import interpolate

def network(name):
    if name == "plnet":
        from axilla.models.plnet_ulnet import PLNet
        return PLNet()
    if name == "efficientnet_lite0":
        import timm
        return timm.create_model("tf_efficientnet_lite0", num_classes=0)
    from torchvision.models import densenet121
    built = densenet121()
    built.classifier = torch.nn.Identity()
    return built

bundle, *images = sys.argv[1:]
with zipfile.ZipFile(bundle) as content:
    manifest = json.loads(content.read("manifest.json"))
    tensors = load(content.read("weights.safetensors"))
for part, path in zip(manifest["modalities"], images):
    prefix = part["modality"] + ".backbone."
    built = network(part["backbone"])
    built.load_state_dict(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    pixels = torch.from_numpy(np.asarray(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None]
    with torch.inference_mode():
        print(built.eval()(interpolate(pixels / 255, size=224, mode="bilinear")).mean())
"""


def measure(*, quick: bool) -> Result:
    """Every command once unmeasured, which reads its files into memory, then by turns."""
    rounds = 1 if quick else ROUNDS
    pairs = _NETWORKS[1:] if quick else _NETWORKS
    with tempfile.TemporaryDirectory() as root:
        study = Path(root) / "study"
        write_sample("paired", study)
        commands = {
            "--help": ("--help",),
            "doctor": ("doctor",),
            "check": ("check", str(study)),
        }
        one = {
            name: [_of_axilla(*call) for _ in range(rounds + 1)] for name, call in commands.items()
        }
        served = [_until_login(study) for _ in range(rounds)]
        predicted = {
            " and ".join(networks.values()): _predicted(study, networks, rounds)
            for networks in pairs
        }
    return {
        "load_before": os.getloadavg()[0],
        "commands": {name: _best(times[1:]) for name, times in one.items()},
        "serve_s": min(served),
        "predict": predicted,
        "rounds": rounds,
    }


def report(result: Result) -> list[str]:
    """What was promised, what was found."""
    targets = {"--help": f"<= {TARGET_HELP_S:g} s wall"}
    rows: list[Sequence[object]] = [
        (f"`axilla {name}`", f"{found['processor_s']:.2f}", f"{found['wall_s']:.2f}", "",
         targets.get(name, ""))
        for name, found in result["commands"].items()
    ]  # fmt: skip
    rows.append(
        (
            "`axilla serve` until /login answers",
            "",
            f"{result['serve_s']:.1f}",
            "",
            f"<= {TARGET_SERVE_S:g} s wall",
        )
    )
    for networks, found in result["predict"].items():
        seconds, wall = found["processor"], found["wall"]
        rows.append(
            (
                f"`axilla predict`, one case, {networks}",
                f"{seconds['axilla_s']:.2f}",
                f"{wall['axilla_s']:.2f}",
                spread(seconds),
                f"<= {TARGET_RATIO:g} times the bare script",
            )
        )
        rows.append(
            (
                f"the bare script, {networks}",
                f"{seconds['reference_s']:.2f}",
                f"{wall['reference_s']:.2f}",
                "",
                "",
            )
        )
    told = (
        f"Best of {result['rounds']} rounds; predictions: medians, and in brackets the lowest and "
        f"highest ratio of single rounds. Load of the machine: {result['load_before']:.1f} "
        "processes."
    )
    header = ("Command", "Processor, s", "Wall, s", "Times the bare script, processor", "Target")
    return [told, "", *table(header, rows)]


def _predicted(study: Path, networks: Mapping[ImageModality, str], rounds: int) -> Result:
    bundle = study / "bundle.axilla"
    write_bundle(make_bundle(networks, read_study(study / "study.toml")), bundle)
    ultrasound, mask, pathology = (
        str(study / "images" / f"P001_{name}") for name in ("us.jpg", "us_mask.png", "he.jpg")
    )
    options = ("--ultrasound", ultrasound, "--mask", mask, "--pathology", pathology)
    bare, ours = [], []
    for _ in range(rounds + 1):
        bare.append(_timed("-c", _BARE, str(bundle), ultrasound, pathology))
        ours.append(_of_axilla("predict", str(bundle), *options))
    return {
        kind: _costlier([one[place] for one in ours[1:]], [one[place] for one in bare[1:]])
        for place, kind in enumerate(("processor", "wall"))
    }


def _costlier(ours: Sequence[float], bare: Sequence[float]) -> Result:
    """Return how many times the reference axilla takes: of medians, and of single rounds."""
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return {
        "axilla_s": median(ours),
        "reference_s": median(bare),
        "ratio": median(ours) / median(bare),
        "range": [min(ratios), max(ratios)],
    }


def _of_axilla(*arguments: str) -> tuple[float, float]:
    return _timed("-c", _AXILLA, *arguments)


def _timed(*arguments: str) -> tuple[float, float]:
    """Return processor seconds and wall seconds of a Python process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments[:2])
    return used.ru_utime + used.ru_stime, wall_s


def _best(times: Sequence[tuple[float, float]]) -> Result:
    return {
        "processor_s": min(seconds for seconds, _ in times),
        "wall_s": min(wall for _, wall in times),
        "median_wall_s": median(wall for _, wall in times),
    }


def _until_login(study: Path) -> float:
    """Return the wall seconds until a server of a study answers its first request."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    call = ("-c", _AXILLA, "serve", str(study), "--no-auth", "--port", str(port))
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, *call], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/login", timeout=60)
                return time.perf_counter() - began
            except httpx.TransportError:
                time.sleep(0.02)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    alone("startup")
