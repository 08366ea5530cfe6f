"""Which cases, and which of their images, are tested."""

from collections.abc import Sequence

import numpy as np
import torch

from axilla.explanation.methods.case_model import Described, Images
from axilla.records.patients import Patient
from axilla.records.types import ImageModality


def draw_patients(patients: Sequence[Patient], *, count: int, seed: int) -> tuple[Patient, ...]:
    """Draw up to `count` patients at random; they stay in the order they came in."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(patients))[:count]
    return tuple(patients[row] for row in sorted(rows.tolist()))


def top_images(described: Described, modality: ImageModality) -> torch.Tensor:
    """Return for every case that has any the image (I,) that counts most in its bag."""
    images = described.images[modality]
    return torch.tensor(
        [
            int(bag[images.share[bag].argmax()])
            for owner in images.owner.unique().tolist()
            for bag in [torch.nonzero(images.owner == owner).squeeze(1)]
        ],
        dtype=torch.long,
    )


def cases_of(described: Described, rows: Sequence[int]) -> Described:
    """Return what is described of cases `rows`, in that order; images keep theirs."""
    kept = torch.tensor(list(rows), dtype=torch.long)
    return Described(
        {modality: _images_of(images, kept) for modality, images in described.images.items()},
        tuple(block[kept] for block in described.components),
        described.logits[kept],
        described.present[kept],
    )


def _images_of(images: Images, kept: torch.Tensor) -> Images:
    place = {row: new for new, row in enumerate(kept.tolist())}
    mine = [i for i, row in enumerate(images.owner.tolist()) if row in place]
    index = torch.tensor(mine, dtype=torch.long)
    owner = torch.tensor([place[int(images.owner[i])] for i in mine], dtype=torch.long)
    return Images(
        tuple(images.files[i] for i in mine),
        owner,
        images.planes[index] if len(images.planes) else images.planes,
        images.embeddings[index],
        images.share[index],
    )
