"""The failure gallery as a section of the page."""

from axilla.report.material import Material
from axilla.report.page import Section, render
from axilla.report.wording import inside_sentence


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
