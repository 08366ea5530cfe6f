"""All folds of all trained networks: in parallel on CPU, one after another on a GPU, resumable."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from axilla.cohort.splits import Fold
from axilla.records.digests import digest_of
from axilla.records.folder import atomic
from axilla.records.progress import Progress
from axilla.training.allocator import keep_freed_memory
from axilla.training.candidates import Candidate, Output, SearchRow, inner_auc
from axilla.training.network_fold import NetworkFold, NetworkSearch, train_in_fold
from axilla.training.networks import Bags
from axilla.training.pixels import Pixels
from axilla.training.projection import fit_projection

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class NetworkTrial:
    """One network in one fold; `path` is where its result is kept, named by its content."""

    name: str
    pixels: Pixels
    labels: tuple[int, ...]
    fold: Fold
    search: NetworkSearch
    cache: Path

    @property
    def path(self) -> Path:
        """File of the finished trial."""
        splits = [(split.train, split.test) for split in (*self.fold.inner, self.fold.outer)]
        owner = self.pixels.owner.tolist()
        key = digest_of(
            "network",
            _FORMAT,
            self.name,
            self.pixels.digest,
            owner,
            self.labels,
            splits,
            repr(self.search),
        )
        return self.cache / "trials" / f"{key}.safetensors"


def run_trials(
    trials: Sequence[NetworkTrial], *, jobs: int, device: torch.device, progress: Progress
) -> None:
    """Finish every trial that has no readable result yet; `jobs` never changes a number."""
    missing = [trial for trial in trials if not _is_finished(trial.path)]
    if not missing:
        return
    with progress.task("Training networks", total=len(missing)) as advance:
        if device.type != "cpu":
            for trial in missing:
                _run(trial, device)
                advance(1)
            return
        with _workers(min(jobs, len(missing))) as pool:
            running = [pool.submit(_run, trial, device) for trial in missing]
            for finished in as_completed(running):
                finished.result()
                advance(1)


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Open one-thread processes.

    Small networks gain more from processes than from threads, and sums have the same order
    whatever the number of jobs.
    """
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _start_worker() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


def _run(trial: NetworkTrial, device: torch.device) -> None:
    bags = Bags(
        trial.pixels.load(),
        trial.pixels.owner,
        torch.tensor(trial.labels, dtype=torch.float32),
        trial.pixels.modality,
    )
    _save(
        trial.path, train_in_fold(trial.name, bags, trial.fold, search=trial.search, device=device)
    )


def _save(path: Path, result: NetworkFold) -> None:
    tensors = {f"state.{name}": tensor.contiguous() for name, tensor in result.state.items()}
    tensors["inner_logits"] = result.inner_logits
    for number, output in enumerate((*result.inner, result.outer)):
        tensors[f"embedding.{number}"] = output.embedding.contiguous()
        tensors[f"logits.{number}"] = output.logits
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={"tried": json.dumps(result.tried)})


def _is_finished(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as content:
            return "tried" in (content.metadata() or {})
    except (OSError, SafetensorError):
        return False


def load_trial(trial: NetworkTrial, *, components: int) -> tuple[Candidate, list[SearchRow]]:
    """Read a finished trial; its embeddings are projected as those of fixed backbones are."""
    splits = (*trial.fold.inner, trial.fold.outer)
    labels = torch.tensor(trial.labels, dtype=torch.float32)
    model = f"{trial.pixels.modality}/{trial.name}"
    present = torch.from_numpy(trial.pixels.present)
    with safe_open(trial.path, framework="pt") as content:
        tensor: Callable[[str], torch.Tensor] = content.get_tensor
        projections, outputs = [], []
        for number, split in enumerate(splits):
            embedding, train = tensor(f"embedding.{number}"), torch.tensor(split.train)
            projection = fit_projection(embedding[train[present[train]]], components=components)
            projections.append(projection)
            outputs.append(Output(projection(embedding), tensor(f"logits.{number}")))
        state = {
            name.removeprefix("state."): tensor(name)
            for name in content.keys()  # noqa: SIM118 - not a mapping
            if name.startswith("state.")
        }
        inner_logits = tensor("inner_logits")
        tried = json.loads((content.metadata() or {})["tried"])
    candidate = Candidate(
        model,
        trial.pixels.modality,
        trial.fold,
        inner=tuple(outputs[:-1]),
        outer=outputs[-1],
        inner_logits=inner_logits,
        inner_score=inner_auc(inner_logits, labels),
        parts={
            "projection": projections[-1].state_dict(),
            "classifier": _part(state, "classifier."),
            "backbone": _part(state, "backbone."),
        },
    )
    return candidate, [SearchRow(model, trial.fold.name, *attempt) for attempt in tried]


def _part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
