"""Heatmaps of a model's images: one signed map each, in units of the case's own logit."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from axilla.explanation.methods.attention_rollout import attention_layers, rollout
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.class_activation import ExplainedBatch, Score, class_activation
from axilla.explanation.methods.integrated_gradients import integrated_gradients
from axilla.preprocessing.augment import count_served_views
from axilla.records.types import ImageModality

Method = Literal["gradcam", "layercam", "integrated"]

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Maps:
    """Maps (I, h, w) of images `which` (I,), by `method`; `logits` (I,) of the whole cases.

    A map's mean is what the image adds to the logit, to first order (for Grad-CAM on a network
    that ends in average pooling and a linear score: exactly); so values of maps with different
    numbers of positions compare.
    """

    method: str
    which: torch.Tensor
    values: torch.Tensor
    logits: torch.Tensor


class Explainer:
    """Explains the images of one modality by one method; made once, used for many batches."""

    def __init__(self, model: CaseModel, modality: ImageModality, *, method: Method) -> None:
        """Find the layers that the method needs.

        Transformers have no plane of features: asked for a class activation map, they are
        explained by gradient attention rollout.
        """
        self._model, self._modality = model, modality
        self._network = model.network(modality)
        self._asked = method
        self._attention = attention_layers(self._network) if method != "integrated" else ()
        self._layer: nn.Module | None = None

    @property
    def method(self) -> str:
        """The method that is really used."""
        return "rollout" if self._attention else self._asked

    def explain(self, described: Described, which: torch.Tensor) -> Maps:
        """Map images `which` (I,) of `described`, each with the views that serving has of it."""
        images = described.images[self._modality]
        values, logits = [], []
        for part in which.split(_BATCH):
            score = self._model.score_of(self._modality, part, described)
            views = self._model.views(images.planes[part], self._modality)
            found = self._one(views, score)
            values.append(found.maps.cpu() * (found.maps.shape[1] * found.maps.shape[2]))
            logits.append(found.logits.cpu())
        return Maps(self.method, which, torch.cat(values), torch.cat(logits))

    def _one(self, views: torch.Tensor, score: Score) -> ExplainedBatch:
        """Explain views (VB, K, S, S): images, then any mirror images that the model sees."""
        mirror = self._model.mirror
        count = count_served_views(mirror=mirror)
        if self._asked == "integrated":
            images = views[: len(views) // count]
            return integrated_gradients(self._network, images, score=score, mirror=mirror)

        def average_views(embeddings: torch.Tensor) -> torch.Tensor:
            return score(embeddings.view(count, -1, embeddings.shape[-1]).mean(0))

        if self._attention:
            found = rollout(self._network, views, layers=self._attention, score=average_views)
            return _join_mirrored(found) if mirror else found
        if self._layer is None:
            name = self._model.layer_of(self._modality, views[:1])
            self._layer = self._network.get_submodule(name)
        found = class_activation(
            self._network, views, layer=self._layer, score=average_views, method=self._asked
        )
        return _join_mirrored(found) if mirror else found


def _join_mirrored(found: ExplainedBatch) -> ExplainedBatch:
    """Turn the mirror images' maps back, and add them to those of the images."""
    stored, mirrored = found.maps.chunk(2)
    return ExplainedBatch(stored + mirrored.flip(-1), found.logits)
