"""One fold: the maps of patients whom its model had not seen, their decoys and their tests."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from axilla.explanation.faithfulness.case_selection import cases_of, top_images
from axilla.explanation.faithfulness.faithfulness_scores import Measured
from axilla.explanation.faithfulness.faithfulness_tests import measure
from axilla.explanation.faithfulness.model_randomisation import described_by, shuffle_weights
from axilla.explanation.heatmap_file import Heatmap
from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.explainer import Explainer, Maps, Method
from axilla.explanation.shapley import (
    ClinicalImportance,
    Shapley,
    clinical_importance,
    modality_shapley,
)
from axilla.inference.bundle import Bundle
from axilla.preprocessing.prepare import window_of
from axilla.records.patients import Patient
from axilla.records.types import ImageModality


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """One fold's model, made when it is wanted, and the patients whom it had not seen.

    `outputs` returns these patients described without their images, as training kept them, or None
    where nothing was kept: then their images are embedded again.
    """

    fold: str
    patients: Sequence[Patient]
    bundle: Callable[[], Bundle]
    outputs: Callable[[], Described | None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of a fold: the method, whose images are mapped, decoyed, and tested."""

    method: Method
    mapped: Collection[str]
    decoyed: Collection[str]
    checked: Collection[str]
    images: int
    seed: int


@dataclass(frozen=True, slots=True)
class BagImage:
    """One image of a bag: its share in it, and what its map adds to the logit."""

    patient_id: str
    modality: ImageModality
    method: str
    image: int
    share: float
    logit: float
    mean: float


@dataclass(frozen=True, slots=True)
class FoldMaps:
    """What a fold's model says of its patients, and of the images of those who are mapped."""

    model: str
    maps: Mapping[str, Mapping[ImageModality, Heatmap]]
    rows: tuple[BagImage, ...]
    tested: tuple[Measured, ...]
    methods: Mapping[ImageModality, str]
    patients: Sequence[Patient]
    shapley: Shapley
    clinical: ClinicalImportance | None


def explain_fold(fold: OutOfFold, wishes: Wishes) -> FoldMaps:
    """Map the images of the patients who are wished for, of each bag those that count most.

    Which modality mattered is told of all patients of the fold. Raises `UnreadableImage` or
    `RoiError` where an image cannot be read any more.
    """
    model = CaseModel(fold.bundle())
    outputs = fold.outputs()
    everybody = outputs if outputs is not None else model.describe(fold.patients)
    patients = [p for p in fold.patients if p.patient_id in wishes.mapped]
    described = model.describe(patients)
    decoys = _decoys(model, described, patients, wishes)
    maps: dict[str, dict[ImageModality, Heatmap]] = {p.patient_id: {} for p in patients}
    rows: list[BagImage] = []
    methods: dict[ImageModality, str] = {}
    for modality in model.image_modalities if patients else ():
        explainer = Explainer(model, modality, method=wishes.method)
        methods[modality] = explainer.method
        found = explainer.explain(described, _foremost(described, modality, most=wishes.images))
        rows += _rows(found, described, patients, modality=modality)
        for image, heatmap in _heatmaps(model, found, described, modality=modality).items():
            patient = patients[int(described.images[modality].owner[image])]
            decoy = decoys.get((patient.patient_id, modality))
            maps[patient.patient_id][modality] = (
                Heatmap(heatmap.values, heatmap.window, heatmap.image, decoy.numpy())
                if decoy is not None
                else heatmap
            )
    return FoldMaps(
        model.manifest.model,
        maps,
        tuple(rows),
        tuple(_test_maps(model, described, patients, wishes)),
        methods,
        fold.patients,
        modality_shapley(model, everybody, seed=wishes.seed),
        clinical_importance(model, fold.patients, described=everybody, seed=wishes.seed),
    )


def _foremost(described: Described, modality: ImageModality, *, most: int) -> torch.Tensor:
    """Return each bag's `most` images of largest share, the largest first, bag by bag."""
    images = described.images[modality]
    chosen: list[int] = []
    for owner in images.owner.unique().tolist():
        bag = torch.nonzero(images.owner == owner).squeeze(1)
        order = images.share[bag].argsort(descending=True, stable=True)
        chosen += bag[order[:most]].tolist()
    return torch.tensor(chosen, dtype=torch.long)


def _heatmaps(
    model: CaseModel, found: Maps, described: Described, *, modality: ImageModality
) -> dict[int, Heatmap]:
    """Return the map of each bag's foremost image, by the image's number."""
    images = described.images[modality]
    tops = set(top_images(described, modality).tolist())
    return {
        image: Heatmap(
            values.numpy(),
            window_of(images.files[image], modality, settings=model.pixels),
            _place_in_bag(images.owner, image),
        )
        for image, values in zip(found.which.tolist(), found.values, strict=True)
        if image in tops
    }


def _place_in_bag(owner: torch.Tensor, image: int) -> int:
    return int((owner[:image] == owner[image]).sum())


def _rows(
    found: Maps, described: Described, patients: Sequence[Patient], *, modality: ImageModality
) -> list[BagImage]:
    images = described.images[modality]
    return [
        BagImage(
            patients[int(images.owner[image])].patient_id,
            modality,
            found.method,
            image=_place_in_bag(images.owner, image),
            share=float(images.share[image]),
            logit=float(logit),
            mean=float(values.mean()),
        )
        for image, values, logit in zip(
            found.which.tolist(), found.values, found.logits, strict=True
        )
    ]


def _rows_of(patients: Sequence[Patient], names: Collection[str]) -> list[int]:
    return [row for row, patient in enumerate(patients) if patient.patient_id in names]


def _decoys(
    model: CaseModel, described: Described, patients: Sequence[Patient], wishes: Wishes
) -> dict[tuple[str, ImageModality], torch.Tensor]:
    """Return the same images' maps by the model with shuffled weights, for those who get one."""
    rows = _rows_of(patients, wishes.decoyed)
    if not rows:
        return {}
    other = shuffle_weights(model, seed=wishes.seed, described=described)
    few = described_by(other, cases_of(described, rows))
    mine = cases_of(described, rows)
    decoys = {}
    for modality in model.image_modalities:
        which = top_images(mine, modality)
        found = Explainer(other, modality, method=wishes.method).explain(few, which)
        for image, values in zip(which.tolist(), found.values, strict=True):
            patient = patients[rows[int(mine.images[modality].owner[image])]]
            decoys[patient.patient_id, modality] = values
    return decoys


def _test_maps(
    model: CaseModel, described: Described, patients: Sequence[Patient], wishes: Wishes
) -> list[Measured]:
    rows = _rows_of(patients, wishes.checked)
    if not rows:
        return []
    methods = [
        (modality, partial(_explainer, modality=modality, method=wishes.method))
        for modality in model.image_modalities
    ]
    few = cases_of(described, rows)
    second = {m: partial(_explainer, modality=m, method="integrated") for m in described.images}
    return measure(
        *(model, few, [patients[r] for r in rows]),
        methods=methods,
        opinions=second if wishes.method != "integrated" else {},
        seed=wishes.seed,
    )


def _explainer(model: CaseModel, *, modality: ImageModality, method: Method) -> Explainer:
    return Explainer(model, modality, method=method)
