"""The filled checklists as a section of the page."""

from collections.abc import Sequence

from axilla.report.checklists.checklist import Filled
from axilla.report.page import Section, render


def checklists_section(filled: Sequence[Filled]) -> Section:
    """Every item of each checklist, with its evidence or with what the authors must write."""
    html = render("sections/checklists.html.j2", checklists=filled)
    return Section("Reporting checklists", "checklists", html)
