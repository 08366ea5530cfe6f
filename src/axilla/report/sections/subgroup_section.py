"""Subgroups on the page: the forest plot and, below it, the calls that it does not show."""

from axilla.report.number_format import sentence
from axilla.report.page import Section, render
from axilla.report.sections.section_inputs import Material
from axilla.report.tables.subgroup_rows import METRICS, subgroups_of


def subgroup_section(material: Material) -> Section | None:
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
    return Section("Subgroups", "subgroups", html)
