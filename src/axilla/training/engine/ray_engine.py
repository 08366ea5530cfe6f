"""Run trials on a Ray cluster, whose nodes may come and go and hold no file of the study."""

import os
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.exceptions import AuthenticationError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from axilla.records.errors import Problem, StudyError
from axilla.training.engine.cache_files import store_file
from axilla.training.engine.engine import Trial
from axilla.training.engine.process_pool import start_worker

T = TypeVar("T")
_CANCEL_S = 5
_CONNECT_S = 10
_PATIENCE_S = 60
_SWEEP_S = 20


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file that a trial reads: where the driver has it, its size, and what fetches its bytes."""

    path: Path
    size_bytes: int
    content: Any

    def lay(self, target: Path, *, fetch: Callable[[Any], NDArray[np.uint8]]) -> None:
        """Make `target` this file: a link if this machine has it too, else a fetched copy."""
        if _has_size(target, self.size_bytes):
            return
        with store_file(target) as temporary:
            if _has_size(self.path, self.size_bytes):
                temporary.symlink_to(self.path)
            else:
                fetch(self.content).tofile(temporary)


def scratch_folder(run: str) -> Path:
    """Return this machine's own folder for files of a run; all its processes share it."""
    return Path(tempfile.gettempdir()) / f"axilla-{run}"


def run_relocated(
    trial: Trial,
    parcels: Sequence[Parcel],
    *,
    name: str,
    scratch: Path,
    device: torch.device,
    fetch: Callable[[Any], NDArray[np.uint8]],
) -> bytes:
    """Run a trial with `scratch` in the place of its cache; return the bytes of its result.

    `name` is what its file is called on the driver; another name here tells of other weights.
    """
    scratch.mkdir(mode=0o700, exist_ok=True)
    for parcel in parcels:
        parcel.lay(reroot_paths(parcel.path, trial.cache, scratch), fetch=fetch)
    moved = reroot_paths(trial, trial.cache, scratch)
    if moved.path.name != name:
        found = "pretrained weights of another size or date"
        remedy = "Give every node the same AXILLA_WEIGHTS, copied with their dates."
        raise StudyError(Problem("a node of the cluster", found, "those of the driver", remedy))
    moved.run(device)
    result = moved.path.read_bytes()
    moved.path.unlink()
    return result


def reroot_paths(value: T, old: Path, new: Path) -> T:
    """Return plain data with every path below `old` moved below `new`, and nothing else changed."""
    return _reroot(value, old, new)  # type: ignore[no-any-return]


def _reroot(value: Any, old: Path, new: Path) -> Any:
    if isinstance(value, Path):
        return new / value.relative_to(old) if value.is_relative_to(old) else value
    if isinstance(value, tuple | list):
        items = [_reroot(item, old, new) for item in value]
        return value if _same(items, value) else type(value)(items)
    if isinstance(value, Mapping):
        moved = {key: _reroot(item, old, new) for key, item in value.items()}
        return value if _same(moved.values(), value.values()) else moved
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        moved = {name: _reroot(part, old, new) for name, part in parts.items()}
        return value if _same(moved.values(), parts.values()) else replace(value, **moved)
    return value


def _same(ours: Any, theirs: Any) -> bool:
    return all(one is other for one, other in zip(ours, theirs, strict=True))


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


# Read when ray is imported: no statistics leave the machine, no tips are printed.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


