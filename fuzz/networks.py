"""What needs torch: small whole bundles made without training, weights, and their doors."""

import io
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save

from axilla.inference.bundle import Bundle, read_bundle, write_bundle
from axilla.inference.manifest import Manifest, ModalityManifest, PreprocessingManifest
from axilla.inference.predictor import Predictor
from axilla.models.backbones import find_backbone
from axilla.models.fusion import fusions
from axilla.models.pretrained import FOLDER_VARIABLE, load_pretrained
from axilla.preprocessing.clinical import Values, fit_encoder
from axilla.preprocessing.prepare import PixelSettings, prepare
from axilla.records.patients import ImageFile, Patient
from fuzz import pictures
from fuzz.png import blank

_SIDE_PX = 32
_EMBEDDING = 128
_LOADED = ("ulnet", "resnet50")
_PIXELS = PixelSettings(_SIDE_PX, roi_margin=0.25, harmonise=True, stain="macenko")
_TRAINED_ON: tuple[Values, ...] = (
    {"age": 40.0, "er": "positive"},
    {"age": 60.0, "er": "negative"},
    {"age": 55.0},
)


def bundle_files() -> Mapping[str, bytes]:
    """Return a bundle of clinical columns alone, and one that fuses them with a network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.axilla"
        made = {}
        for name, images in (("clinical.axilla", False), ("fused.axilla", True)):
            write_bundle(_bundle(images=images), path)
            made[name] = path.read_bytes()
        return made


def predict_with(path: Path) -> object:
    """Read a bundle, build its networks and predict a patient who has everything."""
    predictor = Predictor(read_bundle(path))
    image = path.with_name("case.png")
    if not image.is_file():
        image.write_bytes(blank(_SIDE_PX, _SIDE_PX, depth=8, colour=0))
    case = Patient(
        "P1",
        label=None,
        group="P1",
        ultrasound=(ImageFile(image),),
        pathology=(ImageFile(image),),
        clinical={"age": 53.0, "er": "positive"},
    )
    return predictor.predict([case])


def picture_files() -> Mapping[str, bytes]:
    """Return the images of all formats that `prepare` reads."""
    return {**pictures.png_files(), **pictures.jpeg_files(), **pictures.tiff_files()}


def weight_files() -> Mapping[str, bytes]:
    """Return weights as publishers give them, of two layers only.

    The networks that they do not fit are built here: what that costs is no file's fault.
    """
    for name in _LOADED:
        _network(name)
    state = {"conv1.weight": torch.zeros(4, 3, 7, 7), "fc.bias": torch.ones(3)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return {"resnet50.safetensors": save(state), "resnet50.pth": buffer.getvalue()}


def load_weights(path: Path) -> object:
    """Load weights from a folder into the networks that look for them there; they never fit."""
    os.environ[FOLDER_VARIABLE] = str(path.parent)
    for name in _LOADED:
        load_pretrained(name, _network(name))
    return None


@cache
def _network(name: str) -> torch.nn.Module:
    return find_backbone(name).build()


def prepare_ultrasound(path: Path) -> object:
    """Make an image ready for a network, as training and prediction do."""
    return prepare(ImageFile(path), "ultrasound", settings=_PIXELS)


def prepare_pathology(path: Path) -> object:
    """Make an image ready for a network, with stain normalisation."""
    return prepare(ImageFile(path), "pathology", settings=_PIXELS)


def _bundle(*, images: bool) -> Bundle:
    numbers = torch.Generator().manual_seed(0)
    encoder = fit_encoder(_TRAINED_ON, {"age": "number", "er": "category"})
    tensors = _classifier("clinical", encoder.width, numbers)
    parts = [
        ModalityManifest(modality="clinical", model="clinical/logistic", encoder=encoder.to_json())
    ]
    if images:
        network = find_backbone("plnet").build()
        tensors |= {f"ultrasound.backbone.{k}": _filled(v, numbers)
                    for k, v in network.state_dict().items()}  # fmt: skip
        tensors |= _classifier("ultrasound", _EMBEDDING, numbers)
        parts.insert(0, ModalityManifest(modality="ultrasound", model="ultrasound/plnet",
                                         backbone="plnet", side_px=_SIDE_PX))  # fmt: skip
        fusion = fusions["voting"]([_EMBEDDING, encoder.width])
        tensors |= {f"fusion.{k}": _filled(v, numbers) for k, v in fusion.state_dict().items()}
    return Bundle(_manifest(tuple(parts), strategy="voting" if images else None), tensors)


def _classifier(modality: str, width: int, numbers: torch.Generator) -> dict[str, torch.Tensor]:
    return {
        f"{modality}.classifier.weight": torch.randn(1, width, generator=numbers),
        f"{modality}.classifier.bias": torch.zeros(1),
    }


def _filled(tensor: torch.Tensor, numbers: torch.Generator) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    return torch.rand(tensor.shape, generator=numbers) * 0.1 + 0.01


def _manifest(parts: tuple[ModalityManifest, ...], *, strategy: str | None) -> Manifest:
    return Manifest(
        axilla_version="0", study="fuzz", outcome="alnm", positive="1", model="voting",
        strategy=strategy, modalities=parts,
        preprocessing=PreprocessingManifest(
            image_size_px=_SIDE_PX, roi_margin=0.25, harmonise=True, outside_mask=0.4
        ),
        threshold=0.5, threshold_rule="half", cohort_digest="0", patients=3, positives=1,
        masks_in_training=False,
    )  # fmt: skip
