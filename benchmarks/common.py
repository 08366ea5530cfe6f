"""What all benchmarks share: the sample cohort, interleaved timing, and where it was measured."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import torch

from axilla.checks import stage as cohort_stage
from axilla.cli.init import write_sample
from axilla.config.load import read_study
from axilla.config.study import StudyConfig
from axilla.preprocessing.prepare import PixelSettings
from axilla.records.patients import Patient
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from axilla.records.types import ImageModality
from axilla.training.data.pixels import Pixels, store_pixels

Result = dict[str, Any]

_SMALL = 5


@dataclass(frozen=True)
class Sample:
    """The sample cohort, its images decoded into the pixel store."""

    config: StudyConfig
    folder: RunFolder
    patients: list[Patient]

    def pixels(self, modality: ImageModality) -> Pixels:
        return store_pixels(
            self.patients,
            modality,
            settings=PixelSettings.of(self.config.preprocessing),
            cache=self.folder.cache,
            progress=Silent(),
        )

    @property
    def labels(self) -> torch.Tensor:
        return torch.tensor([float(patient.label or 0) for patient in self.patients])


def open_sample(root: Path) -> Sample:
    """Write the sample study to a folder and read it."""
    folder = RunFolder(root)
    write_sample("paired", root)
    config = read_study(root / "study.toml")
    cohort = cohort_stage.check(config, folder, Silent())
    return Sample(config, folder, [p for p in cohort.labelled_patients if p.split == "development"])


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(
    sides: Mapping[str, Callable[[], object]], *, rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each side, all timed in turn, after one unmeasured round."""
    for work in sides.values():
        work()
    timed: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            timed[name].append(seconds_of(work))
    return timed


def compared(reference: Sequence[float], subject: Sequence[float]) -> Result:
    """Return how much longer the reference takes: the ratio of medians, and that of each round."""
    theirs, ours = statistics.median(reference), statistics.median(subject)
    ratios = [one / other for one, other in zip(reference, subject, strict=True)]
    return {
        "reference_s": theirs,
        "axilla_s": ours,
        "ratio": theirs / ours,
        "range": [min(ratios), max(ratios)],
        "rounds": len(ratios),
    }


class Elsewhere:
    """Work in a process of its own, whose allocator is as the system has it.

    `make(*arguments)` returns the work there; calling this object does it once.
    """

    def __init__(self, make: Callable[..., Callable[[], object]], *arguments: object) -> None:
        context = get_context("spawn")
        self._calls, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments))
        self._process.start()
        theirs.close()

    def __call__(self) -> None:
        self._calls.send("once more")
        self._calls.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.send("")
        self._process.join()


def _serve(
    calls: Connection, make: Callable[..., Callable[[], object]], arguments: tuple[object, ...]
) -> None:
    work = make(*arguments)
    while calls.recv():
        work()
        calls.send("done")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


def spread(comparison: Result) -> str:
    """Return a ratio and its range over the rounds."""
    low, high = comparison["range"]
    digits = 3 if comparison["ratio"] < _SMALL else 1
    return f"{comparison['ratio']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def machine() -> Result:
    """Return where and with what this was measured."""
    names = ("axilla", "torch", "torchvision", "timm", "numpy")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor()
    lines = info.read_text(encoding="utf-8").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
