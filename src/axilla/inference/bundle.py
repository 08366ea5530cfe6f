"""The bundle: one file with all that a prediction needs, as JSON and safetensors, never pickle."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from axilla.inference.manifest import (
    MANIFEST_MEMBER,
    Manifest,
    manifest_in,
    member,
    opened_bundle,
    unreadable,
)
from axilla.inference.model_card import model_card
from axilla.records.run_folder import atomic

CARD_MEMBER = "model_card.md"
_WEIGHTS = "weights.safetensors"
_LARGEST_WEIGHTS_BYTES = 8 << 30
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)

State = Mapping[str, torch.Tensor]


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
    """Write a bundle atomically; equal bundles are equal files, byte for byte.

    Its model card travels with it, for people: reading a bundle leaves the card alone.
    """
    manifest = bundle.manifest.model_dump(mode="json")
    tensors = {name: _compact(tensor) for name, tensor in sorted(bundle.tensors.items())}
    contents = (
        (MANIFEST_MEMBER, json.dumps(manifest, indent=2, ensure_ascii=False)),
        (CARD_MEMBER, model_card(bundle.manifest)),
        (_WEIGHTS, save_tensors(tensors)),
    )
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in contents:
            archive.writestr(zipfile.ZipInfo(name, _FIXED_DATE), content)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle; raise `BundleError` if it is missing, damaged, or of another format."""
    with opened_bundle(path) as archive:
        manifest = manifest_in(archive, path)
        try:
            tensors = load_tensors(member(archive, _WEIGHTS, limit=_LARGEST_WEIGHTS_BYTES))
        except SafetensorError as error:
            raise unreadable(path, "contents that do not belong together") from error
        return Bundle(manifest, tensors)


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """Store in half precision what half precision holds exactly; lose nothing."""
    if tensor.dtype == torch.float32:
        half = tensor.half()
        if torch.equal(half.float(), tensor):
            return half.contiguous()
    return tensor.contiguous()
