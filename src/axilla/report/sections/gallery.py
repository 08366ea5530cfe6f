"""The failure gallery as a section of the page."""

from axilla.report.number_format import inside_sentence
from axilla.report.page import Section, render
from axilla.report.sections.section_inputs import Material


def gallery_section(material: Material) -> Section | None:
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
    return Section("Where it was most wrong", "failures", html)
