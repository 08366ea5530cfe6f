"""Model randomisation test: heatmaps of a model with shuffled weights."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from axilla.explanation.faithfulness.rank_correlation import rank_correlations
from axilla.explanation.methods.case_model import CaseModel, Described, Images
from axilla.explanation.methods.explainer import Maps
from axilla.inference.modality_networks import ModalityNetworks
from axilla.models.pca import Projection
from axilla.models.pooling import pooled_by, shares_in_bags
from axilla.records.types import ImageModality

_BATCH = 8
_FITTED_ON = 32
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
SHUFFLES: Final = 2


@torch.no_grad()
def shuffle_weights(model: CaseModel, *, seed: int, described: Described) -> CaseModel:
    """Return a copy of the model whose weights are permuted within each tensor.

    Backbones, classifiers, projections, pooling and fusion are shuffled: every tensor keeps its
    values and loses what they meant (Adebayo et al., NeurIPS 2018, section 3, drew new ones). Batch
    normalisation then divides by statistics of features that no longer exist: a tenth of the
    features would be dead and the rest hardly differ between images, whose maps would be unlike
    the model's for that reason alone, and blank where readers are to judge them. So statistics,
    a projection's mean among them, are taken anew from the images of `described` (up to 32).
    """
    other = model.twin()
    rng = torch.Generator().manual_seed(seed)
    for modality, part in model.parts.items():
        mine = other.parts[modality]
        for network in (mine.backbone, mine.pool):
            _permute(list(network.parameters()) if network else [], rng)
        _permute([mine.weight, mine.bias], rng)
        if modality != "clinical":
            images = described.images[modality]
            other.parts[modality] = _refit_statistics(
                other, modality, images=images, like=part, rng=rng
            )
    if other.fusion:
        _permute(list(other.fusion.parameters()), rng)
        if _norms_of(other.fusion) and len(described.logits) > 1:
            again = described_by(other, described)
            with _statistics_taken(other.fusion):
                other.fuse(again.components, again.logits, again.present)
    return other


@torch.no_grad()
def described_by(model: CaseModel, described: Described) -> Described:
    """Return what another model makes of the images described; clinical values stay as they are.

    Of a clinical part the unimodal logit remains the first model's: a constant to every image.
    """
    images, components, logits = dict(described.images), list(described.components), []
    for place, modality in enumerate(model.modalities):
        logit = described.logits[:, place]
        if modality != "clinical":
            part, old = model.parts[modality], described.images[modality]
            images[modality] = _embed_images(model, modality, old, cases=len(logit))
            new = images[modality]
            raw = pooled_by(new.share, new.embeddings, new.owner, bags=len(logit)).nan_to_num()
            components[place] = part.components(raw)
            logit = (raw @ part.weight.T + part.bias).squeeze(1)
        logits.append(logit.where(described.present[:, place], 0.0))
    return Described(images, tuple(components), torch.stack(logits, 1), described.present)


def _embed_images(
    model: CaseModel, modality: ImageModality, images: Images, *, cases: int
) -> Images:
    part = model.parts[modality]
    embeddings = _embeddings(model, modality, images.planes)
    scores = part.pool.scores(part.components(embeddings))
    return replace(
        images,
        embeddings=embeddings,
        share=shares_in_bags(scores, images.owner, bags=cases),
    )


def _embeddings(model: CaseModel, modality: ImageModality, planes: torch.Tensor) -> torch.Tensor:
    if not len(planes):
        return torch.zeros(0, model.parts[modality].weight.shape[1])
    return torch.cat([model.embed(some, modality).cpu() for some in planes.split(_BATCH)])


def _refit_statistics(
    model: CaseModel,
    modality: ImageModality,
    *,
    images: Images,
    like: ModalityNetworks,
    rng: torch.Generator,
) -> ModalityNetworks:
    """Return the part with statistics of these images and its projection shuffled.

    Components are brought back to the size they had, so that fusion works where it did.
    """
    part, network = model.parts[modality], model.network(modality)
    planes = images.planes[:_FITTED_ON]
    if not len(planes):
        return part
    with _statistics_taken(network):
        network(model.views(planes, modality))
    if part.projection is None or like.projection is None:
        return part
    embeddings = _embeddings(model, modality, planes)
    axes = part.projection.axes
    _permute([axes], rng)
    mean = embeddings.mean(0)
    size = like.components(images.embeddings[:_FITTED_ON]).std(correction=0)
    now = ((embeddings - mean) @ axes).std(correction=0)
    scale = size / now if size > 0 and now > 0 else 1.0
    return replace(part, projection=Projection(mean=mean, axes=axes * scale))


def _permute(tensors: Sequence[torch.Tensor], rng: torch.Generator) -> None:
    """Permute the values of each tensor in place."""
    for tensor in tensors:
        order = torch.randperm(tensor.numel(), generator=rng).to(tensor.device)
        tensor.copy_(tensor.flatten()[order].view(tensor.shape))


def _norms_of(network: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    return [layer for layer in network.modules() if isinstance(layer, _NORMS)]


@contextmanager
def _statistics_taken(network: nn.Module) -> Iterator[None]:
    """Let batch normalisation take its statistics from what passes through the network."""
    layers = _norms_of(network)
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches, not a moving one
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()


class Explains(Protocol):
    """Whatever draws maps of a model's images, as `Explainer` does."""

    @property
    def method(self) -> str:
        """Its name."""
        ...

    def explain(self, described: Described, which: torch.Tensor) -> Maps:
        """Map images `which` (I,) of `described`."""
        ...


MakeExplains = Callable[[CaseModel], Explains]


def shuffles(
    model: CaseModel, described: Described, *, seed: int
) -> list[tuple[CaseModel, Described]]:
    """Return several shuffled models, each with what it makes of the images described."""
    models = [shuffle_weights(model, seed=seed + k, described=described) for k in range(SHUFFLES)]
    return [(other, described_by(other, described)) for other in models]


def likeness(
    maps: Maps, decoys: Sequence[tuple[CaseModel, Described]], *, explains: MakeExplains
) -> dict[str, NDArray[np.float64]]:
    """Return how alike the model's maps and those of shuffled models are, per image (I,).

    `signed` is the size of Spearman's correlation of the values, whichever its sign: a map that
    is only turned over shows the same. `absolute` is the correlation of the values without their
    signs. Each is the mean over shuffled models; NaN where a map is flat. Source: Adebayo et al.,
    NeurIPS 2018, section 3.
    """
    signed, absolute = [], []
    for model, described in decoys:
        other = explains(model).explain(described, maps.which).values
        signed.append(np.abs(rank_correlations(maps.values, other)))
        absolute.append(rank_correlations(maps.values.abs(), other.abs()))
    return {"signed": np.mean(signed, axis=0), "absolute": np.mean(absolute, axis=0)}
