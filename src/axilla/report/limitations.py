"""The limitations of a study, computed from its results: only those that its data show."""

from axilla.report.limitation import Limitation
from axilla.report.limits_of_data import limits_of_data
from axilla.report.limits_of_models import limits_of_models
from axilla.report.page import Section, render
from axilla.report.sections.section_inputs import Material
from axilla.report.study_results import StudyResults
from axilla.report.tables.family_summary import headline_of


def limitations_of(results: StudyResults) -> tuple[Limitation, ...]:
    """Return the limitations that apply, those of the data first; none without an AUC."""
    headline = headline_of(results)
    if headline is None:
        return ()
    return (*limits_of_data(results, headline), *limits_of_models(results, headline))


def limitations_section(material: Material) -> Section | None:
    """What the results do not show, and why."""
    found = limitations_of(material.results)
    if not found:
        return None
    html = render("sections/limitations.html.j2", limitations=found)
    return Section("Limitations", "limitations", html)
