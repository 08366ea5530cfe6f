"""Small real cohorts for the tests, cut from the sample that ships with axilla; a PostgreSQL."""

import fcntl
import gc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pg8000.native
import pytest
from hypothesis import settings
from PIL import Image
from typer.testing import CliRunner

import axilla
from axilla.cli.main import app
from axilla.explanation.heatmap_file import (
    Heatmap,
    HeatmapFile,
    Legend,
    file_name,
    write_heatmaps,
    write_legend,
)
from axilla.records.roi_rectangle import Roi

SAMPLE = Path(axilla.__file__).parent / "sample"
MARKERS = {"browser": "browser", "postgresql": "postgres"}
"""What a test that has a fixture or a parameter of this name is marked as."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Give each worker one thread: there are as many workers as cores."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Collect no garbage while tests are collected, and seldom afterwards.

    What is imported stays anyway, and looking for cycles among it takes a tenth of all time.
    """
    gc.disable()
    gc.set_threshold(50_000, 50, 100)
    # The first example may import torch; benchmarks look at seconds, tests do not.
    settings.register_profile("untimed", settings.default, deadline=None)
    settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Leave what was imported out of later garbage collections, each of which goes through it."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Let what was left out be freed."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a browser or a database server."""
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        names = {*getattr(item, "fixturenames", ()), *map(str, values)}
        for marker in {marker for name, marker in MARKERS.items() if name in names}:
            item.add_marker(marker)


def cut_sample(folder: Path, *, donors_per_class: int, cases_per_donor: int) -> pd.DataFrame:
    """Copy a few donors' cases of the paired sample, table and images, into a study folder."""
    table = pd.read_csv(SAMPLE / "cohort.csv", dtype=str, keep_default_na=False)
    chosen = []
    for _, cases in table.groupby("malignant"):
        donors = cases["pathology_donor"].value_counts().index[:donors_per_class]
        mine = cases[cases["pathology_donor"].isin(donors)]
        chosen.append(mine.groupby("pathology_donor").head(cases_per_donor))
    cut = pd.concat(chosen).sort_values("patient_id").reset_index(drop=True)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for column in ("ultrasound", "ultrasound_mask", "pathology"):
        for name in cut[column]:
            shutil.copy(SAMPLE / name, folder / name)
    cut.to_csv(folder / "cohort.csv", index=False)
    return cut


STUDY = """
preset = "quick"
[study]
name = "Small study"
about = "A cut of the sample cohort."
outcome = "malignant"
seed = 7
[cohort]
group = ["pathology_donor"]
site = "site"
[clinical]
age = "number"
[reader]
column = "birads"
positive = ["4c", "5", "6"]
[preprocessing]
image_size_px = 64
mirror = true
[models]
ultrasound = ["squeezenet", "plnet"]
pathology = ["squeezenet", "plnet"]
fuse = ["ultrasound", "pathology"]
[training]
network_size_px = 32
network_epochs = 2
head_epochs = 6
[training.optimisation]
plnet = { schedule = "halving" }
[search]
rate_factors = [10.0]
batch_sizes = [8, 16]
[validation]
folds = 2
inner_folds = 2
[explanation]
patients = 0
[compute]
jobs = 1
"""


MakeStudy = Callable[..., Path]


@pytest.fixture(scope="session")
def make_study() -> MakeStudy:
    """Return a function that makes a small study folder, its study.toml changed as asked.

    By default it has 24 cases, three of each donor.
    """

    def make(folder: Path, *changes: tuple[str, str], cases_per_donor: int = 3) -> Path:
        cut_sample(folder, donors_per_class=4, cases_per_donor=cases_per_donor)
        toml = STUDY
        for old, new in changes:
            assert old in toml
            toml = toml.replace(old, new)
        (folder / "study.toml").write_text(toml, encoding="utf-8")
        return folder

    return make


BuildOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> BuildOnce:
    """Return a function that makes a folder once for all workers of xdist.

    Nobody may change what is in it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def build(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / f"shared-{name}"
        with (shared / f"{name}.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                unfinished = shared / f"unfinished-{worker_id}-{name}"
                shutil.rmtree(unfinished, ignore_errors=True)
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return build


@pytest.fixture(scope="session")
def run_once(build_once: BuildOnce, make_study: MakeStudy) -> Path:
    """A study of 24 cases that has been run, with heatmaps; to be copied, not changed."""

    def make(folder: Path) -> None:
        make_study(
            folder,
            ("patients = 0", "patients = 24\nfaithfulness_cases = 4"),
            ("batch_sizes = [8, 16]", "batch_sizes = [8]"),
        )
        result = CliRunner().invoke(app, ["run", str(folder)])
        assert result.exit_code == 0, result.output

    return build_once("study", make)


@pytest.fixture
def finished(run_once: Path, tmp_path: Path) -> Path:
    """A copy of a finished study, for one test to change."""
    return Path(shutil.copytree(run_once, tmp_path / "study"))


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """Return what fails where everything must be tested, and skips elsewhere."""

    def say(program: str) -> None:
        said = f"{program} is not installed; `make test-web` installs it"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)

    return say


@pytest.fixture(scope="session")
def postgresql(missing: Callable[[str], None]) -> Iterator[str]:
    """A PostgreSQL server of our own; yields the address of an empty database's cluster."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or [
        Path(found) for found in [shutil.which("postgres")] if found
    ]
    if not programs:
        missing("postgresql")
    tools = programs[-1].resolve().parent
    # Not one of pytest's folders: those are root's alone, and PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="axilla-postgresql-"))
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, **user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [tools / "initdb", "-D", data, "-A", "trust", "-U", "axilla", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **user,
    )  # fmt: skip
    server = subprocess.Popen(
        [tools / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user,
    )  # fmt: skip
    try:
        for _ in range(600):
            ready = subprocess.run(
                [tools / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"], check=False
            )
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        else:
            pytest.fail("PostgreSQL did not come up within a minute")
        yield f"postgresql://axilla@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)  # which waits for no client
        server.wait(timeout=20)
        shutil.rmtree(folder)


@pytest.fixture
def department(postgresql: str) -> str:
    """The address of a fresh database on a PostgreSQL server."""
    name = f"study_{time.time_ns()}"
    port = int(postgresql.rsplit(":", 1)[1])
    admin = pg8000.native.Connection("axilla", host="127.0.0.1", port=port, database="postgres")
    admin.run(f"CREATE DATABASE {name}")
    admin.close()
    return f"{postgresql}/{name}"


@pytest.fixture(scope="session")
def add_heatmaps() -> Callable[..., pd.DataFrame]:
    """Return a function that makes up heatmaps, and decoys, for a study; it returns its table.

    Decoys are `decoy_strength` times as strong as maps, by default a thousand times weaker; with
    None there are none.
    """

    def add(study: Path, *, decoy_strength: float | None = 1e-3) -> pd.DataFrame:
        rng = np.random.default_rng(0)
        table = pd.read_csv(study / "cohort.csv", dtype=str, keep_default_na=False)
        folder = study / "results" / "heatmaps"
        for row in table.to_dict("records"):
            maps = {}
            for modality in ("ultrasound", "pathology"):
                with Image.open(study / row[modality]) as image:
                    width, height = image.size
                values, decoy = rng.normal(size=(2, 7, 7)).astype(np.float32)
                weak = None if decoy_strength is None else decoy * np.float32(decoy_strength)
                maps[modality] = Heatmap(values, Roi(4, 6, width - 20, height - 10), 0, weak)
            write_heatmaps(folder / file_name(row["patient_id"]), HeatmapFile(maps))
        scale = {"ultrasound": 2.0, "pathology": 2.5}
        write_legend(folder, Legend("multilayer", dict.fromkeys(scale, "gradcam"), scale))
        return table

    return add
