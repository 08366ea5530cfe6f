"""The paper's Figure 5: originals beside their heatmaps, cases chosen by a stated rule."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from axilla.explanation.overlay import overlay
from axilla.records.roi_rectangle import Roi
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.report.figures.figure_style import (
    RenderedFigure,
    bare,
    encode,
    figure_style,
    new_figure,
)
from axilla.report.figures.palette import INK, MUTED, RULE
from axilla.report.images.explained_cases import BagTile, ExplainedCase, ExplainedCases
from axilla.report.images.heatmap_views import ASPECT, Bar, Pixels
from axilla.report.number_format import number, percent, sentence
from axilla.report.tables.explanation_results import logit_text, method_label, signed_logit

NAME: Final = "figure5_heatmaps"

_LABEL_IN, _PICTURE_IN, _GAP_IN = 1.34, 1.42, 0.06
_ROW_IN = _PICTURE_IN / ASPECT + _GAP_IN
_HEAD_IN, _FOOT_IN, _EDGE_IN = 0.42, 0.62, 0.05
_BAR_HEIGHT_IN = 0.09
_GREY: Final = 140
_STEPS: Final = 201


def draw_figure5(cases: ExplainedCases | None) -> RenderedFigure | None:
    """Draw a row per case: each modality's image, then the same cut under its map.

    Bags have a last column of the tiles that count most beside the mapped one. None without cases.
    """
    if cases is None:
        return None
    modalities = [
        m for m in IMAGE_MODALITIES if any(s.modality == m for c in cases.cases for s in c.shown)
    ]
    tiled = any(shown.tiles for case in cases.cases for shown in case.shown)
    columns = 2 * len(modalities) + tiled
    width_in = _LABEL_IN + columns * (_PICTURE_IN + _GAP_IN) + _EDGE_IN
    height_in = _HEAD_IN + len(cases.cases) * _ROW_IN + _FOOT_IN
    with figure_style():
        figure = new_figure(width_in, height_in)
        _draw_heads(figure, cases, modalities, tiled=tiled)
        for row, case in enumerate(cases.cases):
            _draw_case(figure, case, modalities, row=row)
        _draw_rules(figure, cases.cases)
        for place, modality in enumerate(modalities):
            _draw_scale(figure, cases, modality, column=2 * place)
        return encode(
            figure,
            name=NAME,
            title="Figure 5: what the model's heatmaps mark",
            description="; ".join(_describe_case(case) for case in cases.cases),
        )


def _axes(figure: Figure, *, column: int, row: int) -> Axes:
    """Return the axes of a picture, placed in inches from the upper left."""
    width_in, height_in = figure.get_size_inches()
    left = _LABEL_IN + column * (_PICTURE_IN + _GAP_IN)
    bottom = height_in - _HEAD_IN - (row + 1) * _ROW_IN + _GAP_IN
    tall = _PICTURE_IN / ASPECT
    axes = figure.add_axes(
        (left / width_in, bottom / height_in, _PICTURE_IN / width_in, tall / height_in)
    )
    bare(axes)
    return axes


def _draw_case(
    figure: Figure, case: ExplainedCase, modalities: Sequence[ImageModality], *, row: int
) -> None:
    _write_label(figure, case, row=row)
    by_modality = {shown.modality: shown for shown in case.shown}
    for place, modality in enumerate(modalities):
        shown = by_modality.get(modality)
        left, right = (_axes(figure, column=2 * place + side, row=row) for side in (0, 1))
        if shown is None or shown.views is None:
            note = shown.note if shown else "not given"
            left.text(0.5, 0.5, note, ha="center", va="center", color=MUTED, fontsize=6.5)
            continue
        _draw_picture(left, shown.views.original, bar=shown.views.bar)
        _draw_picture(right, shown.views.overlaid)
        bag = f", 1 of {shown.images}: {percent(shown.share)}" if shown.images > 1 else ""
        _write_inside(right, f"mean {signed_logit(shown.mean)}{bag}")
    tiles = [tile for shown in case.shown for tile in shown.tiles]
    if tiles:
        _draw_tiles(_axes(figure, column=2 * len(modalities), row=row), tiles)


def _draw_picture(axes: Axes, pixels: Pixels, *, bar: Bar | None = None) -> None:
    axes.imshow(pixels, interpolation="lanczos", interpolation_stage="rgba")
    axes.set_anchor("NW")
    if bar is not None:
        _write_inside(axes, bar.label)


def _write_inside(axes: Axes, text: str) -> None:
    """Write in the lower left of a picture, above its scale bar, to be read on any tissue."""
    axes.annotate(
        text,
        (0, 0),
        xycoords="axes fraction",
        xytext=(2.6, 6.5),
        textcoords="offset points",
        color="#ffffff",
        fontsize=5.5,
        path_effects=[withStroke(linewidth=1.4, foreground="#000000")],
    )


def _draw_tiles(axes: Axes, tiles: Sequence[BagTile]) -> None:
    """Draw up to four tiles in a square of two by two, each with its share of attention."""
    for place, tile in enumerate(tiles[:4]):
        across, down = place % 2, place // 2
        inner = axes.inset_axes((across * 0.51, 0.51 - down * 0.51, 0.49, 0.49))
        bare(inner)
        inner.imshow(tile.pixels, interpolation="lanczos", interpolation_stage="rgba")
        _write_inside(inner, percent(tile.share))


def _write_label(figure: Figure, case: ExplainedCase, *, row: int) -> None:
    width_in, height_in = figure.get_size_inches()
    top_in = height_in - _HEAD_IN - row * _ROW_IN - 0.03
    lines = (
        (sentence(case.outcome), INK, "bold", 8.0),
        (case.call, INK, "normal", 7.5),
        (case.standing, MUTED, "normal", 7.0),
        (f"p {number(case.said.probability)}", MUTED, "normal", 7.0),
        (f"threshold {number(case.said.threshold)}", MUTED, "normal", 7.0),
        (case.patient_id, MUTED, "normal", 6.0),
    )
    for place, (text, colour, weight, size) in enumerate(lines):
        figure.text(
            _EDGE_IN / width_in,
            (top_in - 0.145 * place) / height_in,
            text,
            va="top",
            color=colour,
            fontweight=weight,
            fontsize=size,
        )


def _draw_heads(
    figure: Figure, cases: ExplainedCases, modalities: Sequence[ImageModality], *, tiled: bool
) -> None:
    width_in, height_in = figure.get_size_inches()
    heads = [
        (2 * place + side, text, weight, down)
        for place, modality in enumerate(modalities)
        for side, text, weight, down in (
            (0, sentence(modality), "bold", 0.05),
            (0, "as it is", "normal", 0.22),
            (1, sentence(method_label(cases.legend.method[modality])), "normal", 0.22),
        )
    ]
    if tiled:
        heads.append((2 * len(modalities), "Tiles that count next", "normal", 0.22))
    for column, text, weight, down in heads:
        left = _LABEL_IN + column * (_PICTURE_IN + _GAP_IN)
        figure.text(
            left / width_in,
            (height_in - down) / height_in,
            text,
            va="top",
            fontweight=weight,
            color=INK if weight == "bold" else MUTED,
        )


def _draw_rules(figure: Figure, cases: Sequence[ExplainedCase]) -> None:
    """Rule off positive from negative, and right from wrong."""
    width_in, height_in = figure.get_size_inches()
    for row, (one, other) in enumerate(pairwise(cases), start=1):
        if one.kind != other.kind:
            y = 1 - (_HEAD_IN + row * _ROW_IN - _GAP_IN / 2) / height_in
            ends = (_EDGE_IN / width_in, 1 - _EDGE_IN / width_in)
            figure.add_artist(Line2D(ends, (y, y), color=RULE, linewidth=0.6))


def _draw_scale(
    figure: Figure, cases: ExplainedCases, modality: ImageModality, *, column: int
) -> None:
    """Draw the colours from full blue to full vermillion, over grey as over tissue."""
    width_in, height_in = figure.get_size_inches()
    scale = cases.legend.scale[modality]
    left = _LABEL_IN + column * (_PICTURE_IN + _GAP_IN)
    wide = 2 * _PICTURE_IN + _GAP_IN
    axes = figure.add_axes(
        (left / width_in, (_FOOT_IN - 0.2) / height_in, wide / width_in, _BAR_HEIGHT_IN / height_in)
    )
    ramp = np.linspace(-scale, scale, _STEPS, dtype=np.float32)[None]
    grey = np.full((1, _STEPS, 3), _GREY, np.uint8)
    paint = overlay(grey, ramp, window=Roi(0, 0, _STEPS, 1), scale=scale)
    axes.imshow(paint, aspect="auto", extent=(-1, 1, 0, 1))
    bare(axes)
    text = logit_text(scale)
    axes.set_xticks(
        [-1, 0, 1],
        [f"\N{MINUS SIGN}{text}", "0", f"+{text}"],
    )
    axes.tick_params(length=0, pad=2)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for x, words, align in (
        (0, "against the outcome", "left"),
        (0.5, "logit", "center"),
        (1, "for the outcome", "right"),
    ):
        axes.annotate(
            words, (x, 0), xycoords="axes fraction", xytext=(0, -17), ha=align,
            textcoords="offset points", fontsize=7, color=MUTED, annotation_clip=False,
        )  # fmt: skip


def _describe_case(case: ExplainedCase) -> str:
    return f"{case.patient_id}: outcome {case.outcome}, {case.call}, {case.standing}"
