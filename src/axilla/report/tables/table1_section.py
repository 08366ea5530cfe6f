"""Table 1 on the page, and as a page of its own."""

from axilla.report.manuscript.manuscript_table import ManuscriptTable
from axilla.report.number_format import listed
from axilla.report.page import Section, render
from axilla.report.sections.section_inputs import Material
from axilla.report.study_results import StudyResults
from axilla.report.tables.table1_text import printed_table


def table1_section(material: Material) -> Section | None:
    """Who the patients are, by outcome."""
    table = study_manuscript_table1(material.results)
    return None if table is None else section_of(table, file="table1.csv")


def study_manuscript_table1(results: StudyResults) -> ManuscriptTable | None:
    """Return a study's Table 1 as printed, or None if it has none."""
    if results.table1.empty:
        return None
    return printed_table(
        results.table1,
        title=f"Table 1. Patients by {results.config.study.outcome}",
        tied_by=listed(list(results.config.cohort.group)),
    )


def section_of(table: ManuscriptTable, *, file: str = "") -> Section:
    """Return Table 1 as a section of a page; `file` names where it also lies."""
    html = render("sections/table1.html.j2", table=table, file=file)
    return Section("Table 1: who the patients are", "table1", html)
