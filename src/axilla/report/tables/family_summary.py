"""Where each family of models stands: its fair number, its highest, and its trivial floor."""

from dataclasses import dataclass

from axilla.records.estimate import Estimate
from axilla.records.prespecified import HEADLINE_FUSION
from axilla.report.number_format import inside_sentence, with_interval
from axilla.report.reported_models import FamilyKey, StudyModel, of_family
from axilla.report.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class ScoredModel:
    """A model with its AUC; `partial` where some patients of the study lack its data."""

    entry: StudyModel
    auc: Estimate
    partial: bool = False

    @property
    def name(self) -> str:
        """The model's name in mid-sentence."""
        return inside_sentence(self.entry.long_label)

    def __str__(self) -> str:
        where = f" in the {self.auc.n:,} patients who have its data" if self.partial else ""
        return f"{with_interval(self.auc)}{where}"


@dataclass(frozen=True, slots=True)
class FamilySummary:
    """One family: `highest` was picked after the fact, `chosen` by each fold's inner splits."""

    family: FamilyKey
    models: tuple[ScoredModel, ...]
    chosen: ScoredModel | None
    floor: ScoredModel | None

    @property
    def highest(self) -> ScoredModel:
        """The model with the highest AUC, an optimistic pick."""
        return max(self.models, key=lambda scored: scored.auc.value)

    @property
    def fair(self) -> ScoredModel:
        """What an honest user would have got: chosen in each fold, where the study says it."""
        return self.chosen or self.highest

    def model(self, name: str) -> ScoredModel | None:
        """Return the model of this name, if the family has it."""
        return next((scored for scored in self.models if scored.entry.name == name), None)


def standing_of(results: StudyResults, family: FamilyKey) -> FamilySummary | None:
    """Return a family's standing, or None without a model that has an AUC."""
    whole = results.predictions["patient_id"].nunique()
    scored = [
        ScoredModel(entry, auc, partial=auc.n < whole)
        for entry in of_family(results.entries, family)
        if (auc := results.estimate(entry.name, "auc")) is not None
    ]
    models = tuple(s for s in scored if not (s.entry.trivial or s.entry.chosen))
    if not models:
        return None
    return FamilySummary(
        family=family,
        models=models,
        chosen=next((s for s in scored if s.entry.chosen), None),
        floor=next((s for s in scored if s.entry.trivial), None),
    )


def headline_fusion(fusion: FamilySummary | None) -> ScoredModel | None:
    """Return the fusion that a report leads with: the one named before any result was seen."""
    return (fusion.model(HEADLINE_FUSION) or fusion.fair) if fusion else None


def headline_of(results: StudyResults) -> ScoredModel | None:
    """Return the model that a report leads with: the fusion, or the best fair single modality."""
    if headline := headline_fusion(standing_of(results, "fusion")):
        return headline
    singles: tuple[FamilyKey, ...] = ("ultrasound", "pathology", "clinical", "models")
    fair = [standing.fair for family in singles if (standing := standing_of(results, family))]
    return max(fair, key=lambda scored: scored.auc.value, default=None)
