"""From candidates to tables: out-of-fold predictions with each fold's own threshold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch

from axilla.cohort.splits.folds import Fold
from axilla.config.study import ValidationSection
from axilla.inference.recalibration import IsotonicMap, PlattMap, fit_recalibration
from axilla.inference.thresholds import NEUTRAL, choose_threshold
from axilla.records.patients import Patient
from axilla.records.table_columns import AVAILABILITY, PREDICTIONS, SEARCH
from axilla.records.types import ModelKind
from axilla.training.candidate_cache import CachedCandidate
from axilla.training.candidates import SearchRow
from axilla.training.fusion.fusion_heads import FusionCandidate


@dataclass(frozen=True, slots=True)
class ScoredFold:
    """One model of one fold as predictions.csv sees it; logits (N,), NaN = not predicted."""

    model: str
    kind: ModelKind
    modality: str
    fold: Fold
    logits: torch.Tensor
    inner_logits: torch.Tensor

    @classmethod
    def of_unimodal(cls, candidate: CachedCandidate, *, name: str | None = None) -> "ScoredFold":
        """Take a unimodal model's predictions, under another name if given."""
        return cls(
            name or candidate.model,
            "unimodal",
            candidate.modality,
            candidate.fold,
            candidate.logits,
            candidate.inner_logits,
        )

    @classmethod
    def of_fusion(cls, candidate: FusionCandidate, *, name: str | None = None) -> "ScoredFold":
        """Take a fusion's predictions, under another name if given."""
        return cls(
            name or candidate.name,
            "fusion",
            "+".join(candidate.selected),
            candidate.fold,
            candidate.logits,
            candidate.inner_logits,
        )


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a fold's inner predictions decide: the map of its probabilities, and the threshold."""

    recalibration: PlattMap | IsotonicMap | None
    threshold: float

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities in double precision, in the shape of `logits`; NaN stays NaN."""
        chances = logits.double().sigmoid()
        if self.recalibration is None:
            return chances
        return torch.from_numpy(self.recalibration.apply(chances.numpy()))


def operating_point(
    inner_logits: torch.Tensor, labels: torch.Tensor, *, validation: ValidationSection
) -> OperatingPoint:
    """Fit the map to a fold's inner out-of-fold predictions, then choose the threshold on them.

    `inner_logits` (N,) are NaN for everybody else, the test patients among them.
    """
    known = torch.isfinite(inner_logits)
    outcome = labels[known].numpy()
    before = inner_logits[known].double().sigmoid().numpy()
    recalibration = fit_recalibration(validation.recalibration, outcome, probabilities=before)
    after = recalibration.apply(before) if recalibration else before
    threshold = choose_threshold(outcome, after, rule=validation.threshold)
    return OperatingPoint(recalibration, threshold)


def prediction_table(
    scored: Iterable[ScoredFold],
    patients: Sequence[Patient],
    labels: torch.Tensor,
    *,
    folds: Sequence[Fold],
    validation: ValidationSection,
    reader: str | None,
) -> pd.DataFrame:
    """Return predictions.csv: each model's predictions of each fold's test patients."""
    rows = [
        row
        for model in scored
        for row in _model_rows(model, patients, labels, validation=validation)
    ]
    if reader is not None:
        rows += _reader_rows(reader, patients, labels, folds)
    return pd.DataFrame(rows, columns=list(PREDICTIONS))


def _model_rows(
    model: ScoredFold,
    patients: Sequence[Patient],
    labels: torch.Tensor,
    *,
    validation: ValidationSection,
) -> Iterator[tuple[object, ...]]:
    point = operating_point(model.inner_logits, labels, validation=validation)
    chances = point.probabilities(model.logits)
    for position in model.fold.outer.test:
        if torch.isfinite(chances[position]):
            yield (
                patients[position].patient_id,
                model.model,
                model.kind,
                model.modality,
                model.fold.repeat,
                model.fold.fold,
                int(labels[position]),
                float(chances[position]),
                point.threshold,
            )


def _reader_rows(
    name: str, patients: Sequence[Patient], labels: torch.Tensor, folds: Sequence[Fold]
) -> Iterator[tuple[object, ...]]:
    for fold in folds:
        for position in fold.outer.test:
            patient = patients[position]
            if patient.reader_positive is not None:
                yield (
                    patient.patient_id,
                    name,
                    "reader",
                    "reader",
                    fold.repeat,
                    fold.fold,
                    int(labels[position]),
                    float(patient.reader_positive),
                    NEUTRAL,
                )


def availability_table(
    fused: Iterable[FusionCandidate],
    patients: Sequence[Patient],
    labels: torch.Tensor,
    *,
    validation: ValidationSection,
) -> pd.DataFrame:
    """Return availability.csv: what each fusion says of test patients, by what it was shown.

    Beside the prediction from all that a patient has stand those with modalities withheld.
    """
    rows = [
        row
        for model in fused
        for row in _availability_rows(model, patients, labels, validation=validation)
    ]
    return pd.DataFrame(rows, columns=list(AVAILABILITY))


def _availability_rows(
    model: FusionCandidate,
    patients: Sequence[Patient],
    labels: torch.Tensor,
    *,
    validation: ValidationSection,
) -> Iterator[tuple[object, ...]]:
    point = operating_point(model.inner_logits, labels, validation=validation)
    has = [torch.isfinite(part.logits) for part in model.selected.values()]
    for position in model.fold.outer.test:
        own = "+".join(m for m, there in zip(model.selected, has, strict=True) if there[position])
        fewer = [(name, True, logits) for name, logits in model.withheld.items()]
        for name, withheld, logits in ((own, False, model.logits), *fewer):
            if torch.isfinite(logits[position]):
                yield (
                    patients[position].patient_id,
                    model.name,
                    model.fold.repeat,
                    model.fold.fold,
                    int(labels[position]),
                    float(point.probabilities(logits[position])),
                    point.threshold,
                    name,
                    int(withheld),
                )


def search_table(rows: Iterable[SearchRow]) -> pd.DataFrame:
    """Return search.csv: every grid point that was tried in every fold."""
    return pd.DataFrame(
        [(r.model, r.fold, r.hyperparameters, r.inner_score, round(r.seconds, 3)) for r in rows],
        columns=list(SEARCH),
    )