class RayWorkers:
    """The nodes of a Ray cluster; the driver alone needs the study's folder."""

    def __init__(self, run: str, *, gpus: float, retries: int) -> None:
        """Name the run, and say what a trial takes and how often a lost one starts again."""
        self._run = run
        self._gpus = gpus
        self._task = ray.remote(
            num_cpus=1, num_gpus=gpus, max_retries=retries, retry_exceptions=False
        )(_work)
        self._sent: dict[Path, Parcel] = {}

    def run(self, trials: Sequence[Trial], device: torch.device) -> Iterator[Trial]:
        """Yield trials as their results arrive; one's own error is raised as it was there."""
        waiting = deque(trials)
        running: dict[Any, Trial] = {}
        places = self._places()
        try:
            while waiting or running:
                # More than run at once would only lose their order, and results their pace.
                while waiting and len(running) < 2 * places:
                    trial = waiting.popleft()
                    running[self._start(trial, device)] = trial
                done, _ = ray.wait(list(running), timeout=_PATIENCE_S)
                for reference in done:
                    trial = running.pop(reference)
                    _write(trial.path, _result(reference))
                    yield trial
                places = self._places()
        finally:
            for reference in running:
                ray.cancel(reference)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=_CANCEL_S)

    def _places(self) -> int:
        """Return how many trials the cluster runs at once; raise `StudyError` if none."""
        has = ray.cluster_resources()
        places = has.get("CPU", 0.0)
        if self._gpus:
            places = min(places, has.get("GPU", 0.0) / self._gpus)
        if places < 1:
            found = f"{has.get('CPU', 0):g} processors and {has.get('GPU', 0):g} GPUs"
            needs = f"1 processor and {self._gpus:g} GPUs for a trial"
            remedy = "Add a node with `ray start --address`; finished trials are kept."
            raise StudyError(Problem("the Ray cluster", found, needs, remedy))
        return int(places)

    def _start(self, trial: Trial, device: torch.device) -> Any:
        parcels = tuple(self._parcel(path) for path in trial.inputs)
        return self._task.remote(
            _Errand(trial, trial.path.name, parcels, self._run, device, version("axilla"))
        )

    def _parcel(self, path: Path) -> Parcel:
        """Put a file into the object store once, whatever number of trials read it."""
        if path not in self._sent:
            content = np.fromfile(path, np.uint8)
            self._sent[path] = Parcel(path, content.size, ray.put(content))
        return self._sent[path]


@contextmanager
def ray_workers(address: str, *, jobs: int, gpus: float, retries: int) -> Iterator[RayWorkers]:
    """Connect to the cluster at `address`, or start one of `jobs` processors here.

    A cluster that was started ends with the block; another is left as it was found.
    """
    _connect(address, jobs=jobs)
    run = uuid4().hex[:12]
    try:
        yield RayWorkers(run, gpus=gpus, retries=retries)
    finally:
        _sweep(run)
        ray.shutdown()


def _connect(address: str, *, jobs: int) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "auto":
        try:
            ray.init("auto", **quiet)
        except ConnectionError:
            address = "local"
        else:
            return
    if address == "local":
        ray.init("local", num_cpus=jobs, include_dashboard=False, **quiet)
        return
    host, port = address.rsplit(":", 1)
    try:
        # Ray itself tries for minutes, then ends the process.
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
        ray.init(address, **quiet)
    except (OSError, RuntimeError, AuthenticationError, SystemExit) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StudyError(
            Problem(
                f"compute.address {address}",
                reason,
                "a Ray cluster of the same versions, whose token is known here",
                "Start one with `ray start --head`, or share its token (RAY_AUTH_MODE=token).",
            )
        ) from error


def _sweep(run: str) -> None:
    """Delete what the run left on the nodes that are still there."""
    delete = ray.remote(num_cpus=0, max_retries=0)(_delete)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    sweeps = [
        delete.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            run
        )
        for node in nodes
    ]
    ray.wait(sweeps, num_returns=len(sweeps), timeout=_SWEEP_S)


def _result(reference: Any) -> bytes:
    """Return the bytes of a finished trial; raise its own error, or `StudyError` if it was lost."""
    try:
        content: bytes = ray.get(reference)
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise StudyError(
            Problem(
                "training",
                f"a trial that was lost with its node or process ({type(error).__name__})",
                "an answer, after [compute] trial_retries attempts",
                "Finished trials are kept: run again, with more memory or fewer CPUs per node.",
            )
        ) from error
    return content


def _write(path: Path, content: bytes) -> None:
    with store_file(path) as temporary:
        temporary.write_bytes(content)


@dataclass(frozen=True, slots=True)
class _Errand:
    """A trial as it travels, with what the driver knows of itself."""

    trial: Trial
    name: str
    parcels: tuple[Parcel, ...]
    run: str
    device: torch.device
    version: str


def _work(errand: _Errand) -> bytes:
    """Run a trial on the node that this is called on; return the bytes of its result."""
    if (found := version("axilla")) != errand.version:
        remedy = "Install the same version on every node."
        raise StudyError(
            Problem("a node of the cluster", f"axilla {found}", errand.version, remedy)
        )
    _start_once()
    return run_relocated(
        errand.trial,
        errand.parcels,
        name=errand.name,
        scratch=scratch_folder(errand.run),
        device=errand.device,
        fetch=ray.get,
    )


@cache
def _start_once() -> None:
    start_worker()


def _delete(run: str) -> None:
    shutil.rmtree(scratch_folder(run), ignore_errors=True)
