"""Which image mattered: exact Shapley values of modalities, and clinical variables."""

from collections.abc import Mapping

import pandas as pd

from axilla.records.estimate import Estimate
from axilla.report.figures.shapley_figure import bounds, shapley_sizes
from axilla.report.number_format import LEVEL, overlap, pluralise, sentence
from axilla.report.page import PageSection, render
from axilla.report.sections.section_inputs import ReportContext
from axilla.report.tables.explanation_results import ExplanationResults, logit_text


def shapley_section(material: ReportContext) -> PageSection | None:
    """How far each modality, and each clinical variable, moves the logit; None without values."""
    explained = material.results.explained
    sizes = shapley_sizes(explained)
    clinical = _clinical(explained)
    if not sizes and not clinical:
        return None
    means = explained.shapley_summary.set_index("modality")["mean"].to_dict()
    first = next(iter(sizes.values()), None)
    html = render(
        "sections/shapley.html.j2",
        sentences=_sentences(explained, sizes),
        drawing=material.drawings.get("shapley"),
        rows=[
            (sentence(m), size, logit_text(size.value), bounds(size), logit_text(float(means[m])))
            for m, size in sizes.items()
        ],
        method=sentence(first.method) if first else "",
        clinical=clinical,
        clinical_method=sentence(str(explained.clinical["method"].iloc[0])) if clinical else "",
    )
    return PageSection("Which image mattered", "shapley", html)


def _clinical(explained: ExplanationResults) -> list[tuple[str, str, str, int]]:
    rows = explained.clinical.to_dict("records")
    return [
        (
            str(row["column"]),
            logit_text(float(row["mean_abs"])),
            bounds(_estimate(row)),
            int(row["n"]),
        )
        for row in rows
        if pd.notna(row["mean_abs"])
    ]


def _estimate(row: Mapping[object, object]) -> Estimate:
    value, low, high = (float(str(row[name])) for name in ("mean_abs", "low", "high"))
    return Estimate(value, low, high, int(str(row["n"])), 0, "")


def _sentences(explained: ExplanationResults, sizes: Mapping[str, Estimate]) -> list[str]:
    ranked = sorted(sizes.items(), key=lambda pair: -pair[1].value)
    if len(ranked) < 2:  # noqa: PLR2004
        return []
    (first, most), (second, next_one) = ranked[:2]
    order = (
        f"{sentence(first)} moved the logit farthest: by {_describe_size(most)} on average; "
        f"{second} by {_describe_size(next_one)}."
    )
    said = [order]
    if overlap(most, next_one):
        said.append("Their intervals overlap, so this order is uncertain.")
    if farthest := _farthest(explained, first):
        said.append(farthest)
    return said


def _describe_size(size: Estimate) -> str:
    return f"{logit_text(size.value)} ({LEVEL} interval {bounds(size)})"


def _farthest(explained: ExplanationResults, modality: str) -> str:
    """Say in how many patients who have all modalities this one moved the logit farthest."""
    columns = explained.shapley_columns
    if modality not in columns or len(columns) < 2:  # noqa: PLR2004
        return ""
    values = explained.shapley[list(columns.values())].abs()
    whole = values[(values > 0).all(axis=1)]
    if whole.empty:
        return ""
    count = int((whole.idxmax(axis=1) == columns[modality]).sum())
    every = "both" if len(columns) == 2 else "all"  # noqa: PLR2004
    return (
        f"In {count:,} of {pluralise(len(whole), 'patient')} who have {every}, it was {modality} "
        "that moved it farthest."
    )
