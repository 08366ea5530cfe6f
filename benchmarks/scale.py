"""e. Cost per patient and peak memory at 200, 2,000 and 20,000 patients, sample images repeated.

Every size runs all stages of `axilla run`, in a process of its own: a fixed SqueezeNet for each
modality, two fusions, two folds. Memory is the peak over all its processes together: what they hold
themselves, and, beside it, with the pages of mapped files, which the system may drop at any time.
"""

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import axilla
from benchmarks.common import Result, table
from benchmarks.memory import Peak
from benchmarks.running import alone

SIZES = (200, 2_000, 20_000)
TARGET_GROWTH, TARGET_BYTES = 0.15, 4 << 30
_FEW = 40
_SAMPLE = Path(axilla.__file__).parent / "sample"
_STUDY = """
preset = "quick"
[study]
outcome = "malignant"
[cohort]
group = ["pathology_donor"]
[preprocessing]
image_size_px = 112
[models]
ultrasound = ["squeezenet"]
pathology = ["squeezenet"]
fusion = ["concatenation", "multilayer"]
[training]
head_epochs = 5
[search]
rate_factors = [10.0]
batch_sizes = [64]
[validation]
folds = 2
inner_folds = 2
[[accept]]
code = "image_duplicate"
reason = "The sample is repeated on purpose."
"""


def measure(*, quick: bool) -> Result:
    """Per-patient costs are compared after the cost of starting, measured with a few patients."""
    sizes = SIZES[:2] if quick else SIZES
    with tempfile.TemporaryDirectory() as root:
        start = _run(Path(root), _FEW)
        runs = {str(size): _run(Path(root), size) for size in sizes}
    per_patient = {
        size: (run["seconds"] - start["seconds"]) / (int(size) - _FEW) for size, run in runs.items()
    }
    return {
        "target_growth": TARGET_GROWTH,
        "growth": per_patient[str(sizes[-1])] / per_patient[str(sizes[-2])] - 1,
        "target_bytes": TARGET_BYTES,
        "seconds_per_patient": per_patient,
        "start_s": start["seconds"],
        "runs": {str(_FEW): start} | runs,
    }


def report(result: Result) -> list[str]:
    """One line per size, then the seconds of each stage and task at every size."""
    runs, per_patient = result["runs"], result["seconds_per_patient"]
    sizes = [
        [
            f"{int(size):,}",
            f"{run['seconds']:.1f}",
            f"{1000 * per_patient[size]:.2f}" if size in per_patient else "fixed cost",
            f"{run['own_bytes'] / 2**30:.2f}",
            f"{run['with_files_bytes'] / 2**30:.2f}",
        ]
        for size, run in runs.items()
    ]
    last = runs[list(runs)[-1]]["stages"]
    stages = [
        [f"{'- ' if name.startswith(' ') else ''}{name.strip()}"]
        + [f"{run['stages'].get(name, 0):.2f}" for run in runs.values()]
        for name in last
    ]
    growth = list(per_patient)[-2:]
    summary = (
        f"Growth of the cost per patient from {int(growth[0]):,} to {int(growth[1]):,} patients: "
        f"{result['growth']:+.1%} (target: within {result['target_growth']:.0%}); memory target: "
        f"below {result['target_bytes'] >> 30} GiB."
    )
    return [
        summary,
        "",
        *table(["Patients", "Seconds", "ms per patient", "Own GiB", "with mapped files"], sizes),
        "",
        *table(["Seconds of", *(f"{int(size):,}" for size in runs)], stages),
    ]


def _run(root: Path, size: int) -> Result:
    folder = root / f"study{size}"
    _write(folder, size)
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.scale_study", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = Peak(process.pid)
    output, errors = process.communicate()
    seconds = time.perf_counter() - began
    peak.stop()
    line = next((x for x in output.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"{size} patients:\n{errors[-2000:]}")
    shutil.rmtree(folder)
    stages = json.loads(line.removeprefix("RESULT "))
    memory = {"own_bytes": peak.own, "with_files_bytes": peak.whole}
    return {"seconds": seconds, "stages": stages, **memory}


def _write(folder: Path, size: int) -> None:
    """Repeat the sample's rows under new names; donors are repeated as others."""
    folder.mkdir()
    (folder / "images").symlink_to(_SAMPLE / "images")
    with (_SAMPLE / "cohort.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    with (folder / "cohort.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, rows[0].keys())
        writer.writeheader()
        for number in range(size):
            turn, row = divmod(number, len(rows))
            # A stride that is coprime to the cohort mixes donors and classes at every size.
            patient = rows[row * 89 % len(rows)]
            changed = {key: f"{patient[key]}-{turn}" for key in ("patient_id", "pathology_donor")}
            writer.writerow(patient | changed)
    (folder / "study.toml").write_text(_STUDY, encoding="utf-8")


if __name__ == "__main__":
    alone("scale")
