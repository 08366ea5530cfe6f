"""All sections of the page, in order; None where the study has no such part."""

from collections import Counter
from functools import partial

from axilla.report.answer import scale_of
from axilla.report.figures.all_figures import STEMS, page_families, roc_entries, table_entries
from axilla.report.limitations import limitations_section
from axilla.report.number_format import inside_sentence, join_items, sentence
from axilla.report.page import PageSection, render
from axilla.report.reported_models import FamilyKey
from axilla.report.sections.calibration_section import calibration_section
from axilla.report.sections.comparisons_section import comparisons_section
from axilla.report.sections.decision_section import decision_section
from axilla.report.sections.explanation_section import explanation_section
from axilla.report.sections.external_section import external_section
from axilla.report.sections.learning_section import learning_section
from axilla.report.sections.methods import is_clustered, methods_of, methods_of_evaluation
from axilla.report.sections.provenance import provenance_facts, search_lines
from axilla.report.sections.reader_study_section import readings_section
from axilla.report.sections.roi_agreement_section import roi_agreement_section
from axilla.report.sections.section_inputs import Builder, ReportContext
from axilla.report.sections.shapley_section import shapley_section
from axilla.report.tables.flow_and_checks import choices, flow_notes, flow_steps, remarks, tally
from axilla.report.tables.inclusion_stages import fold_sizes
from axilla.report.tables.performance_tables import COLUMNS, availability_table, performance_table
from axilla.report.tables.subgroup_rows import METRICS, subgroups_of
from axilla.report.tables.table1_text import table1_section

_FAMILY_SECTIONS: dict[FamilyKey, tuple[str, str]] = {
    "pathology": ("Pathology: Table 2, Figure 2", "table2_pathology"),
    "ultrasound": ("Ultrasound: Table 3, Figure 3", "table3_ultrasound"),
    "fusion": ("Fusion: Table 4, Figure 4", "table4_fusion"),
    "clinical": ("Clinical model and reader", "table_clinical"),
    "reader": ("Reader", "table_reader"),
    "models": ("Models", "table_models"),
}
# What the settings say of predictions that axilla did not make.
_OF_ANY_PREDICTIONS = ("Outcome", "Statistics", "Randomness")


def subgroup_section(material: ReportContext) -> PageSection | None:
    """How the leading model does at every level of the columns that study.toml names."""
    subgroups = subgroups_of(material.results)
    if subgroups is None:
        return None
    html = render(
        "sections/subgroups.html.j2",
        subgroups=subgroups,
        name=sentence(subgroups.entry.long_label),
        columns=METRICS,
        drawing=material.drawings.get("subgroups"),
        smallest=material.results.config.evaluation.smallest_subgroup,
        some_small=any(line.small for block in subgroups.blocks for line in block.lines),
    )
    return PageSection("Subgroups", "subgroups", html)


def gallery_section(material: ReportContext) -> PageSection | None:
    """The most confident errors of the model that the report leads with, with their images."""
    gallery = material.gallery
    if gallery is None:
        return None
    html = render(
        "sections/gallery.html.j2",
        gallery=gallery,
        name=inside_sentence(gallery.model.long_label),
        repeats=material.results.predictions["repeat"].nunique(),
    )
    return PageSection("Where it was most wrong", "failures", html)


def build_sections(material: ReportContext) -> tuple[PageSection, ...]:
    """Return the sections this study has material for, in the page's order."""
    return tuple(s for builder in SECTIONS if (s := builder(material)) is not None)


def table_name(family: FamilyKey) -> str:
    """Return the name of a family's table in results/, without suffix."""
    return _FAMILY_SECTIONS[family][1]


def about_section(material: ReportContext) -> PageSection | None:
    """What the cohort is and is not, in the study's own words."""
    paragraphs = [
        " ".join(part.split())
        for part in material.results.config.study.about.split("\n\n")
        if part.strip()
    ]
    if not paragraphs:
        return None
    html = render("sections/about.html.j2", paragraphs=paragraphs)
    return PageSection("What this cohort is, and is not", "cohort", html)


def answer_section(material: ReportContext) -> PageSection | None:
    """The answer in plain sentences, with its headline numbers on one axis."""
    answer = material.answer
    low, high = scale_of(answer.tiles)
    html = render("sections/answer.html.j2", answer=answer, low=low, high=high)
    return PageSection("The answer", "answer", html)


def patients_section(material: ReportContext) -> PageSection | None:
    """Who was included, how they were split, and what ties them together."""
    results = material.results
    patients = results.predictions.drop_duplicates("patient_id")
    group = join_items(list(results.config.cohort.group))
    html = render(
        "sections/patients.html.j2",
        count=len(patients),
        positive=int(patients["label"].sum()),
        outcome=results.config.study.outcome,
        steps=flow_steps(results.flow),
        folds=fold_sizes(results),
        groups=group,
        notes=flow_notes(results.flow, group=group),
        clustered=is_clustered(results.metrics),
        flow=material.drawings.get("inclusion_flow"),
    )
    return PageSection("Patients", "patients", html)


