"""Confusion matrices of one family as small multiples (the paper's Figures 2 to 4)."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from axilla.evaluation.metrics.curves import ConfusionMatrix
from axilla.report.figures.figure_style import (
    RenderedFigure,
    bare,
    encode,
    figure_style,
    new_figure,
)
from axilla.report.figures.palette import BLUE, MUTED, PAPER
from axilla.report.number_format import percent, shorten
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults

_COLUMNS = 3
_CELL_IN = 1.5
_PANEL_HEIGHT_IN = 1.72
_LEFT_IN, _BOTTOM_IN = 0.62, 0.42
# The darkest cell stays light enough for ink-coloured text, in print and on dark pages.
_DARKEST = 0.6


def draw_confusions(
    results: StudyResults, entries: Sequence[StudyModel], *, name: str, title: str
) -> RenderedFigure:
    """Draw one 2 x 2 matrix per entry: counts, and shares of the true class as shade."""
    columns = min(_COLUMNS, len(entries))
    rows = math.ceil(len(entries) / columns)
    width_in = _LEFT_IN + columns * _CELL_IN
    height_in = _BOTTOM_IN + rows * _PANEL_HEIGHT_IN
    matrices = [
        (entry.title, results.confusion(entry.name)) for entry in results.rank_models(entries)
    ]
    with figure_style():
        figure = new_figure(width_in, height_in)
        for index, (label, counts) in enumerate(matrices):
            row, column = divmod(index, columns)
            left = (_LEFT_IN + column * _CELL_IN) / width_in
            bottom = (_BOTTOM_IN + (rows - 1 - row) * _PANEL_HEIGHT_IN + 0.06) / height_in
            side = _CELL_IN - 0.14
            axes = figure.add_axes((left, bottom, side / width_in, side / height_in))
            _draw_matrix(axes, counts, title=shorten(label, limit=19))
            below_is_empty = index + columns >= len(entries)
            _label_axes(axes, rows_labelled=column == 0, columns_labelled=below_is_empty)
        return encode(figure, name=name, title=title, description=_describe(matrices))


def _draw_matrix(axes: Axes, counts: ConfusionMatrix, *, title: str) -> None:
    bare(axes)
    axes.set_xlim(0, 2)
    axes.set_ylim(2, 0)
    axes.set_title(title, pad=4, fontsize=8)
    cells = (
        (counts.true_negative, counts.false_positive),
        (counts.false_negative, counts.true_positive),
    )
    for row, pair in enumerate(cells):
        whole = sum(pair)
        for column, count in enumerate(pair):
            share = count / whole if whole else 0.0
            axes.add_patch(
                Rectangle(
                    (column, row),
                    1,
                    1,
                    facecolor=BLUE,
                    alpha=0.04 + (_DARKEST - 0.04) * share,
                    linewidth=0,
                )
            )
            _write(axes, _count(count, counts), x=column + 0.5, y=row + 0.43, size=10.5)
            _write(axes, percent(share), x=column + 0.5, y=row + 0.72, size=8)
    axes.plot([1, 1], [0, 2], color=PAPER, linewidth=1.2)
    axes.plot([0, 2], [1, 1], color=PAPER, linewidth=1.2)


def _count(count: float, counts: ConfusionMatrix) -> str:
    """Whole patients as such; means over repeats with one decimal."""
    return f"{count:,.0f}" if counts.repeats == 1 else f"{count:,.1f}"


def _write(axes: Axes, text: str, *, x: float, y: float, size: float) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=size)


def _label_axes(axes: Axes, *, rows_labelled: bool, columns_labelled: bool) -> None:
    names = ["negative", "positive"]
    if rows_labelled:
        axes.set_yticks([0.5, 1.5], names, rotation=90, va="center")
        axes.set_ylabel("True", color=MUTED, labelpad=2)
    if columns_labelled:
        axes.set_xticks([0.5, 1.5], names)
        axes.set_xlabel("Predicted", color=MUTED, labelpad=1)
    axes.tick_params(length=0, pad=2)


def _describe(matrices: Sequence[tuple[str, ConfusionMatrix]]) -> str:
    parts = [
        f"{label}: {_count(counts.true_positive, counts)} true positive, "
        f"{_count(counts.false_positive, counts)} false positive, "
        f"{_count(counts.false_negative, counts)} false negative, "
        f"{_count(counts.true_negative, counts)} true negative"
        for label, counts in matrices
    ]
    return "Confusion matrices at the operating threshold. " + "; ".join(parts) + "."
