"""l. Processor seconds of single operations, each beside a limit that a user would notice."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from fuzz.slides import REAL_SLIDE, write_endless

from axilla.checks.leakage.metadata_leakage import Metadata, metadata_relations
from axilla.config.sections import TilesSection
from axilla.evaluation.audit.reported_table import read_reported
from axilla.evaluation.audit.table_audit import audit
from axilla.evaluation.metrics.metrics_table import metrics_of_predictions
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.imaging.slides.tile_pixels import read_tile, thumbnail
from axilla.imaging.slides.tiling import plan_tiles
from axilla.records.errors import Problem
from axilla.web.core.i18n import translate_problem
from benchmarks.common import Result, table
from benchmarks.running import alone

_TESTS = Path(__file__).parents[1] / "tests"
_PAPER = _TESTS / "evaluation" / "reference" / "paper_tables.csv"
_SIDE_PX = 224
Work = Callable[[], object]


def measure(*, quick: bool) -> Result:
    """Do each operation once to warm up, then take the best of three."""
    found: Result = {}
    with _operations(quick=quick) as operations:
        for name, (limit_s, work) in operations.items():
            work()
            seconds = min(_processor_seconds(work) for _ in range(1 if quick else 3))
            found[name] = {"seconds": seconds, "limit_s": limit_s}
    return found


def report(result: Result) -> list[str]:
    """One row per operation."""
    rows = [
        [
            name,
            f"{one['seconds']:.2f}",
            f"{one['limit_s']:g}",
            "yes" if one["seconds"] < one["limit_s"] else "**no**",
        ]
        for name, one in result.items()
        if isinstance(one, dict) and "limit_s" in one
    ]
    return table(["Operation", "Processor seconds", "Limit", "within"], rows)


def _processor_seconds(work: Work) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


@contextmanager
def _operations(*, quick: bool) -> Iterator[dict[str, tuple[float, Work]]]:
    """Yield each operation with its limit in seconds."""
    patients, slide_px = (200, 20_000) if quick else (2_000, 100_000)
    reported, predictions, metadata = read_reported(_PAPER), _predictions(), _metadata(patients)
    hostile = Problem("x", "compressed pixels of " + "1 x " * 100_000 + "where", "y")
    tissue = thumbnail(REAL_SLIDE, longest_px=512)[128:384, 64:320]
    with TemporaryDirectory() as folder:
        slide = write_endless(Path(folder) / "endless.tif", tissue, side_px=slide_px)
        yield {
            "audit of the paper's tables": (10, lambda: audit(reported)),
            "every metric of one model, 211 patients": (
                0.5,
                lambda: metrics_of_predictions(predictions, rng=np.random.default_rng(0)),
            ),
            f"leaks through metadata, {patients:,} patients": (
                2,
                lambda: metadata_relations(metadata, seed=1, draws=2000),
            ),
            f"64 tiles and a thumbnail of a slide of {slide_px:,} px": (30, lambda: _tiles(slide)),
            "a hostile message of 400,000 characters, translated": (
                2,
                lambda: translate_problem(hostile, "zh"),
            ),
        }


def _predictions() -> ModelPredictions:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(211) % 2)
    chances = rng.random((1, 211))
    return ModelPredictions(
        model="model",
        kind="unimodal",
        patients=tuple(f"P{number}" for number in range(211)),
        labels=labels,
        clusters=np.arange(211) // 3,
        probabilities=chances,
        calls=(chances >= 0.5).astype(float),  # noqa: PLR2004
        folds=np.zeros((1, 211)),
    )


def _metadata(patients: int) -> list[Metadata]:
    """Patients of whom the date follows the outcome, and nothing else does."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, patients)
    return [
        Metadata(
            patient_id=f"P{number}",
            group=str(number),
            label=int(label),
            variables={
                "site": str(rng.choice(["a", "b", "c"])),
                "device": f"d{rng.integers(12)}",
                "bytes": float(rng.lognormal()),
                "date": float(rng.normal(2 * label)),
            },
        )
        for number, label in enumerate(labels)
    ]


def _tiles(slide: Path) -> None:
    plan = plan_tiles(slide, settings=TilesSection(), side_px=_SIDE_PX)
    for tile in plan.tiles:
        read_tile(slide, tile, side_px=_SIDE_PX)
    thumbnail(slide, longest_px=1000)


if __name__ == "__main__":
    alone("time_limits")
