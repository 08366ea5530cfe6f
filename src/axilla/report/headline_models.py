"""The few models that a crowded figure is drawn of: those the study's question is about."""

from typing import Final

from axilla.report.figures.palette import FAMILY_COLOURS
from axilla.report.reported_models import FamilyKey, StudyModel, of_family
from axilla.report.study_results import StudyResults
from axilla.report.tables.family_summary import headline_fusion, standing_of

_SINGLES: Final[tuple[FamilyKey, ...]] = ("ultrasound", "pathology", "clinical")
_MOST_MODELS: Final = 4


def protagonists(results: StudyResults) -> tuple[StudyModel, ...]:
    """Return the headline fusion and each modality's fair model, none of them picked by its curve.

    Where a table of predictions names no modalities, the models of highest AUC.
    """
    fusion = headline_fusion(standing_of(results, "fusion"))
    singles = [standing.fair for f in _SINGLES if (standing := standing_of(results, f))]
    others = standing_of(results, "models")
    ranked = results.rank_models([scored.entry for scored in others.models]) if others else ()
    leading = [scored.entry for scored in ([fusion] if fusion else []) + singles]
    return (*leading, *ranked[:_MOST_MODELS])


def readers(results: StudyResults) -> tuple[StudyModel, ...]:
    """Return the human readers."""
    return of_family(results.entries, "reader")


def colour_of(entry: StudyModel) -> str:
    """Return the colour of a protagonist: that of its family, or its own among plain models."""
    return entry.style.colour if entry.family == "models" else FAMILY_COLOURS[entry.family]


def short_label(entry: StudyModel) -> str:
    """Return what a figure writes beside a curve: one model stands for a modality."""
    label = entry.long_label
    if entry.family in _SINGLES or (entry.family == "fusion" and entry.chosen):
        label = entry.family
    return label[:1].upper() + label[1:]