def family_section(material: ReportContext, *, family: FamilyKey) -> PageSection | None:
    """One family's table, ROC curves and confusion matrices."""
    if family not in page_families(material.results):
        return None
    entries = table_entries(material.results, family)
    title, table = _FAMILY_SECTIONS[family]
    if family == "clinical" and not any(entry.family == "reader" for entry in entries):
        title = "Clinical model"
    stem = STEMS[family]
    figures = [
        (caption, material.drawings[name])
        for name, caption in (
            (f"{stem}_roc", _roc_caption(material, family)),
            (f"{stem}_confusion", _confusion_caption(material)),
        )
        if name in material.drawings
    ]
    html = render(
        "sections/family.html.j2",
        columns=COLUMNS,
        table=performance_table(material.results, entries),
        file=f"{table}.csv",
        figures=figures,
    )
    return PageSection(title, family, html)


def forest_section(material: ReportContext) -> PageSection | None:
    """All AUCs on one axis."""
    drawing = material.drawings.get("auc_forest")
    if drawing is None:
        return None
    html = render("sections/forest.html.j2", drawing=drawing, rival=material.answer.rival)
    return PageSection("All models: AUC", "auc", html)


def availability_section(material: ReportContext) -> PageSection | None:
    """What fusion is worth to patients who lack an image."""
    table = availability_table(material.results)
    if table is None:
        return None
    html = render("sections/availability.html.j2", table=table)
    return PageSection("When a modality is missing", "availability", html)


def methods_section(material: ReportContext) -> PageSection | None:
    """How it was done, from the configuration, and what the search tried."""
    results = material.results
    methods = methods_of(results.config, metrics=results.metrics)
    if results.from_elsewhere:
        methods = tuple(part for part in methods if part.topic in _OF_ANY_PREDICTIONS)
    html = render(
        "sections/methods.html.j2",
        methods=(*methods, *methods_of_evaluation(results)),
        search=search_lines(results.search),
    )
    return PageSection("How it was done", "methods", html)


def selection_section(material: ReportContext) -> PageSection | None:
    """Which models each fold chose, and its fusion built on."""
    counts = Counter(entry.family for entry in material.results.entries if entry.competes)
    single = [family for family, count in counts.items() if count == 1]
    modalities, rows = choices(material.results.provenance, without=single)
    if not (modalities and rows):
        return None
    html = render(
        "sections/selection.html.j2",
        modalities=modalities,
        rows=rows,
        tally=tally(modalities, rows),
    )
    return PageSection("What each fold selected", "selection", html)


def warnings_section(material: ReportContext) -> PageSection | None:
    """What `axilla check` found."""
    found = remarks(material.results.check)
    if not found:
        return None
    html = render("sections/warnings.html.j2", remarks=found)
    return PageSection("Warnings", "warnings", html)


def provenance_section(material: ReportContext) -> PageSection | None:
    """Which software, data and seed made these numbers."""
    facts, versions = provenance_facts(material.results)
    html = render("sections/provenance.html.j2", facts=facts, versions=versions)
    return PageSection("Provenance", "provenance", html)


def _confusion_caption(material: ReportContext) -> str:
    repeated = material.results.predictions["repeat"].nunique() > 1
    what = "Patients (mean over repeats)" if repeated else "Patients"
    return f"{what}, and shares of the true class, at the threshold of each fold."


def _roc_caption(material: ReportContext, family: FamilyKey) -> str:
    repeated = material.results.predictions["repeat"].nunique() > 1
    pooled = "Pooled over folds, averaged over repeats" if repeated else "Pooled over folds"
    caption = f"{pooled}. Dots: operating points, with each fold's threshold."
    readers = [entry for entry in roc_entries(material.results, family) if entry.family == "reader"]
    return f"{caption} Diamond: reader, with intervals." if readers else caption


SECTIONS: tuple[Builder, ...] = (
    about_section,
    answer_section,
    patients_section,
    roi_agreement_section,
    table1_section,
    partial(family_section, family="pathology"),
    partial(family_section, family="ultrasound"),
    partial(family_section, family="fusion"),
    partial(family_section, family="clinical"),
    partial(family_section, family="reader"),
    partial(family_section, family="models"),
    forest_section,
    external_section,
    calibration_section,
    decision_section,
    comparisons_section,
    subgroup_section,
    availability_section,
    learning_section,
    gallery_section,
    explanation_section,
    shapley_section,
    readings_section,
    limitations_section,
    methods_section,
    selection_section,
    warnings_section,
    provenance_section,
)
