"""Names for quantities that look alike."""

from typing import Literal, NewType

Logit = NewType("Logit", float)
Probability = NewType("Probability", float)

Modality = Literal["ultrasound", "pathology", "clinical"]
ImageModality = Literal["ultrasound", "pathology"]
ModelKind = Literal["unimodal", "fusion", "reader"]

MODALITIES: tuple[Modality, ...] = ("ultrasound", "pathology", "clinical")
IMAGE_MODALITIES: tuple[ImageModality, ...] = ("ultrasound", "pathology")
