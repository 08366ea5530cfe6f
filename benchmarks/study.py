"""c. The `quick` study against the same trials in plain PyTorch, as they are usually written.

Plain: a Dataset that decodes, crops and equalises each image whenever it is asked, a DataLoader,
random views every epoch, the backbone run in every trial, one trial after another. A fair part is
timed (per image of each network and modality) and scaled by the number of images that all trials of
the preset would ask for.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from axilla.cohort.splits.folds import Split, plan_folds, plan_inner
from axilla.models.allocator import keep_freed_memory
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.networks import Network
from axilla.models.pretrained import load_pretrained
from axilla.preprocessing.augment import random_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import PixelSettings, prepare, resize_planes
from axilla.records.digests import seed_of
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from benchmarks.common import Result, Sample, compared, open_sample, seconds_of, spread, table
from benchmarks.running import alone

TARGET = 300.0

Work = tuple[ImageModality, str, str]
"""Modality, network, and whether all of it is trained or a head on it while it stays frozen."""

_BATCH = 16


class PlainImages(Dataset):
    """Images as usually served: from the file, every time."""

    def __init__(self, sample: Sample, modality: ImageModality, name: str, count: int) -> None:
        config = sample.config
        self.files = [(p.images(modality)[0], p.label) for p in sample.patients[:count]]
        self.modality, self.name = modality, name
        self.settings = PixelSettings.of(config.preprocessing)
        self.side_px = config.training.network_size_px if _scratch(name) else None
        self.shared = config.preprocessing

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        file, label = self.files[index]
        planes = prepare(file, self.modality, settings=self.settings).unsqueeze(0)
        planes = resize_planes(planes, self.side_px or planes.shape[-1])
        rng = torch.Generator().manual_seed(index)
        view = random_views(planes, min_area=self.shared.crop_min_area, rng=rng)
        ready = network_input(
            view,
            self.modality,
            expects=find_backbone(self.name).expects,
            outside_mask=self.shared.outside_mask,
        )
        return ready[0], float(label)


def measure(*, quick: bool) -> Result:
    """Time the demo whole and the plain trials in part, in turn."""
    keep_freed_memory()
    rounds, images = (1, 32) if quick else (3, 96)
    with tempfile.TemporaryDirectory() as root:
        sample = open_sample(Path(root) / "sample")
        workers, costs, demos = _best_workers(sample, images=images), [], []
        for number in range(rounds):
            costs.append(_costs(sample, workers, images=images))
            demos.append(_demo(Path(root) / f"demo{number}"))
        chosen = demos[0]["selected"]
        asked = _images_asked(sample, chosen)
    plain = [sum(cost[key] * count for key, count in asked.items()) for cost in costs]
    return {
        "target": TARGET,
        "training": compared(plain, [demo["seconds"] for demo in demos]),
        "whole_demo": compared(plain, [demo["whole"] for demo in demos]),
        "per": [
            {
                "work": " ".join(key),
                "workers": workers[key],
                "images": asked.get(key, 0),
                "seconds_per_image": statistics.median(cost[key] for cost in costs),
            }
            for key in workers
        ],
        "splits": len(list(_splits(sample))),
        "selected": chosen,
    }


def report(result: Result) -> list[str]:
    """The ratio, then the sum that the plain time is."""
    training, whole = result["training"], result["whole_demo"]
    rows = [
        [
            one["work"],
            one["workers"],
            f"{one['images']:,.0f}",
            f"{1000 * one['seconds_per_image']:.1f}",
            f"{one['images'] * one['seconds_per_image'] / 3600:.2f}",
        ]
        for one in result["per"]
    ]
    header = ["Pass", "Loader workers", "Images, all trials", "ms per image", "Hours"]
    hours = training["reference_s"] / 3600
    summary = (
        f"axilla: training stage {training['axilla_s']:.1f} s, whole demo {whole['axilla_s']:.1f} "
        f"s. Plain: {hours:.1f} hours, the sum below. Ratio {spread(training)} (target: at least "
        f"{result['target']:.0f}); against the whole demo {spread(whole)}. Each model trains on "
        f"{result['splits']} splits."
    )
    return [
        summary,
        "",
        *table(header, rows),
    ]


def _scratch(name: str) -> bool:
    return find_backbone(name).weights is None


def _demo(folder: Path) -> Result:
    """Run the demo; return the seconds of its training stage, and of all of it."""
    call = "from axilla.cli.main import app; app()"
    command = [sys.executable, "-c", call, "demo", str(folder)]
    whole = seconds_of(partial(subprocess.run, command, check=True, capture_output=True))
    provenance = json.loads((folder / "results" / "provenance.json").read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return {key: provenance[key] for key in ("seconds", "selected")} | {"whole": whole}


def _best_workers(sample: Sample, *, images: int) -> dict[Work, int]:
    """Return for each pass whether 0 or 2 loader workers are faster."""
    config = sample.config.models
    works = [
        (modality, name, phase)
        for modality in IMAGE_MODALITIES
        for name in getattr(config, modality)
        for phase in (("train", "frozen") if _scratch(name) else ("frozen",))
    ]
    return {
        work: min((0, 2), key=lambda workers: _cost(sample, work, images, workers=workers))
        for work in works
    }


def _costs(sample: Sample, workers: dict[Work, int], *, images: int) -> dict[Work, float]:
    """Return seconds per image of one epoch of each pass."""
    return {work: _cost(sample, work, images, workers=number) for work, number in workers.items()}


def _cost(sample: Sample, work: Work, images: int, *, workers: int) -> float:
    modality, name, phase = work
    loader = DataLoader(
        PlainImages(sample, modality, name, images),
        batch_size=_BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    network = Network(name).to(memory_format=torch.channels_last)
    load_pretrained(name, network.backbone)
    fixed = phase == "frozen"
    trained = network.classifier if fixed else network
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-4)

    def epoch() -> None:
        for batch, labels in loader:
            if fixed:
                with torch.no_grad():
                    embedding = network.backbone(batch)
                logits = network.classifier(network.dropout(embedding)).squeeze(1)
            else:
                logits = network(batch).logit
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(logits, labels.float()).backward()
            optimiser.step()

    epoch()
    return seconds_of(epoch) / images


def _splits(sample: Sample) -> Iterator[tuple[Split, bool]]:
    """Yield every split that a model is trained on, and whether it is an inner one."""
    config, patients = sample.config, sample.patients
    labels = [p.label or 0 for p in patients]
    groups = [p.group for p in patients]
    folds = plan_folds(
        labels=labels,
        groups=groups,
        sites=[p.site for p in patients],
        validation=config.validation,
        seed=config.study.seed,
    )
    for fold in folds:
        yield from ((split, True) for split in fold.inner)
        yield fold.outer, False
    everybody = tuple(range(len(patients)))
    inner = plan_inner(
        everybody,
        labels=labels,
        groups=groups,
        folds=config.validation.inner_folds,
        seed=seed_of(config.study.seed, "everybody"),
    )
    yield from ((split, True) for split in inner)
    yield Split(train=everybody, test=()), False


def _images_asked(sample: Sample, selected: list[dict[str, str]]) -> dict[Work, float]:
    """Count the images that all trials of the preset ask for, by pass; the last fold trains on all.

    Its choice is not told; it counts as that of the fold before.
    """
    config = sample.config
    search, training = config.search, config.training
    splits = list(_splits(sample))
    every = sum(len(split.train) for split, _ in splits)
    inner = sum(len(split.train) for split, is_inner in splits if is_inner)
    heads = len(search.rate_factors) * len(search.batch_sizes) * training.head_epochs
    networks = len(search.network_rate_factors) * len(search.network_batch_sizes)
    trainable = sum(
        any(True for _ in fusions[f]([2, 2]).parameters()) for f in config.models.fusion
    )
    asked: dict[Work, float] = defaultdict(float)
    for modality in IMAGE_MODALITIES:
        for name in getattr(config.models, modality):
            if _scratch(name):
                fits = inner * networks + (every - inner)  # one cycle is not stopped early
                asked[modality, name, "train"] += fits * training.network_epochs
            else:
                asked[modality, name, "frozen"] += every * heads
        # Fusion runs, in each fold, the network of each modality that the fold's search chose.
        for place, images in enumerate(_per_fold(splits)):
            chosen = selected[min(place, len(selected) - 1)][modality].split("/")[1]
            asked[modality, chosen, "frozen"] += trainable * images * heads
    return dict(asked)


def _per_fold(splits: list[tuple[Split, bool]]) -> Iterator[int]:
    """Yield the training images of each fold's inner splits and outer split together."""
    images = 0
    for split, is_inner in splits:
        images += len(split.train)
        if not is_inner:
            yield images
            images = 0


if __name__ == "__main__":
    alone("study")
