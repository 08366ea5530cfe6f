"""Backbones: networks that turn an image into an embedding, each with its paper's settings.

torchvision and timm take as long to import as torch itself: they are imported by what builds their
networks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import TypeGuard, cast

import torch
from torch import nn

from axilla.models.plnet_ulnet import EMBEDDING_DIM as PLNET_DIM
from axilla.models.plnet_ulnet import PLNet, ulnet
from axilla.models.registry import Registry
from axilla.records.errors import ConfigError, Problem
from axilla.records.types import HALVES, IMAGENET, InputFormat

TIMM_PREFIX = "timm:"
VIT_RATE = 3e-5
PLNET_RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Backbone:
    """How a backbone is built, fed and trained; `build` gives images (B, K, S, S) -> (B, D).

    `weights` names its pretrained weights (None: it is trained from scratch); `learning_rate` is
    Adam's initial rate (paper 2.4.1, 2.4.2); `fixed_size_px` an input side it cannot do without.
    `load` fills a network that `build` made with pretrained weights of its own; `weights` is then
    only a name for them.
    """

    build: Callable[[], nn.Module]
    embedding_dim: int
    weights: str | None
    expects: InputFormat = IMAGENET
    learning_rate: float = 1e-3
    fixed_size_px: int | None = None
    load: Callable[[nn.Module], None] | None = None

    def __post_init__(self) -> None:
        """Refuse a loader whose weights have no name: None would mean trained from scratch."""
        if self.load is not None and self.weights is None:
            raise ConfigError(
                Problem(
                    "a backbone with its own loader",
                    "weights=None",
                    "a name of the weights that it loads",
                    'Give it one, as weights="mine-2026".',
                )
            )


def _is_backbone(entry: object) -> TypeGuard[Backbone]:
    return isinstance(entry, Backbone)


backbones: Registry[Backbone] = Registry(
    "backbone",
    group="axilla.backbones",
    accepts=_is_backbone,
    wanted="a Backbone of axilla.models.backbones",
)


def find_backbone(name: str) -> Backbone:
    """Return a registered backbone, or any timm model as `timm:NAME`; raise `ConfigError`."""
    return _from_timm(name) if name.startswith(TIMM_PREFIX) else backbones[name]


def _headless(network: nn.Module, attribute: str) -> nn.Module:
    """Replace a torchvision network's classifier by nothing: it then returns its embedding."""
    setattr(network, attribute, nn.Identity())
    return network


def _from_torchvision(architecture: str, classifier: str) -> Callable[[], nn.Module]:
    """Return what builds a network of torchvision without the attribute `classifier`."""

    def build() -> nn.Module:
        from torchvision import models  # noqa: PLC0415

        return _headless(models.get_model(architecture), classifier)

    return build


def _squeezenet() -> nn.Module:
    from torchvision.models import squeezenet1_1  # noqa: PLC0415

    network = squeezenet1_1()
    return nn.Sequential(network.features, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _efficientnet_lite0() -> nn.Module:
    import timm  # noqa: PLC0415

    network: nn.Module = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    return network


def _googlenet() -> nn.Module:
    from torchvision.models import googlenet  # noqa: PLC0415

    return _headless(googlenet(aux_logits=False, init_weights=True), "fc")


@cache
def _from_timm(name: str) -> Backbone:
    import timm  # noqa: PLC0415

    architecture = name.removeprefix(TIMM_PREFIX)
    if not timm.is_model(architecture):
        raise _unknown_to_timm(name, timm.list_models())
    try:
        published = timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:  # an unknown tag behind a known name
        tags = timm.list_pretrained(f"{architecture.split('.', 1)[0]}.*")
        raise _unknown_to_timm(name, tags) from error
    with torch.random.fork_rng(devices=[]):
        probe = timm.create_model(architecture, num_classes=0)
    transformer = hasattr(probe, "patch_embed")
    fixed = transformer or (published is not None and published.fixed_input_size)
    mean, sd, size = (
        (published.mean, published.std, published.input_size)
        if published
        else (IMAGENET.mean, IMAGENET.sd, (3, 224, 224))
    )
    return Backbone(
        build=lambda: timm.create_model(architecture, num_classes=0),
        embedding_dim=cast("int", getattr(probe, "head_hidden_size", probe.num_features)),
        weights=name,
        expects=replace(IMAGENET, mean=(mean[0], mean[1], mean[2]), sd=(sd[0], sd[1], sd[2])),
        learning_rate=VIT_RATE if transformer else 1e-3,
        fixed_size_px=size[-1] if fixed else None,
    )


def _unknown_to_timm(name: str, known: list[str]) -> ConfigError:
    near = get_close_matches(name.removeprefix(TIMM_PREFIX), known, n=3)
    return ConfigError(
        Problem(
            "study.toml, backbone",
            repr(name),
            "timm:NAME with a NAME that timm knows",
            f"Did you mean {' or '.join(near)}?" if near else "See timm.list_models().",
        )
    )


backbones.register("resnet50")(
    Backbone(_from_torchvision("resnet50", "fc"), 2048, weights="resnet50")
)
backbones.register("densenet121")(
    Backbone(_from_torchvision("densenet121", "classifier"), 1024, weights="densenet121")
)
# GoogLeNet's published weights are a conversion that wants halves (torchvision: transform_input).
backbones.register("googlenet")(Backbone(_googlenet, 1024, weights="googlenet", expects=HALVES))
backbones.register("squeezenet")(Backbone(_squeezenet, 512, weights="squeezenet"))
backbones.register("vit_b_16")(
    Backbone(
        _from_torchvision("vit_b_16", "heads"),
        768,
        weights="vit_b_16",
        learning_rate=VIT_RATE,
        fixed_size_px=224,
    )
)
backbones.register("swin_t")(
    Backbone(_from_torchvision("swin_t", "head"), 768, weights="swin_t", learning_rate=VIT_RATE)
)
backbones.register("efficientnet_v2_s")(
    Backbone(
        _from_torchvision("efficientnet_v2_s", "classifier"),
        1280,
        weights="efficientnet_v2_s",
    )
)
backbones.register("efficientnet_lite0")(
    Backbone(_efficientnet_lite0, 1280, weights="efficientnet_lite0", expects=HALVES)
)
backbones.register("plnet")(
    Backbone(PLNet, PLNET_DIM, weights=None, expects=HALVES, learning_rate=PLNET_RATE)
)
backbones.register("ulnet")(
    Backbone(ulnet, 2048, weights="ulnet", expects=replace(IMAGENET, mask_channel=True))
)
