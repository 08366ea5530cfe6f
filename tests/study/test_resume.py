"""Power cuts, full disks and damaged files: the numbers of a study survive all of them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from axilla.cli.main import app
from axilla.training.engine.cache_files import is_sealed, is_whole_array

pytestmark = pytest.mark.slow

TINY = (
    ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["plnet"]'),
    ('pathology = ["squeezenet", "plnet"]', 'pathology = ["squeezenet"]\nfusion = ["voting"]'),
    ("head_epochs = 6", "head_epochs = 2"),
    ("batch_sizes = [8, 16]", "batch_sizes = [8]"),
)
Run = Callable[[Path], bytes]
KILLS = 10
FILE_LIMIT_BYTES = 20_000


@dataclass(frozen=True)
class Undisturbed:
    folder: Path
    predictions: bytes


def start(folder: Path, *, limit_bytes: int | None = None) -> "subprocess.Popen[bytes]":
    """Start `axilla run` in a process group of its own, its files not larger than the limit."""
    code = "from axilla.cli.main import app; app()"
    if limit_bytes is not None:
        limits = f"({limit_bytes}, {limit_bytes})"
        code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, {limits}); {code}"
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", code, "run", str(folder), "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def kill(study: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(study.pid, signal.SIGKILL)
    study.communicate()


def finished_trials(folder: Path) -> list[Path]:
    return list((folder / "results" / "cache" / "trials").glob("*.safetensors"))


@pytest.fixture
def run(train: Callable[..., object]) -> Callable[[Path], bytes]:
    """Return a function that runs the stage which trains, and returns its predictions."""

    def again(folder: Path) -> bytes:
        train(folder, jobs=2)
        return (folder / "results" / "predictions.csv").read_bytes()

    return again


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, make_study: Callable[..., Path]
) -> Undisturbed:
    folder = make_study(tmp_path_factory.mktemp("resume") / "study", *TINY)
    study = start(folder)
    output = study.communicate()[0].decode()
    assert study.returncode == 0, output
    predictions = (folder / "results" / "predictions.csv").read_bytes()
    return Undisturbed(folder, predictions)


def test_ten_kills_change_no_byte(
    undisturbed: Undisturbed, tmp_path: Path, make_study: Callable[..., Path], run: Run
) -> None:
    folder = make_study(tmp_path / "study", *TINY)
    everything = len(finished_trials(undisturbed.folder))
    rng = np.random.default_rng(2025)
    left: list[int] = []
    while len(left) < KILLS:
        # A trial further each time, and anywhere in it: one study is killed again and again.
        wanted = len(finished_trials(folder)) + 1 if left else 0
        study = start(folder)
        while study.poll() is None and len(finished_trials(folder)) < wanted:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
        finished = study.poll() == 0
        kill(study)
        if finished:  # it was done before its moment: the next one begins anew
            shutil.rmtree(folder / "results")
        else:
            assert study.returncode == -signal.SIGKILL
            left.append(len(finished_trials(folder)))
    assert any(0 < trials < everything for trials in left)
    assert run(folder) == undisturbed.predictions


@pytest.mark.parametrize(
    ("store", "named"),
    # Embeddings are written as trials first, a block of images each.
    [("pixels", "pixels"), ("embeddings", "trials"), ("trials", "trials")],
)
def test_a_full_disk_is_one_clear_error_and_no_half_file(
    store: str, named: str, undisturbed: Undisturbed, tmp_path: Path, run: Run
) -> None:
    folder = shutil.copytree(undisturbed.folder, tmp_path / "study")
    shutil.rmtree(folder / "results" / "cache" / store)
    study = start(folder, limit_bytes=FILE_LIMIT_BYTES)
    output = " ".join(study.communicate()[0].decode().split())
    assert study.returncode == 1, output
    assert "Traceback" not in output
    for words in (f"error {named}/", "file too large", "Make room", "are kept"):
        assert words in output
    left = [path for path in (folder / "results").rglob("*") if path.is_file()]
    assert not [path.name for path in left if path.name.startswith(".")]
    assert all(is_sealed(path) for path in left if path.suffix == ".safetensors")
    assert all(is_whole_array(path) for path in left if path.suffix == ".npy")
    assert run(folder) == undisturbed.predictions


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: content[: len(content) // 2],
    lambda content: b"garbage" * (len(content) // 7 + 1),
    flipped,
    lambda _content: b"",
)


@pytest.mark.parametrize("shift", range(2))
def test_damaged_files_are_computed_again(
    shift: int, undisturbed: Undisturbed, tmp_path: Path, run: Run
) -> None:
    folder = shutil.copytree(undisturbed.folder, tmp_path / "study")
    files = sorted(p for p in (folder / "results" / "cache").rglob("*") if p.is_file())
    whole = {path: path.read_bytes() for path in files}
    for place, path in enumerate(files):
        path.write_bytes(DAMAGE[(place + 2 * shift) % len(DAMAGE)](whole[path]))
    assert run(folder) == undisturbed.predictions
    arrays = [path for path in files if path.suffix == ".npy"]
    assert arrays
    assert all(path.read_bytes() == whole[path] for path in arrays)


def test_a_folder_in_place_of_a_file_is_one_clear_error(
    undisturbed: Undisturbed, tmp_path: Path, run: Run
) -> None:
    folder = shutil.copytree(undisturbed.folder, tmp_path / "study")
    pixels = next((folder / "results" / "cache" / "pixels").glob("*.npy"))
    pixels.unlink()
    pixels.mkdir()
    result = CliRunner().invoke(app, ["run", str(folder)])
    assert result.exit_code == 1
    assert f"pixels/{pixels.name}: found a folder" in result.output
    pixels.rmdir()
    assert run(folder) == undisturbed.predictions
