"""Logistic regression: the clinical model and the trivial baseline."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from axilla.annotation.boxes import roi_from_mask
from axilla.cohort.splits.folds import Fold, Split
from axilla.config.study import StudyConfig
from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.open_image import open_picture
from axilla.imaging.raster import decode_mask
from axilla.preprocessing.clinical import ClinicalEncoder, Values, fit_encoder
from axilla.records.digests import digest_of
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Progress
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality, Modality
from axilla.training.candidates import Candidate, ModelOutput, SearchRow, all_splits, by_fold, pick
from axilla.training.data.pixels import Pixels, per_patient
from axilla.training.engine.cache_files import is_whole_array, write_array
from axilla.training.heads.batched_training import TrainedHead
from axilla.training.heads.frozen_heads import with_modality
from axilla.training.heads.hyperparameter_grid import Tried, search_rows

PENALTIES = (0.01, 0.1, 1.0)
"""Inverse L2 penalties tried inside each fold."""

_MAX_ITERATIONS = 1000


def train_logistic(
    model: str,
    modality: Modality,
    features: Sequence[torch.Tensor],
    *,
    present: torch.Tensor,
    labels: torch.Tensor,
    folds: Sequence[Fold],
) -> tuple[list[Candidate], list[SearchRow]]:
    """Fit a ridge-penalised logistic regression in every fold, its penalty chosen inside it.

    `features` holds one (N, K) per split in the order of `all_splits(folds)`, encoded with that
    split's training patients; `present` (N,) tells who has any.
    """
    tried = _try_strengths(features, present, labels, folds)
    candidates, rows = [], []
    for chosen, (inner, outer) in zip(
        pick(folds, tried.models, labels, present=present), by_fold(folds, features), strict=True
    ):
        outputs = [
            ModelOutput(x.unsqueeze(1), trained.logits.where(present, torch.nan))
            for x, trained in zip([*inner, outer], [*chosen.inner, chosen.outer], strict=True)
        ]
        candidates.append(
            Candidate(
                model,
                modality,
                chosen.fold,
                inner=tuple(outputs[:-1]),
                outer=outputs[-1],
                inner_logits=chosen.inner_logits,
                inner_score=chosen.inner_scores[chosen.point],
                parts={"classifier": chosen.outer.state},
            )
        )
        rows += search_rows(model, chosen, tried, folds=len(folds))
    return candidates, rows


def _try_strengths(
    features: Sequence[torch.Tensor],
    present: torch.Tensor,
    labels: torch.Tensor,
    folds: Sequence[Fold],
) -> Tried:
    trains = [with_modality(split, present) for split in all_splits(folds)]
    models, seconds = [], []
    for penalty in PENALTIES:
        start = time.perf_counter()
        models.append(
            [
                _fit(x, labels, train, penalty=penalty)
                for x, train in zip(features, trains, strict=True)
            ]
        )
        seconds.append(time.perf_counter() - start)
    return Tried(tuple(f"C {penalty:g}" for penalty in PENALTIES), models, seconds)


def _fit(
    x: torch.Tensor, labels: torch.Tensor, train: torch.Tensor, *, penalty: float
) -> TrainedHead:
    """Fit one regression, whose state is that of a linear layer.

    Where few patients bring the modality, a split may hold one class of them: its model then says
    everybody's smoothed odds, which ranks nobody.
    """
    truth = labels[train]
    if 0 < float(truth.sum()) < len(truth):
        regression = LogisticRegression(C=penalty, max_iter=_MAX_ITERATIONS)
        regression.fit(x[train].double().numpy(), truth.numpy())
        weight = torch.from_numpy(regression.coef_.astype(np.float32))
        bias = torch.from_numpy(regression.intercept_.astype(np.float32))
    else:
        weight = torch.zeros(1, x.shape[1])
        bias = ((truth.sum() + 0.5) / (len(truth) - truth.sum() + 0.5)).log().reshape(1)
    state = {"weight": weight, "bias": bias}
    return TrainedHead(state, logits=(x @ weight.T + bias).squeeze(1))


def standardise(features: torch.Tensor, present: torch.Tensor, split: Split) -> torch.Tensor:
    """Scale features (N, K) by the mean and sd of a split's training patients; absent become 0."""
    train = features[with_modality(split, present)]
    scaled = (features - train.mean(0)) / train.std(0, correction=0).clamp(min=1e-6)
    return scaled.where(present.unsqueeze(1), 0.0)


def encoders_of(
    patients: Sequence[Patient], config: StudyConfig, folds: Sequence[Fold]
) -> list[ClinicalEncoder]:
    """Fit one clinical encoder per split, on that split's training patients."""
    values: list[Values] = [patient.clinical for patient in patients]
    return [
        fit_encoder([values[position] for position in split.train], config.clinical)
        for split in all_splits(folds)
    ]


def trivial_features(
    patients: Sequence[Patient], pixels: Pixels, *, cache: Path, progress: Progress
) -> torch.Tensor:
    """Return (N, K) features of one modality, bags averaged, NaN for no image.

    Pathology: mean and sd of red, green and blue. Ultrasound: width and height of the image,
    mean and sd of its brightness, and the ROI's place, size and shape.
    """
    path = cache / "trivial" / f"{digest_of('trivial', 1, pixels.digest)}.npy"
    if not is_whole_array(path):
        files = [file for patient in patients for file in patient.images(pixels.modality)]
        rows = []
        with progress.task(f"Measuring {pixels.modality}", total=len(files)) as advance:
            for file in files:
                rows.append(_measure(file, pixels.modality))
                advance(1)
        measured = np.array(rows, dtype=np.float32)
        write_array(path, [measured], shape=measured.shape, dtype=np.float32)
    images = torch.from_numpy(np.load(path))
    return per_patient(images, pixels.owner, patients=pixels.patients)


def _measure(file: ImageFile, modality: ImageModality) -> list[float]:
    picture = open_picture(file)
    image = picture.pixels
    if modality == "pathology":
        return [*image.mean((0, 1)), *image.std((0, 1))]
    box = _box(file, picture)
    height, width = image.shape[:2]
    return [
        width,
        height,
        image.mean(),
        image.std(),
        box.left_px / width,
        box.top_px / height,
        box.width_px,
        box.height_px,
        box.width_px / box.height_px,
    ]


def _box(file: ImageFile, picture: DecodedImage) -> Roi:
    if file.roi is not None:
        return file.roi
    if file.mask is not None:
        return roi_from_mask(decode_mask(file.mask))
    return picture.region or Roi(0, 0, picture.pixels.shape[1], picture.pixels.shape[0])
