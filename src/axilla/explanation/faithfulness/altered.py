"""What the model says of a case when one of its images is altered."""

import torch

from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.preprocessing.prepare import resized
from axilla.records.types import ImageModality

_BATCH = 8
_SHOWN: dict[ImageModality, int] = {"ultrasound": 1, "pathology": 3}


def shown_planes(modality: ImageModality) -> int:
    """Return how many leading planes are picture; an ultrasound image's last is its lesion mask.

    Tests alter the picture and leave the mask: where to look is given, not found.
    """
    return _SHOWN[modality]


def served_planes(model: CaseModel, modality: ImageModality, planes: torch.Tensor) -> torch.Tensor:
    """Return stored planes (B, C, S, S) at the side that the network sees, uint8."""
    return resized(planes, model.parts[modality].manifest.side_px or planes.shape[-1])


@torch.no_grad()
def altered_logits(
    model: CaseModel,
    modality: ImageModality,
    *,
    described: Described,
    image: int,
    planes: torch.Tensor,
) -> torch.Tensor:
    """Return the logit (V,) of one image's case for each version (V, C, S, S) of that image."""
    found = []
    for part in planes.split(_BATCH):
        score = model.score_of(modality, torch.full((len(part),), image), described)
        found.append(score(model.embed(part, modality)).float().cpu())
    return torch.cat(found)
