"""What a fold's training ends in: its chosen models and its fusion, ready to become a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from axilla.cohort.splits.folds import Fold
from axilla.config.study import StudyConfig
from axilla.preprocessing.clinical import ClinicalEncoder
from axilla.records.patients import Patient
from axilla.records.types import IMAGE_MODALITIES
from axilla.training.candidates import SearchRow, by_fold
from axilla.training.fusion.fusion_heads import FusionCandidate, Selected, select_unimodal
from axilla.training.unimodal_training import Unimodal


@dataclass(frozen=True, slots=True)
class TrainedModels:
    """Every model of the study in every fold, and every grid point that was tried."""

    unimodal: Unimodal
    fusions: list[FusionCandidate]
    rows: list[SearchRow]


@dataclass(frozen=True, slots=True)
class FoldModels:
    """The models of one fold; of the fold that trains on everybody, what the bundle is made of.

    `patients`, at the study's `rows`, trained them and `tested`, at `tested_rows`, did not.
    `labels` are of all patients of the study, in whose order the models' inner logits stand;
    `name` is the fold's.
    `out_of_fold` are the outer folds of the study's first repetition: each patient is tested in
    one of them.
    """

    patients: Sequence[Patient]
    labels: torch.Tensor
    selected: Selected
    fusion: FusionCandidate | None
    encoder: ClinicalEncoder | None
    cohort_digest: str
    name: str
    rows: Sequence[int]
    tested: Sequence[Patient] = ()
    tested_rows: Sequence[int] = ()
    out_of_fold: Sequence["FoldModels"] = field(default=())


@dataclass(frozen=True, slots=True)
class FinalModels:
    """Takes one fold's models from what was trained in all of them; the last is everybody."""

    config: StudyConfig
    trained: TrainedModels
    folds: Sequence[Fold]
    patients: Sequence[Patient]
    labels: torch.Tensor
    cohort_digest: str

    def final(self) -> FoldModels:
        """Return the models of the fold that trains on everybody, with those of outer folds."""
        *outer, everybody = self.folds
        return self.of(everybody, out_of_fold=[self.of(fold) for fold in outer if fold.repeat == 1])

    def of(self, fold: Fold, *, out_of_fold: Sequence[FoldModels] = ()) -> FoldModels:
        """Return a fold's models.

        The fusion is the one that inner folds chose; of an outer fold, the one that the study
        explains, if it is trained.
        """
        fusion = best_fusion(self.trained.fusions, fold)
        if fold.outer.test:
            fusion = self._get_explained(fold) or fusion
        return FoldModels(
            [self.patients[position] for position in fold.outer.train],
            self.labels,
            selected=select_all(self.trained.unimodal, fold),
            fusion=fusion,
            encoder=self._encoder(fold),
            cohort_digest=self.cohort_digest,
            name=fold.name,
            rows=fold.outer.train,
            tested=[self.patients[position] for position in fold.outer.test],
            tested_rows=fold.outer.test,
            out_of_fold=out_of_fold,
        )

    def _get_explained(self, fold: Fold) -> FusionCandidate | None:
        wanted = self.config.explanation.model
        mine = (f for f in self.trained.fusions if f.fold == fold and f.name == wanted)
        return next(mine, None)

    def _encoder(self, fold: Fold) -> ClinicalEncoder | None:
        encoders = self.trained.unimodal.encoders
        if not encoders:
            return None
        outer = [encoder for _, encoder in by_fold(self.folds, encoders)]
        return outer[list(self.folds).index(fold)]


def select_all(unimodal: Unimodal, fold: Fold) -> Selected:
    """Return the fold's best model of every modality, by its inner score."""
    return select_unimodal(unimodal.of_fold(fold), (*IMAGE_MODALITIES, "clinical"))


def best_fusion(fusions: Sequence[FusionCandidate], fold: Fold) -> FusionCandidate | None:
    """Return the fold's fusion with the best inner score, if it has any."""
    mine = [candidate for candidate in fusions if candidate.fold == fold]
    return max(mine, key=lambda candidate: candidate.inner_score) if mine else None
