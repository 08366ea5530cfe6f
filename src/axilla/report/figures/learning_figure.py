"""AUC against training patients, with fitted curves that fade where nobody has been."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from axilla.report.figures.figure_style import RenderedFigure, encode, figure_style, new_figure
from axilla.report.figures.palette import BAND, MUTED, PAPER, RULE
from axilla.report.headline_models import colour_of, short_label
from axilla.report.number_format import number, shorten
from axilla.report.study_results import StudyResults
from axilla.report.tables.learning_curve_rows import (
    CurvePoint,
    LearningCurve,
    is_of_these_results,
    learning_curves,
)

_WIDTH_IN, _HEIGHT_IN = 5.2, 3.3
_LEFT, _BOTTOM, _RIGHT, _TOP = 0.1, 0.14, 0.76, 0.97
_DODGE = 0.012  # of the number of patients, between the whiskers of two models
_LABEL_SPACE = 0.055  # of the axis' height, between two labels
_TWICE = 2.0


def draw_learning_curve(results: StudyResults) -> RenderedFigure | None:
    """Draw the leading models' learning curves on a logarithmic axis of patients.

    Whiskers are 95 % intervals. Lines are the fitted inverse power laws, dotted beyond the
    patients there are; the band is the headline's. None without a curve of these results.
    """
    curves = learning_curves(results) if is_of_these_results(results) else ()
    if not any(curve.measured for curve in curves):
        return None
    with figure_style():
        figure = new_figure(_WIDTH_IN, _HEIGHT_IN)
        axes = figure.add_axes((_LEFT, _BOTTOM, _RIGHT - _LEFT, _TOP - _BOTTOM))
        _frame(axes, curves)
        _shade(axes, curves[0].fitted)
        for place, curve in enumerate(curves):
            _draw(axes, curve, dodge=1 + _DODGE * (place - (len(curves) - 1) / 2))
        _label(axes, curves)
        return encode(
            figure,
            name="learning_curve",
            title="Learning curve: AUC by number of training patients",
            description=_describe(curves),
        )


def _frame(axes: Axes, curves: Sequence[LearningCurve]) -> None:
    measured = sorted({point.patients for curve in curves for point in curve.measured})
    fitted = [point.patients for curve in curves for point in curve.fitted]
    axes.set_xscale("log")
    axes.set_xlim(measured[0] / 1.06, max([*fitted, measured[-1]]) * 1.06)
    ticks = [*measured, *([round(_TWICE * measured[-1])] if fitted else [])]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    bounds = [
        bound
        for curve in curves
        for point in curve.measured
        for bound in (point.estimate.value, point.estimate.low, point.estimate.high)
        if math.isfinite(bound)
    ]
    axes.set_ylim(min([*bounds, 0.5 if min(bounds) < 0.55 else 1]) - 0.01, 1.005)  # noqa: PLR2004
    axes.grid(axis="y")
    axes.axvline(measured[-1], color=RULE, linewidth=0.8, zorder=1)
    axes.set_xlabel("Training patients")
    axes.set_ylabel("AUC")


def _shade(axes: Axes, fitted: Sequence[CurvePoint]) -> None:
    if fitted:
        axes.fill_between(
            [point.patients for point in fitted],
            [point.estimate.low for point in fitted],
            [point.estimate.high for point in fitted],
            color=BAND,
            linewidth=0,
            zorder=0,
        )


def _draw(axes: Axes, curve: LearningCurve, *, dodge: float) -> None:
    colour = colour_of(curve.entry)
    here = [point for point in curve.fitted if point.share <= 1] or list(curve.measured)
    ahead = [point for point in curve.fitted if point.share >= here[-1].share]
    for points, style in ((here, "solid"), (ahead, "dotted")):
        axes.plot(
            [point.patients for point in points],
            [point.estimate.value for point in points],
            color=colour,
            linestyle=style,
            linewidth=1.3,
            zorder=2,
        )
    for point in curve.measured:
        x, estimate = point.patients * dodge, point.estimate
        if math.isfinite(estimate.low + estimate.high):
            axes.plot([x, x], [estimate.low, estimate.high], color=colour, linewidth=0.8, zorder=3)
        axes.plot(
            [x],
            [estimate.value],
            marker="o",
            markersize=4.6,
            markerfacecolor=colour,
            markeredgecolor=PAPER,
            markeredgewidth=0.7,
            zorder=4,
        )


def _label(axes: Axes, curves: Sequence[LearningCurve]) -> None:
    """Write each model's name right of its end, pushed apart where ends are close."""
    ends = [(curve.fitted or curve.measured)[-1].estimate.value for curve in curves]
    low, high = axes.get_ylim()
    space = _LABEL_SPACE * (high - low)
    order = np.argsort(ends)
    heights = np.array(ends)[order]
    for place in range(1, len(heights)):
        heights[place] = max(heights[place], heights[place - 1] + space)
    heights -= max(0.0, heights[-1] - high)
    for place in range(len(heights) - 1, 0, -1):
        heights[place - 1] = min(heights[place - 1], heights[place] - space)
    for height, place in zip(heights, order, strict=True):
        axes.annotate(
            shorten(short_label(curves[place].entry), limit=20),
            (1, height),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            color=colour_of(curves[place].entry),
            fontsize=8,
            va="center",
            annotation_clip=False,
        )
    if any(curve.fitted for curve in curves):
        axes.text(
            0.99,
            0.02,
            "dotted: extrapolated",
            transform=axes.transAxes,
            ha="right",
            color=MUTED,
            fontsize=7,
        )


def _describe(curves: Sequence[LearningCurve]) -> str:
    parts = [
        f"{short_label(curve.entry)}: "
        + ", ".join(f"{number(p.estimate.value)} with {p.patients:,}" for p in curve.measured)
        for curve in curves
    ]
    return f"AUC by training patients. {'; '.join(parts)}."
