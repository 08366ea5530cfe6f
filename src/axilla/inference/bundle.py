"""The bundle: one file with all that a prediction needs, as JSON and safetensors, never pickle."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from axilla import RESEARCH_USE_ONLY
from axilla.inference.recalibration import Recalibration
from axilla.records.errors import BundleError, Problem
from axilla.records.folder import atomic
from axilla.records.units import Modality

FORMAT = 1
_MANIFEST, _WEIGHTS = "manifest.json", "weights.safetensors"
_LARGEST_MANIFEST_BYTES = 16 << 20
_LARGEST_WEIGHTS_BYTES = 8 << 30
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)

State = Mapping[str, torch.Tensor]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModalityManifest(_Record):
    """One modality's way from file to embedding and unimodal logit."""

    modality: Modality
    model: str
    backbone: str | None = None
    side_px: int | None = None
    encoder: list[dict[str, Any]] | None = None


class PreprocessingManifest(_Record):
    """How images were prepared in training, and therefore are in serving."""

    image_size_px: int
    roi_margin: float
    harmonise: bool
    outside_mask: float


class Performance(_Record):
    """One measured number with its interval, from patients the models had not seen."""

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    n_positive: int
    method: str


class Manifest(_Record):
    """Everything of a bundle but its tensors."""

    format: Literal[1] = 1
    notice: str = RESEARCH_USE_ONLY
    axilla_version: str
    study: str
    outcome: str
    positive: str
    model: str
    strategy: str | None
    modalities: tuple[ModalityManifest, ...]
    preprocessing: PreprocessingManifest
    recalibration: Recalibration | None = None
    threshold: float
    threshold_rule: str
    cohort_digest: str
    patients: int
    positives: int
    masks_in_training: bool
    performance: tuple[Performance, ...] = ()
    performance_note: str = ""


class Bundle:
    """A model that travels: its manifest and tensors, named `modality.part.tensor`."""

    def __init__(self, manifest: Manifest, tensors: State) -> None:
        """Hold a manifest and the tensors it describes."""
        self.manifest = manifest
        self.tensors = dict(tensors)

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        """Return the state whose names start with `prefix.`, in single precision."""
        start = f"{prefix}."
        return {
            name.removeprefix(start): tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle atomically; equal bundles are equal files, byte for byte."""
    manifest = bundle.manifest.model_dump(mode="json")
    tensors = {name: _compact(tensor) for name, tensor in sorted(bundle.tensors.items())}
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo(_MANIFEST, _FIXED_DATE), text)
        archive.writestr(zipfile.ZipInfo(_WEIGHTS, _FIXED_DATE), save_tensors(tensors))


def read_bundle(path: Path) -> Bundle:
    """Read a bundle; raise `BundleError` if it is missing, damaged, or of another format."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(_member(archive, _MANIFEST, limit=_LARGEST_MANIFEST_BYTES))
            found = manifest.get("format") if isinstance(manifest, dict) else None
            if found != FORMAT:
                raise _unreadable(
                    path, f"bundle format {found!r}", "Predict with the version that wrote it."
                )
            tensors = load_tensors(_member(archive, _WEIGHTS, limit=_LARGEST_WEIGHTS_BYTES))
        return Bundle(Manifest.model_validate(manifest), tensors)
    except FileNotFoundError as error:
        raise _unreadable(path, "no such file", "Give the path of a bundle.axilla.") from error
    except (zipfile.BadZipFile, OSError, KeyError, EOFError, RuntimeError) as error:
        # RuntimeError: flags of encryption or of a newer zip, which damage can set.
        raise _unreadable(path, "a damaged file or no bundle at all") from error
    except (ValueError, SafetensorError) as error:  # not UTF-8, not JSON, not a manifest
        raise _unreadable(path, "contents that do not belong together") from error


def _member(archive: zipfile.ZipFile, name: str, *, limit: int) -> bytes:
    """Read one member, refusing one that is compressed or larger than `limit` bytes."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > limit:
        raise zipfile.BadZipFile(name)
    return archive.read(entry)


def _unreadable(path: Path, found: str, remedy: str = "Copy the bundle again.") -> BundleError:
    return BundleError(Problem(path.name, found, f"a bundle of format {FORMAT}", remedy))


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """Store in half precision what half precision holds exactly; lose nothing."""
    if tensor.dtype == torch.float32:
        half = tensor.half()
        if torch.equal(half.float(), tensor):
            return half.contiguous()
    return tensor.contiguous()
