"""All faithfulness tests of a few cases, and the agreement between methods."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from axilla.explanation.faithfulness.case_selection import top_images
from axilla.explanation.faithfulness.deletion_insertion import curves_of
from axilla.explanation.faithfulness.faithfulness_scores import Measured
from axilla.explanation.faithfulness.lesion_enrichment import lesion_enrichment
from axilla.explanation.faithfulness.model_randomisation import (
    Explains,
    MakeExplains,
    likeness,
    shuffles,
)
from axilla.explanation.faithfulness.rank_correlation import rank_correlations
from axilla.explanation.faithfulness.stability import likeness_when_altered
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.explainer import Maps
from axilla.models.allocator import keep_freed_memory
from axilla.records.patients import Patient
from axilla.records.types import ImageModality

Decoys = Sequence[tuple[CaseModel, Described]]
Opinions = Mapping[ImageModality, MakeExplains]
"""Methods to compare the tested ones with."""
_NOBODY: Opinions = MappingProxyType({})


def agreement(maps: Maps, other: Explains, described: Described) -> NDArray[np.float64]:
    """Return the rank correlation (I,) of maps with those of another method; NaN if one is flat.

    Compared is what each gives the cells of the coarser of both maps.
    """
    theirs = other.explain(described, maps.which).values
    rows = min(maps.values.shape[1], theirs.shape[1])
    return rank_correlations(_coarse(maps.values, rows), _coarse(theirs, rows))


def _coarse(values: torch.Tensor, rows: int) -> torch.Tensor:
    return functional.adaptive_avg_pool2d(values.unsqueeze(1).float(), rows).squeeze(1)


def measure(
    model: CaseModel,
    described: Described,
    patients: Sequence[Patient],
    *,
    methods: Sequence[tuple[ImageModality, MakeExplains]],
    opinions: Opinions = _NOBODY,
    seed: int,
) -> list[Measured]:
    """Test each method on the image that counts most in each case; `patients` are those described.

    Costs about 44 versions of an image, each with its mirror image, six maps and one by the
    second `opinions`: ask it about few cases (`chosen.drawn`, `chosen.cases_of`). Equal seeds
    give equal numbers.
    """
    keep_freed_memory()
    decoys = shuffles(model, described, seed=seed)
    found = []
    for modality, explains in methods:
        which = top_images(described, modality)
        if len(which):
            maps = explains(model).explain(described, which)
            found += _test_image(
                (model, described, patients),
                maps,
                modality=modality,
                explains=explains,
                second=opinions.get(modality),
                decoys=decoys,
                seed=seed,
            )
    return found


def _test_image(
    asked: tuple[CaseModel, Described, Sequence[Patient]],
    maps: Maps,
    *,
    modality: ImageModality,
    explains: MakeExplains,
    second: MakeExplains | None,
    decoys: Decoys,
    seed: int,
) -> list[Measured]:
    model, described, patients = asked
    curves = curves_of(model, described, maps, modality=modality, seed=seed)
    alike = {
        f"randomisation_{name}": values
        for name, values in likeness(maps, decoys, explains=explains).items()
    } | {
        f"stability_{name}": values
        for name, values in likeness_when_altered(
            explains(model), described, maps, modality=modality
        ).items()
    }
    if second is not None:
        other = second(model)
        alike[f"agreement_{other.method}"] = agreement(maps, other, described)
    found = []
    for row, image in enumerate(maps.which.tolist()):
        patient = patients[int(described.images[modality].owner[image])]
        measures = {name: float(values[row]) for name, values in alike.items()}
        measures |= dict(curves[row].areas) | _lesion(described, maps, row, modality=modality)
        found.append(
            Measured(
                modality,
                maps.method,
                patient.patient_id,
                patient.group,
                patient.label == 1,
                measures,
                curves[row].curves,
            )
        )
    return found


def _lesion(
    described: Described, maps: Maps, row: int, *, modality: ImageModality
) -> dict[str, float]:
    """Return where the map lies, of an ultrasound image whose lesion was outlined."""
    image = int(maps.which[row])
    images = described.images[modality]
    if modality != "ultrasound" or images.files[image].mask is None:
        return {}
    return lesion_enrichment(maps.values[row], images.planes[image, 1])
