"""Bundles whose tensors and manifest do not fit each other are refused before they predict."""

import pytest
import torch
from made import COMPONENTS, make_bundle

from axilla.inference.bundle import Bundle
from axilla.inference.predictor import Predictor
from axilla.records.errors import BundleError


def without(prefix):
    def change(bundle):
        kept = {k: v for k, v in bundle.tensors.items() if not k.startswith(prefix)}
        return Bundle(bundle.manifest, kept)

    return change


def with_tensor(name, tensor):
    return lambda bundle: Bundle(bundle.manifest, bundle.tensors | {name: tensor})


def with_part(position, **update):
    def change(bundle):
        parts = list(bundle.manifest.modalities)
        parts[position] = parts[position].model_copy(update=update)
        manifest = bundle.manifest.model_copy(update={"modalities": tuple(parts)})
        return Bundle(manifest, bundle.tensors)

    return change


def with_strategy(name):
    return lambda bundle: Bundle(
        bundle.manifest.model_copy(update={"strategy": name}), bundle.tensors
    )


MISFITS = {
    "no backbone": without("pathology.backbone"),
    "one tensor less": without("pathology.backbone.blocks.0.0"),
    "no classifier": without("ultrasound.classifier"),
    "no fusion": without("fusion"),
    "no projection": without("ultrasound.projection"),
    "half a projection": without("ultrasound.projection.axes"),
    "wide classifier": with_tensor("ultrasound.classifier.weight", torch.zeros(1, 64)),
    "flat classifier": with_tensor("ultrasound.classifier.weight", torch.zeros(128)),
    "wide projection": with_tensor("ultrasound.projection.axes", torch.zeros(64, COMPONENTS)),
    "more components": with_tensor("ultrasound.projection.axes", torch.zeros(128, 9)),
    "clinical width": with_tensor("clinical.classifier.weight", torch.zeros(1, 9)),
    "fusion shape": with_tensor("fusion.output.weight", torch.zeros(1, 9)),
    "another backbone": with_part(0, backbone="squeezenet"),
    "unknown backbone": with_part(0, backbone="plnet2"),
    "neither backbone nor encoder": with_part(0, backbone=None),
    "bad encoder": with_part(2, encoder=[{"kind": "number", "name": "age", "wrong": 1}]),
    "bare encoder": with_part(2, encoder=[{}]),
    "another strategy": with_strategy("attention"),
    "unknown strategy": with_strategy("blending"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_together_is_a_bundle_error(name):
    with pytest.raises(BundleError, match="do not fit"):
        Predictor(MISFITS[name](make_bundle()))
