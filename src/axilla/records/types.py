"""Types shared by all packages: modalities, numbers, and a network's expected input."""

from dataclasses import dataclass
from typing import Literal, NewType

Logit = NewType("Logit", float)
Probability = NewType("Probability", float)

Modality = Literal["ultrasound", "pathology", "clinical"]
ImageModality = Literal["ultrasound", "pathology"]
ClinicalKind = Literal["number", "category"]
ModelKind = Literal["unimodal", "fusion", "reader"]

MODALITIES: tuple[Modality, ...] = ("ultrasound", "pathology", "clinical")
IMAGE_MODALITIES: tuple[ImageModality, ...] = ("ultrasound", "pathology")

SELECTED = "selected"
"""Last part of the name of what each fold's inner splits chose: an honest user's model."""

TRIVIAL = "trivial"
"""Last part of the name of a baseline of colour, brightness and size."""

BEST_SINGLE = f"single/{SELECTED}"
"""The single modality that each fold's inner splits chose: what fusion has to beat."""


@dataclass(frozen=True, slots=True)
class InputFormat:
    """Per-channel mean and sd of inputs scaled to [0, 1], and whether a mask channel follows."""

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    mask_channel: bool = False

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return len(self.mean) + self.mask_channel


IMAGENET = InputFormat(mean=(0.485, 0.456, 0.406), sd=(0.229, 0.224, 0.225))
HALVES = InputFormat(mean=(0.5, 0.5, 0.5), sd=(0.5, 0.5, 0.5))
