"""Names for quantities that look alike."""

from typing import Literal, NewType

Logit = NewType("Logit", float)
Probability = NewType("Probability", float)

Modality = Literal["ultrasound", "pathology", "clinical"]
ImageModality = Literal["ultrasound", "pathology"]
ModelKind = Literal["unimodal", "fusion", "reader"]

MODALITIES: tuple[Modality, ...] = ("ultrasound", "pathology", "clinical")
IMAGE_MODALITIES: tuple[ImageModality, ...] = ("ultrasound", "pathology")

SELECTED = "selected"
"""Last part of the name of what each fold's inner splits chose: an honest user's model."""

TRIVIAL = "trivial"
"""Last part of the name of a baseline of colour, brightness and size."""

BEST_SINGLE = f"single/{SELECTED}"
"""The single modality that each fold's inner splits chose: what fusion has to beat."""
