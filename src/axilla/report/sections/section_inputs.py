"""What the sections of the page are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from axilla.report.answer import Answer
from axilla.report.figures.figure_style import Drawing
from axilla.report.images.explained_cases import ExplainedCases
from axilla.report.page import Section
from axilla.report.sections.failure_gallery import Gallery
from axilla.report.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class Material:
    """What sections are made of; `gallery` is None where the study shows no errors.

    `explained` are the cases whose heatmaps are shown, None without heatmaps.
    """

    results: StudyResults
    answer: Answer
    drawings: Mapping[str, Drawing]
    gallery: Gallery | None = None
    explained: ExplainedCases | None = None


Builder = Callable[[Material], Section | None]
