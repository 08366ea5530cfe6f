"""The section of paired comparisons: every planned pair, its difference and its test."""

from axilla.evaluation.comparisons.planned_comparisons import READER, VERDICT
from axilla.report.number_format import sentence
from axilla.report.page import PageSection, render
from axilla.report.reported_models import StudyModel
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.tables.comparison_rows import families


def comparisons_section(material: ReportContext) -> PageSection | None:
    """Every planned comparison, family by family; None without any."""
    results = material.results
    if results.comparisons.empty:
        return None
    labels = {entry.name: _label(entry) for entry in results.entries}
    html = render(
        "sections/comparisons.html.j2",
        families=[(family_title(family), contests) for family, contests in families(results)],
        labels=labels,
    )
    return PageSection("Comparisons", "comparisons", html)


def family_title(family: str) -> str:
    """Return how a page and a manuscript call a family of comparisons."""
    if family == VERDICT:
        return "Fusion verdict"
    return "Against the reader" if family.startswith(READER) else sentence(family)


def _label(entry: StudyModel) -> str:
    return entry.long_label[:1].upper() + entry.long_label[1:]
