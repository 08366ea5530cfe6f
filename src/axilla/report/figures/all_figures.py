"""Every figure of a study by name, and their copies in results/figures/."""

from collections.abc import Mapping

from axilla.records.run_folder import RunFolder, write_bytes
from axilla.report.answer import StudyAnswer
from axilla.report.figures.calibration_figure import draw_calibration
from axilla.report.figures.confusion_figure import draw_confusions
from axilla.report.figures.decision_figure import draw_decision_curve
from axilla.report.figures.faithfulness_figure import draw_faithfulness
from axilla.report.figures.figure_style import RenderedFigure
from axilla.report.figures.flow_figure import draw_flow
from axilla.report.figures.forest_figure import draw_forest
from axilla.report.figures.heatmap_figure import draw_figure5
from axilla.report.figures.learning_figure import draw_learning_curve
from axilla.report.figures.roc_figure import draw_roc
from axilla.report.figures.shapley_figure import draw_shapley
from axilla.report.figures.subgroup_figure import draw_subgroups
from axilla.report.images.explained_cases import ExplainedCases
from axilla.report.reported_models import FAMILY_TITLES, FamilyKey, StudyModel, of_family
from axilla.report.study_results import StudyResults

# The paper's numbers, so that its readers find their way.
STEMS: dict[FamilyKey, str] = {
    "pathology": "figure2_pathology",
    "ultrasound": "figure3_ultrasound",
    "fusion": "figure4_fusion",
    "clinical": "clinical",
    "reader": "reader",
    "models": "models",
}

# A reader looks at ultrasound: its point belongs beside the models that see the same.
_WITH_READERS: tuple[FamilyKey, ...] = ("ultrasound", "fusion", "clinical", "models")


def draw_figures(
    results: StudyResults, answer: StudyAnswer, explained: ExplainedCases | None = None
) -> dict[str, RenderedFigure]:
    """Draw the inclusion flow, each family's ROC curves and confusion matrices, and the rest.

    `explained` are the cases of Figure 5.
    """
    drawings: list[RenderedFigure | None] = [draw_flow(results)]
    for family in page_families(results):
        title, stem = FAMILY_TITLES[family], STEMS[family]
        drawings += [
            draw_roc(
                results,
                roc_entries(results, family),
                name=f"{stem}_roc",
                title=f"ROC curves, {title.lower()} models",
            ),
            draw_confusions(
                results,
                table_entries(results, family),
                name=f"{stem}_confusion",
                title=f"Confusion matrices, {title.lower()} models",
            ),
        ]
    band = answer.rival.auc if answer.rival else None
    drawings += [draw_forest(results, band=band), draw_subgroups(results)]
    drawings += [draw_calibration(results), draw_decision_curve(results)]
    drawings += [draw_learning_curve(results), draw_shapley(results.explained)]
    drawings += [draw_figure5(explained), draw_faithfulness(results.explained)]
    return {drawing.name: drawing for drawing in drawings if drawing is not None}


def page_families(results: StudyResults) -> tuple[FamilyKey, ...]:
    """Return the families that get their own section; a reader joins the clinical models if any."""
    present = {entry.family for entry in results.entries}
    if "clinical" in present:
        present.discard("reader")
    return tuple(family for family in STEMS if family in present)


def table_entries(results: StudyResults, family: FamilyKey) -> tuple[StudyModel, ...]:
    """Return the entries of a family's table: the readers stand below the clinical models."""
    readers = of_family(results.entries, "reader") if family == "clinical" else ()
    return (*of_family(results.entries, family), *readers)


def roc_entries(results: StudyResults, family: FamilyKey) -> tuple[StudyModel, ...]:
    """Return the entries of a family's ROC panel: with the readers where a comparison is fair."""
    readers = of_family(results.entries, "reader") if family in _WITH_READERS else ()
    return (*of_family(results.entries, family), *readers)


def write_figures(drawings: Mapping[str, RenderedFigure], folder: RunFolder) -> None:
    """Write each figure as PNG and SVG, each file whole or not at all."""
    for name, drawing in drawings.items():
        write_bytes(folder.figures / f"{name}.png", drawing.png)
        write_bytes(folder.figures / f"{name}.svg", drawing.svg)
