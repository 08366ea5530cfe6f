"""ROC curves of one family of models (the paper's Figures 2 to 4)."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from axilla.evaluation.metrics.curves import RocCurve
from axilla.report.figures.figure_style import (
    RenderedFigure,
    bare,
    encode,
    figure_style,
    new_figure,
)
from axilla.report.figures.palette import INK, MUTED, PAPER, RULE
from axilla.report.number_format import LEVEL, interval_text, number, shorten
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults

_WIDTH_IN = 3.7
_PANEL_IN = 3.1
_LEFT_IN = 0.5
_TOP_IN, _AXIS_IN = 0.08, 0.44
_KEY_ROW_IN = 0.165
# Columns of the key, in inches from its left edge.
_NAME_IN, _AUC_IN, _INTERVAL_IN = 0.34, 1.78, 2.22


def draw_roc(
    results: StudyResults, entries: Sequence[StudyModel], *, name: str, title: str
) -> RenderedFigure | None:
    """Draw the ROC curves of `entries`, the best AUC first in the key, the readers as points.

    A dot is a model's operating point, with the threshold of each fold; a reader's whiskers are
    the 95 % intervals of sensitivity and specificity. None without any curve.
    """
    models = [
        (entry, curve)
        for entry in results.rank_models(entries)
        if entry.family != "reader" and (curve := results.roc(entry.name)) is not None
    ]
    readers = [entry for entry in entries if entry.family == "reader"]
    if not models:
        return None
    key_in = _KEY_ROW_IN * (len(models) + len(readers) + 1) + 0.06
    height_in = _TOP_IN + _PANEL_IN + _AXIS_IN + key_in
    with figure_style():
        figure = new_figure(_WIDTH_IN, height_in)
        bottom = (_AXIS_IN + key_in) / height_in
        axes = figure.add_axes(
            (_LEFT_IN / _WIDTH_IN, bottom, _PANEL_IN / _WIDTH_IN, _PANEL_IN / height_in)
        )
        _frame(axes)
        for entry, curve in models:
            _draw_curve(axes, entry, curve=curve)
        for entry, _ in models:
            _mark_operating_point(axes, results, entry=entry)
        for reader in readers:
            _mark_reader(axes, results, entry=reader)
        key = _key_axes(figure, key_in=key_in, height_in=height_in)
        for row, entry in enumerate([*(entry for entry, _ in models), *readers], start=1):
            _write_key_row(key, results, entry=entry, y=-row)
        return encode(figure, name=name, title=title, description=_describe(results, entries))


def _frame(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=0.8, zorder=1)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    names = [f"{tick:g}" for tick in ticks]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set_xlabel("1 \N{MINUS SIGN} specificity")
    axes.set_ylabel("Sensitivity")


def _draw_curve(axes: Axes, entry: StudyModel, *, curve: RocCurve) -> None:
    axes.plot(
        curve.false_positive_rate,
        curve.true_positive_rate,
        color=entry.style.colour,
        linestyle=entry.style.dashes,
        linewidth=entry.style.width_pt,
        solid_joinstyle="round",
        zorder=2 if entry.trivial else 3,
    )


def _mark_operating_point(axes: Axes, results: StudyResults, *, entry: StudyModel) -> None:
    sensitivity, specificity = results.operating_point(entry.name)
    _dot(axes, x=1 - specificity, y=sensitivity, colour=entry.style.colour)


def _dot(axes: Axes, *, x: float, y: float, colour: str, marker: str = "o") -> None:
    axes.plot(
        [x],
        [y],
        marker=marker,
        markersize=5.4 if marker == "D" else 4.8,
        markerfacecolor=colour,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        zorder=6 if marker == "D" else 5,
        clip_on=False,
    )


def _mark_reader(axes: Axes, results: StudyResults, *, entry: StudyModel) -> None:
    y, specificity = results.operating_point(entry.name)
    x = 1 - specificity
    across = results.estimate(entry.name, "specificity")
    if across is not None and math.isfinite(across.low + across.high):
        axes.plot([1 - across.high, 1 - across.low], [y, y], color=INK, linewidth=0.8, zorder=5)
    along = results.estimate(entry.name, "recall")
    if along is not None and math.isfinite(along.low + along.high):
        axes.plot([x, x], [along.low, along.high], color=INK, linewidth=0.8, zorder=5)
    _dot(axes, x=x, y=y, colour=INK, marker="D")


def _key_axes(figure: Figure, *, key_in: float, height_in: float) -> Axes:
    """Axes in which x is inches and y counts rows downwards; its first row is the heading."""
    rows = key_in / _KEY_ROW_IN
    width_in = _WIDTH_IN - _LEFT_IN
    axes = figure.add_axes((_LEFT_IN / _WIDTH_IN, 0, width_in / _WIDTH_IN, key_in / height_in))
    bare(axes)
    axes.set_xlim(0, width_in)
    axes.set_ylim(0.5 - rows, 0.5)
    for x, text in ((_AUC_IN, "AUC"), (_INTERVAL_IN, f"{LEVEL} interval")):
        axes.text(x, 0, text, fontsize=7, color=MUTED, va="center")
    return axes


def _write_key_row(axes: Axes, results: StudyResults, *, entry: StudyModel, y: int) -> None:
    style = entry.style
    if entry.family == "reader":
        _dot(axes, x=0.12, y=y, colour=INK, marker="D")
        sensitivity, specificity = results.operating_point(entry.name)
        text = f"sens. {number(sensitivity)}, spec. {number(specificity)}"
        axes.text(_AUC_IN, y, text, fontsize=7.5, va="center")
    else:
        width = style.width_pt
        axes.plot([0, 0.24], [y, y], color=style.colour, linestyle=style.dashes, linewidth=width)
        auc = results.estimate(entry.name, "auc")
        if auc is not None:
            axes.text(_AUC_IN, y, number(auc.value), fontsize=7.5, va="center")
            axes.text(_INTERVAL_IN, y, interval_text(auc), fontsize=7.5, va="center", color=MUTED)
    axes.text(
        _NAME_IN,
        y,
        shorten(entry.title, limit=22),
        fontsize=7.5,
        va="center",
        color=MUTED if entry.trivial else INK,
    )


def _describe(results: StudyResults, entries: Sequence[StudyModel]) -> str:
    parts = []
    for entry in entries:
        auc = results.estimate(entry.name, "auc")
        if auc is not None:
            parts.append(f"{entry.title} AUC {number(auc.value)} ({interval_text(auc)})")
    return "ROC curves. " + "; ".join(parts) + "."
