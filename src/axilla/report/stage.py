"""The report stage: reads results/, writes figures, tables and report.html; trains nothing."""

from collections.abc import Sequence
from pathlib import Path

from axilla.config.study import StudyConfig
from axilla.inference.manifest import read_manifest
from axilla.inference.model_card import model_card
from axilla.records.run_folder import RunFolder, write_bytes
from axilla.report.answer import answer_of
from axilla.report.checklists.checklist import (
    CHECKLISTS,
    checklist_frame,
    checklists_section,
    fill,
    read_checklist,
)
from axilla.report.figures.all_figures import (
    draw_figures,
    page_families,
    table_entries,
    write_figures,
)
from axilla.report.images.explained_cases import explained_cases
from axilla.report.manuscript.manuscript_tables import manuscript_tables
from axilla.report.number_format import pluralise
from axilla.report.page import PageSection, render_page
from axilla.report.sections.all_sections import build_sections, table_name
from axilla.report.sections.failure_gallery import gallery_of
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.study_results import StudyResults, load_results
from axilla.report.tables.performance_tables import performance_frame


def write_report(config: StudyConfig, folder: RunFolder) -> Path:
    """Write figures, tables and report.html from results/, and return the page's path.

    Raises `StudyError`, with the remedy, if predictions.csv or metrics.csv is missing or they
    come from different runs, and `BundleError` for a damaged bundle. Equal results give equal
    bytes.
    """
    results = load_results(config, folder)
    answer = answer_of(results)
    explained = explained_cases(results, folder.root)
    drawings = draw_figures(results, answer, explained)
    write_figures(drawings, folder)
    for family in page_families(results):
        frame = performance_frame(results, table_entries(results, family))
        folder.write_table(f"{table_name(family)}.csv", frame)
    if folder.bundle.is_file():
        card = model_card(read_manifest(folder.bundle))
        write_bytes(folder.table("model_card.md"), card.encode())
    gallery = gallery_of(results, folder.root)
    sections = build_sections(ReportContext(results, answer, drawings, gallery, explained))
    if results.provenance:
        sections = (*sections, _checklists(results, folder, sections))
    page = render_page(sections, title=config.study.name, facts=_facts(results))
    path = folder.table("report.html")
    write_bytes(path, page.encode())
    return path


def write_manuscript(config: StudyConfig, folder: RunFolder) -> Path:
    """Write tables.docx from results/, and return its path; raises as `write_report` does."""
    from axilla.report.manuscript.word_document import write_docx  # noqa: PLC0415 - python-docx is slow

    path = folder.table("tables.docx")
    tables = manuscript_tables(load_results(config, folder))
    write_docx(path, tables, heading=config.study.name)
    return path


def _checklists(
    results: StudyResults, folder: RunFolder, sections: Sequence[PageSection]
) -> PageSection:
    """Fill the reporting checklists from what the study has, and write them beside the page."""
    anchors = {anchor for section in sections for anchor in section.anchors}
    files = {
        path.relative_to(folder.results).as_posix()
        for path in (*folder.results.glob("*.*"), *folder.figures.glob("*.*"))
    }
    filled = [
        fill(read_checklist(key), results, anchors=anchors, files=files) for key in CHECKLISTS
    ]
    for one in filled:
        folder.write_table(f"checklist_{one.checklist.key}.csv", checklist_frame(one))
    return checklists_section(filled)


def _facts(results: StudyResults) -> list[str]:
    finished = str(results.provenance.get("finished") or "")[:10]
    models = [entry for entry in results.entries if entry.competes]
    return [
        pluralise(results.predictions["patient_id"].nunique(), "patient"),
        pluralise(len(models), "model"),
        *([f"finished {finished}"] if finished else []),
    ]
