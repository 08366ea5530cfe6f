"""g. Time and peak memory of `axilla check` on 2,000 patients.

Two studies of 2,000 patients with an ultrasound image, its mask and a pathology image each:
`repeated` lists the sample's own images again and again, re-compressed, so that nearly everything
is a copy; `shuffled` cuts each image into blocks and shuffles them anew for each patient, so that
no two images are alike and every pair has to be told apart.
"""

import contextlib
import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import axilla
from axilla.checks.stage import check
from axilla.config.load import read_study
from axilla.records.errors import CohortError
from axilla.records.progress import Silent
from axilla.records.run_folder import RunFolder
from benchmarks.common import Result, table
from benchmarks.memory import Peak
from benchmarks.running import alone

PATIENTS = 2_000
TARGET_SECONDS, TARGET_BYTES = 180, 2 << 30
KINDS = ("repeated", "shuffled")
_BLOCKS = 5
_HALF = 0.5
_SAMPLE = Path(axilla.__file__).parent / "sample"
_STUDY = """
preset = "quick"
[study]
outcome = "malignant"
[cohort]
group = ["pathology_donor"]
site = "site"
[clinical]
age = "number"
"""


def measure(*, quick: bool) -> Result:
    """Each study is checked twice, each time in a fresh process: new, and with looks kept."""
    patients = 60 if quick else PATIENTS
    found: Result = {"patients": patients, "runs": {}}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            write_study(Path(folder), patients, kind=kind)
            found["runs"][kind] = _check(folder)
            found["runs"][f"{kind}, again"] = _check(folder)
    return found


def report(result: Result) -> list[str]:
    """One line per study and run."""
    rows = [
        [
            name,
            f"{run['seconds']:.1f}",
            f"{run['processor_seconds']:.1f}",
            f"{run['bytes'] / 2**30:.2f}",
            ", ".join(f"{count:,} {code}" for code, count in run["findings"].items()),
        ]
        for name, run in result["runs"].items()
    ]
    targets = f"at most {TARGET_SECONDS} s and {TARGET_BYTES >> 30} GiB"
    return [
        f"{result['patients']:,} patients. Targets: {targets}.",
        "",
        *table(["Study", "Seconds", "of processor", "Peak, GiB", "Findings"], rows),
    ]


def write_study(folder: Path, patients: int, *, kind: str) -> None:
    """Write a study whose images are made from the sample's."""
    rng = np.random.default_rng(7)
    (folder / "images").mkdir()
    with (_SAMPLE / "cohort.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    with (folder / "cohort.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, rows[0].keys())
        writer.writeheader()
        for number in range(patients):
            turn, row = divmod(number, len(rows))
            old = rows[row * 89 % len(rows)]
            new = old | {key: f"{old[key]}-{turn}" for key in ("patient_id", "pathology_donor")}
            for column in ("ultrasound", "pathology"):
                pixels = np.asarray(Image.open(_SAMPLE / old[column]))
                shown = _shuffled(pixels, rng) if kind == "shuffled" else pixels
                new[column] = f"images/{number}_{column}.jpg"
                quality = int(rng.integers(60, 96))
                (folder / new[column]).write_bytes(_jpeg(shown, quality))
            new["ultrasound_mask"] = f"images/{number}_mask.png"
            (folder / new["ultrasound_mask"]).write_bytes(
                (_SAMPLE / old["ultrasound_mask"]).read_bytes()
            )
            writer.writerow(new)
    (folder / "study.toml").write_text(_STUDY, encoding="utf-8")


def _shuffled(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the image with its blocks in another order, each of them mirrored or not."""
    height, width = pixels.shape[0] // _BLOCKS, pixels.shape[1] // _BLOCKS
    shown = pixels.copy()
    places = [(y * height, x * width) for y in range(_BLOCKS) for x in range(_BLOCKS)]
    for (top, left), origin in zip(places, rng.permutation(len(places)), strict=True):
        above, beside = places[origin]
        block = pixels[above : above + height, beside : beside + width]
        block = block[:, ::-1] if rng.random() < _HALF else block
        shown[top : top + height, left : left + width] = block
    return shown


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _check(folder: str) -> Result:
    call = [sys.executable, "-m", "benchmarks.check_speed", "--study", folder]
    began, before = time.perf_counter(), _processor_seconds()
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)  # noqa: S603
    peak = Peak(process.pid)
    output, _ = process.communicate()
    seconds = time.perf_counter() - began
    peak.stop()
    findings = json.loads(output.splitlines()[-1])
    used = _processor_seconds() - before
    return {
        "seconds": seconds,
        "processor_seconds": used,
        "bytes": peak.own,
        "findings": findings,
    }


def _processor_seconds() -> float:
    """Return what all finished children used: what the clock would show on one idle core."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _check_here(root: Path) -> None:
    folder = RunFolder(root)
    with contextlib.suppress(CohortError):  # copies under other patients are errors
        check(read_study(root / "study.toml"), folder, Silent())
    said = json.loads((folder.results / "check.json").read_text(encoding="utf-8"))
    codes = [f["code"] for severity in ("errors", "warnings") for f in said[severity]]
    print(json.dumps(dict(Counter(codes))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--study"]:
        _check_here(Path(sys.argv[2]))
    else:
        alone("check_speed")
