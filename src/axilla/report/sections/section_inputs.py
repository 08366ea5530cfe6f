"""What the sections of the page are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from axilla.report.answer import StudyAnswer
from axilla.report.figures.figure_style import RenderedFigure
from axilla.report.images.explained_cases import ExplainedCases
from axilla.report.page import PageSection
from axilla.report.sections.failure_gallery import FailureGallery
from axilla.report.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What sections are made of; `gallery` is None where the study shows no errors.

    `explained` are the cases whose heatmaps are shown, None without heatmaps.
    """

    results: StudyResults
    answer: StudyAnswer
    drawings: Mapping[str, RenderedFigure]
    gallery: FailureGallery | None = None
    explained: ExplainedCases | None = None


Builder = Callable[[ReportContext], PageSection | None]
