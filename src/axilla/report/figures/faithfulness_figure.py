"""How the logit moves as what a map marks is taken away, and as it is shown, against its rivals."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from axilla.report.figures.figure_style import RenderedFigure, encode, figure_style, new_figure
from axilla.report.figures.palette import BLUE, INK, MUTED, VERMILLION
from axilla.report.number_format import LEVEL, number, sentence
from axilla.report.tables.explanation_results import ExplanationResults, method_label

NAME: Final = "faithfulness"
_WIDTH_IN, _ROW_IN, _TOP_IN, _BOTTOM_IN = 7.0, 2.1, 0.28, 0.48
_LEFT, _RIGHT, _GAP = 0.085, 0.86, 0.07
_SPACE_IN = 0.55
_DONE: Final = {"deletion": "taken away", "insertion": "shown"}
_ORDERS: Final = {
    "map": (VERMILLION, "solid", "map first"),
    "edges": (BLUE, (0, (4, 1.5)), "edges first"),
    "random": (MUTED, (0, (1, 1.2)), "random order"),
}
_LABEL_SPACE = 0.09


def draw_faithfulness(explained: ExplanationResults) -> RenderedFigure | None:
    """Draw deletion and insertion curves, a row per modality and method; None without them."""
    curves = explained.curves
    if curves.empty:
        return None
    rows = list(curves.groupby(["modality", "method"], sort=False))
    height_in = _TOP_IN + _BOTTOM_IN + len(rows) * _ROW_IN + (len(rows) - 1) * _SPACE_IN
    with figure_style():
        figure = new_figure(_WIDTH_IN, height_in)
        wide = (_RIGHT - _LEFT - _GAP) / 2
        for row, ((modality, method), mine) in enumerate(rows):
            bottom = 1 - (_TOP_IN + (row + 1) * _ROW_IN + row * _SPACE_IN) / height_in
            for column, (curve, done) in enumerate(_DONE.items()):
                left = _LEFT + column * (wide + _GAP)
                axes = figure.add_axes((left, bottom, wide, _ROW_IN / height_in))
                _draw(axes, mine[mine["curve"] == curve], named=column == 1)
                axes.set_title(
                    f"{sentence(str(modality))}, {method_label(str(method))}: {curve}",
                    loc="left",
                    fontsize=8.5,
                )
                if row == len(rows) - 1:
                    axes.set_xlabel(f"share of the image {done}")
                if column == 0:
                    axes.set_ylabel("movement of the logit")
        return encode(
            figure,
            name=NAME,
            title="Deletion and insertion curves",
            description=_describe(curves),
        )


def _draw(axes: Axes, curve: pd.DataFrame, *, named: bool) -> None:
    """Draw the three orders; the map's interval is shaded."""
    axes.set_xlim(0, 1)
    axes.grid(axis="y")
    axes.axhline(0, color=INK, linewidth=0.6, zorder=1)
    ends = {}
    for order, (colour, style, _) in _ORDERS.items():
        points = curve[curve["order"] == order]
        if points.empty:
            continue
        x, y = points["share_changed"], points["value"]
        if order == "map":
            axes.fill_between(
                x, points["low"], points["high"], color=colour, alpha=0.16, linewidth=0
            )
        axes.plot(x, y, color=colour, linestyle=style, linewidth=1.5, zorder=3)
        ends[order] = float(y.iloc[len(y) // 2])
    if named:
        _name(axes, ends)


def _name(axes: Axes, heights: dict[str, float]) -> None:
    """Name the orders right of the plot, from the highest in the middle to the lowest."""
    ranked = sorted(heights, key=lambda order: -heights[order])
    for place, order in enumerate(ranked):
        colour, _, text = _ORDERS[order]
        axes.annotate(
            text,
            (1.03, 0.62 - place * _LABEL_SPACE),
            xycoords="axes fraction",
            color=colour,
            fontsize=8,
            annotation_clip=False,
        )


def _describe(curves: pd.DataFrame) -> str:
    parts = []
    for (modality, curve, order), points in curves.groupby(
        ["modality", "curve", "order"], sort=False
    ):
        area = float(np.trapezoid(points["value"], points["share_changed"]))
        parts.append(f"{modality}, {curve}, {order}: mean {number(area)}")
    return f"Mean movement of the logit ({LEVEL} interval shaded for the map). {'; '.join(parts)}."
