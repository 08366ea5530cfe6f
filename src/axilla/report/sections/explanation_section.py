"""Why the model says so: heatmaps of chosen cases, and whether the maps can be believed."""

from collections.abc import Mapping
from typing import Final

from PIL import Image

from axilla.explanation.heatmap_file import Legend
from axilla.explanation.overlay import AGAINST, FOR
from axilla.records.types import IMAGE_MODALITIES
from axilla.report.figures import faithfulness_figure, heatmap_figure
from axilla.report.images.explained_cases import RULE, ExplainedCase, explained_model
from axilla.report.images.heatmap_views import Pixels
from axilla.report.images.thumbnails import Thumbnail, encode_jpeg
from axilla.report.number_format import inside_sentence, join_items, percent, sentence
from axilla.report.page import PageSection, render
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.tables.explanation_results import (
    Faith,
    RegionEnrichment,
    faiths_of,
    findings_of,
    logit_text,
    method_label,
    signed_logit,
)

TITLE: Final = "Why the model says so"


def explanation_section(material: ReportContext) -> PageSection | None:
    """Heatmaps with their legend and cases, and every check of their faithfulness."""
    explained = material.results.explained
    legend = explained.legend
    if legend is None:
        return None
    faiths = faiths_of(explained.faithfulness)
    html = render(
        "sections/explanation.html.j2",
        warnings=_warnings(faiths, legend),
        model=sentence(_model(material, legend)),
        maps=_maps_of(legend),
        count=len(explained.maps),
        chosen_by=legend.chosen,
        scales=[
            (sentence(m), logit_text(legend.scale[m]))
            for m in IMAGE_MODALITIES
            if m in legend.scale
        ],
        colours={"for": FOR, "against": AGAINST},
        rule=RULE,
        faiths=faiths,
        findings=_by_method(findings_of(explained.faithfulness)),
        curves=material.drawings.get(faithfulness_figure.NAME),
        figure=heatmap_figure.NAME if heatmap_figure.NAME in material.drawings else None,
        **_cases(material),
    )
    return PageSection(TITLE, "heatmaps", html)


def _cases(material: ReportContext) -> dict[str, object]:
    """Return the cases as the page shows them; without images if the study keeps them out."""
    found = material.explained
    embedded = bool(material.results.config.evaluation.gallery)
    shown = found.cases if found is not None and embedded else ()
    return {
        "embedded": embedded,
        "chosen": found is not None,
        "note": found.note if found is not None else "",
        "cases": [(case, _pictures(case)) for case in shown],
        "pictured": sum(any(s.views for s in case.shown) for case in shown),
    }


def _pictures(case: ExplainedCase) -> list[dict[str, object]]:
    pictures: list[dict[str, object]] = []
    for shown in case.shown:
        views = shown.views
        pictures.append(
            {
                "title": sentence(shown.modality),
                "modality": shown.modality,
                "note": shown.note,
                "original": _thumbnail(views.original) if views else None,
                "overlaid": _thumbnail(views.overlaid) if views else None,
                "mean": signed_logit(shown.mean),
                "bar": views.bar.label if views and views.bar else "",
                "share": f"1 of {shown.images}, counts {percent(shown.share)}"
                if shown.images > 1
                else "",
                "tiles": [(_thumbnail(tile.pixels), percent(tile.share)) for tile in shown.tiles],
            }
        )
    return pictures


def _thumbnail(pixels: Pixels) -> Thumbnail:
    return encode_jpeg(Image.fromarray(pixels))


def _model(material: ReportContext, legend: Legend) -> str:
    """Return what the page calls the explained model."""
    entry = explained_model(material.results)
    return inside_sentence(entry.long_label) if entry else legend.model


def _maps_of(legend: Legend) -> str:
    """Print the methods, once where modalities share one."""
    modalities: dict[str, list[str]] = {}
    for modality, method in legend.method.items():
        modalities.setdefault(method_label(method), []).append(modality)
    return join_items([f"{how} on {join_items(names)}" for how, names in modalities.items()])


def _warnings(faiths: tuple[Faith, ...], legend: Legend) -> list[tuple[bool, str]]:
    """Say of the methods whose maps are shown, failures first, what their checks came to.

    Each sentence comes with whether it is a warning.
    """
    said: list[tuple[bool, str]] = []
    judged = {(faith.modality, faith.method): faith for faith in faiths}
    shown = [(m, how) for m, methods in legend.method.items() for how in methods.split(", ")]
    for modality, method in shown:
        faith = judged.get((modality, method))
        who = sentence(f"{method_label(method)} on {modality}")
        if faith is None:
            said.append((True, f"{who} was not tested: nobody knows whether its maps are true."))
        else:
            said.append((bool(faith.failed_checks) or not faith.judged_checks, faith.verdict))
    return sorted(said, key=lambda pair: not pair[0])


def _by_method(findings: tuple[RegionEnrichment, ...]) -> Mapping[str, list[RegionEnrichment]]:
    tables: dict[str, list[RegionEnrichment]] = {}
    for finding in findings:
        tables.setdefault(finding.whose, []).append(finding)
    return tables
