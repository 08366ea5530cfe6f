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
import threading
import time
from pathlib import Path

import axilla
from benchmarks.common import Result, table
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
    peak = _Peak(process.pid)
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


class _Peak:
    """Samples the memory of a process and its descendants until told to stop."""

    def __init__(self, pid: int) -> None:
        self.own = self.whole = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,))
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self, pid: int) -> None:
        while not self._stopped.wait(0.2):
            usage = [_memory(process) for process in _family(pid)]
            self.own = max(self.own, sum(own for own, _ in usage))
            self.whole = max(self.whole, sum(whole for _, whole in usage))


def _family(pid: int) -> list[int]:
    found, new = [], [pid]
    while new:
        found += new
        new = [child for parent in new for child in _children(parent)]
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [
            int(child)
            for task in tasks.iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []


def _memory(pid: int) -> tuple[int, int]:
    """Return the bytes a process holds itself, and its proportional share with mapped files."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: line.split()[1] for line in lines[1:]}
    whole = int(sizes["Pss"]) << 10
    return int(sizes["Pss_Anon"]) << 10, whole


if __name__ == "__main__":
    alone("scale")
