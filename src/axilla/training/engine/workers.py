"""Where a study's trials run: opened as [compute] says, closed when training ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from axilla.config.study import ComputeSection
from axilla.records.errors import ConfigError, Problem
from axilla.training.engine.engine import Engine
from axilla.training.engine.process_pool import local_pool, local_workers


@contextmanager
def open_map(compute: ComputeSection, device: torch.device) -> Iterator[Callable[..., Any]]:
    """Open a function that works as `map` does, in this machine's processes where they are many.

    Each works in one thread, as a trial does. A GPU is used from here, one after another.
    """
    if device.type != "cpu":
        yield map
        return
    with local_pool(jobs=compute.jobs or os.cpu_count() or 1) as pool:
        yield pool.map


@contextmanager
def open_engine(compute: ComputeSection, device: torch.device) -> Iterator[Engine]:
    """Open the engine that study.toml asks for; raise `ConfigError` if it is not installed."""
    jobs = compute.jobs or os.cpu_count() or 1
    if compute.engine == "ray":
        try:
            from axilla.training.engine.ray_engine import ray_workers  # noqa: PLC0415 - an optional extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                Problem(
                    "compute.engine",
                    "'ray' without the package ray",
                    "ray, or the engine local",
                    "Install it with `pip install 'axilla[cluster]'`.",
                )
            ) from error
        with ray_workers(
            compute.address,
            jobs=jobs,
            gpus=compute.gpus_per_trial if device.type == "cuda" else 0,
            retries=compute.trial_retries,
        ) as workers:
            yield Engine(device, workers)
    elif device.type == "cpu":
        with local_workers(jobs=jobs) as processes:
            yield Engine(device, processes)
    else:
        yield Engine(device, None)
