"""A study on a real cluster of two nodes, of which one has no file of it and dies half-way."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from axilla.cli.main import app

pytestmark = pytest.mark.cluster
pytest.importorskip("ray", reason="ray is not installed; pip install 'axilla[cluster]'")

BIN = Path(sys.executable).parent
SMALLER = ('ultrasound = ["squeezenet", "plnet"]', 'ultrasound = ["plnet"]')
START_S, STUDY_S = 60, 240


def descendants(pid: int) -> list[int]:
    """Return a process and all below it, the youngest first."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == pid:
                children.append(int(stat.parent.name))
    return [below for child in children for below in descendants(child)] + [pid]


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a node at once, as a power cut does; twice, for what was born meanwhile."""
    for _ in range(2):
        for pid in descendants(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def hiding(folder: Path) -> list[str]:
    """Return what runs a command that finds `folder` empty; nothing where that is forbidden."""
    command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"']
    probe = shutil.which("unshare") and subprocess.run(  # noqa: S603 - our own command
        [*command, str(folder), "true"], check=False, capture_output=True
    )
    return [*command, str(folder)] if probe and probe.returncode == 0 else []


def wait_for(condition: Callable[[], object], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


class Cluster:
    """A head node and a second node on this machine, and nothing of any other cluster here."""

    def __init__(self, place: Path, hidden: Path) -> None:
        self.place, self.nodes = place, []
        # Whatever this user's other clusters do, this one has a token of its own.
        self.env = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid4().hex}
        self.second_tmp = place / "second"
        self.second_tmp.mkdir()
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._start(f"--port={port}", "--head", "--include-dashboard=false")
        wait_for(self._listens, seconds=START_S)
        self.hiding = hiding(hidden)
        self._start(
            f"--address={self.address}", prefix=self.hiding, env={"TMPDIR": str(self.second_tmp)}
        )

    def _start(self, *options: str, prefix: list[str] = [], env: dict[str, str] = {}) -> None:  # noqa: B006
        common = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
        common.append(f"--temp-dir={self.place}")
        with (self.place / f"node{len(self.nodes)}.log").open("wb") as log:
            self.nodes.append(
                subprocess.Popen(  # noqa: S603 - our own command
                    [*prefix, str(BIN / "ray"), "start", *options, *common, "--block"],
                    env=self.env | env,
                    stdout=log,
                    stderr=log,
                )
            )

    def _listens(self) -> bool:
        host, port = self.address.split(":")
        with suppress(OSError):
            socket.create_connection((host, int(port)), timeout=1).close()
            return True
        return False

    def close(self) -> None:
        for node in reversed(self.nodes):
            kill(node)


@pytest.fixture
def study(tmp_path: Path, make_study: Callable[..., Path]) -> Path:
    return make_study(tmp_path / "study", SMALLER)


@pytest.fixture
def cluster(study: Path) -> Iterator[Cluster]:
    # Ray's sockets need a short path.
    place = Path(tempfile.mkdtemp(prefix="axr", dir="/tmp"))
    started = Cluster(place, hidden=study)
    try:
        yield started
    finally:
        started.close()
        shutil.rmtree(place, ignore_errors=True)


def on_cluster(folder: Path, address: str) -> Path:
    toml = folder / "study.toml"
    text = toml.read_text(encoding="utf-8")
    text = text.replace("[compute]", f'[compute]\naddress = "{address}"')
    toml.write_text(text, encoding="utf-8")
    return folder


def test_a_study_survives_the_loss_of_a_node_that_has_no_file_of_it(
    study: Path, cluster: Cluster, tmp_path: Path
) -> None:
    alone = shutil.copytree(study, tmp_path / "alone")
    on_cluster(study, cluster.address)
    driver = subprocess.Popen(  # noqa: S603 - our own command
        [str(BIN / "axilla"), "run", str(study), "--engine", "ray"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=cluster.env | {"TMPDIR": str(tmp_path)},
    )
    try:
        second = cluster.second_tmp
        wait_for(lambda: list(second.glob("axilla-*/pixels/*.npy")), seconds=STUDY_S)
        trials = study / "results" / "cache" / "trials"
        wait_for(lambda: len(list(trials.glob("*.safetensors"))) >= 2, seconds=STUDY_S)
        kill(cluster.nodes[1])
        output = driver.communicate(timeout=STUDY_S)[0].decode()
    finally:
        kill(driver)
    assert driver.returncode == 0, output
    assert any(p.is_symlink() for p in second.glob("axilla-*/*/*.npy")) != bool(cluster.hiding)
    assert not list(tmp_path.glob("axilla-*"))
    result = CliRunner().invoke(app, ["run", str(alone)])
    assert result.exit_code == 0, result.output
    for name in ("predictions.csv", "splits.csv"):
        assert (study / "results" / name).read_bytes() == (alone / "results" / name).read_bytes()


def test_an_unreachable_cluster_is_one_clear_error(
    tmp_path: Path, make_study: Callable[..., Path]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        folder = on_cluster(make_study(tmp_path / "study"), address)
        result = CliRunner().invoke(app, ["run", str(folder), "--engine", "ray"])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    for word in (address, "refused", "ray start --head"):
        assert word in result.output


def test_without_ray_the_remedy_is_named(
    tmp_path: Path, make_study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "axilla.training.engine.ray_engine", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(
        app, ["run", str(make_study(tmp_path / "study")), "--engine", "ray"]
    )
    assert result.exit_code == 2
    assert "pip install 'axilla[cluster]'" in " ".join(result.output.split())
