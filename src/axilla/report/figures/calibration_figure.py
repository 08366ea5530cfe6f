"""Calibration plots: what share of patients had the outcome, at each predicted risk."""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from axilla.report.figures.figure_style import RenderedFigure, encode, figure_style, new_figure
from axilla.report.figures.palette import INK, MUTED, PAPER, RULE
from axilla.report.headline_models import colour_of, protagonists, short_label
from axilla.report.number_format import interval_text, number, shorten
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults

_WIDTH_IN: Final = 7.0
_WIDEST_IN: Final = 2.6  # a panel's side
_MOST_COLUMNS: Final = 3
_LEFT_IN, _GAP_IN, _RIGHT_IN = 0.5, 0.3, 0.08
_HEAD_IN, _HISTOGRAM_IN, _BETWEEN_IN, _FOOT_IN = 0.58, 0.5, 0.06, 0.44
_MARGIN: Final = 0.02
_BAR: Final = 0.042  # a little less than a twentieth, the width of a histogram's bin


def draw_calibration(results: StudyResults) -> RenderedFigure | None:
    """Draw one panel per protagonist: smooth curve with band, bins with intervals, histogram.

    None where calibration.csv has none of them.
    """
    known = set(results.calibration["model"])
    entries = [entry for entry in protagonists(results) if entry.name in known]
    if not entries:
        return None
    columns = len(entries) if len(entries) <= _MOST_COLUMNS else 2
    beside_in = _LEFT_IN + _RIGHT_IN + _GAP_IN * (columns - 1)
    side_in = min(_WIDEST_IN, (_WIDTH_IN - beside_in) / columns)
    width_in = beside_in + side_in * columns
    row_in = _HEAD_IN + side_in + _BETWEEN_IN + _HISTOGRAM_IN + _FOOT_IN
    rows = -(-len(entries) // columns)
    with figure_style():
        figure = new_figure(width_in, row_in * rows)
        for position, entry in enumerate(entries):
            row, column = divmod(position, columns)
            left_in = _LEFT_IN + column * (side_in + _GAP_IN)
            top_in = row_in * (rows - row)
            plot, bars = _panel(figure, left_in=left_in, top_in=top_in, side_in=side_in)
            _draw(plot, bars, results=results, entry=entry)
            _frame(plot, bars, first=column == 0)
        return encode(
            figure,
            name="calibration",
            title="Calibration of predicted risks",
            description=_describe(results, entries),
        )


def _panel(figure: Figure, *, left_in: float, top_in: float, side_in: float) -> tuple[Axes, Axes]:
    """A square plot below its heading, and the histogram below that."""
    width_in, height_in = map(float, figure.get_size_inches())
    plot_in = top_in - _HEAD_IN - side_in
    left, width = left_in / width_in, side_in / width_in
    plot = figure.add_axes((left, plot_in / height_in, width, side_in / height_in))
    bars_in = plot_in - _BETWEEN_IN - _HISTOGRAM_IN
    bars = figure.add_axes((left, bars_in / height_in, width, _HISTOGRAM_IN / height_in))
    return plot, bars


def _frame(plot: Axes, bars: Axes, *, first: bool) -> None:
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    names = [f"{tick:g}" for tick in ticks]
    plot.set_xlim(-_MARGIN, 1 + _MARGIN)
    plot.set_ylim(-_MARGIN, 1 + _MARGIN)
    plot.set_xticks(ticks, [""] * len(ticks))
    plot.set_yticks(ticks, names if first else [""] * len(ticks))
    bars.set_xlim(-_MARGIN, 1 + _MARGIN)
    bars.set_xticks(ticks, names)
    bars.set_yticks([])
    bars.spines["left"].set_visible(False)
    bars.set_xlabel("Predicted risk")
    if first:
        plot.set_ylabel("Observed share")


def _draw(plot: Axes, bars: Axes, *, results: StudyResults, entry: StudyModel) -> None:
    table = results.calibration[results.calibration["model"] == entry.name]
    colour = colour_of(entry)
    plot.plot([0, 1], [0, 1], color=RULE, linewidth=0.8, zorder=1)
    _draw_curve(plot, table[table["part"] == "smooth"], colour=colour)
    _draw_bins(plot, table[table["part"] == "bin"])
    _draw_histogram(bars, table[table["part"] == "histogram"], colour=colour)
    _write_head(plot, results, entry=entry)


def _draw_curve(axes: Axes, rows: pd.DataFrame, *, colour: str) -> None:
    x, y, low, high = _columns(rows)
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=2)
    axes.plot(x, y, color=colour, linewidth=1.8, solid_joinstyle="round", zorder=4)


def _draw_bins(axes: Axes, rows: pd.DataFrame) -> None:
    x, y, low, high = _columns(rows)
    axes.vlines(x, low, high, color=INK, linewidth=0.7, zorder=5)
    axes.plot(
        x,
        y,
        linestyle="none",
        marker="o",
        markersize=3.6,
        markerfacecolor=INK,
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
        zorder=6,
        clip_on=False,
    )


def _draw_histogram(axes: Axes, rows: pd.DataFrame, *, colour: str) -> None:
    """Positive patients upwards, negative ones downwards."""
    for label, sign, fill in ((1, 1, colour), (0, -1, RULE)):
        mine = rows[rows["observed"] == label]
        axes.bar(mine["predicted"], sign * mine["n"], width=_BAR, color=fill, linewidth=0)
    most = float(rows["n"].max())
    axes.set_ylim(-1.1 * most, 1.1 * most)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    for text, y, va in (("with outcome", 0.98, "top"), ("without", 0.06, "bottom")):
        place: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 6.5, "color": MUTED}
        right = _emptier_side(rows, label=int(va == "top"))
        axes.text(
            0.985 if right else 0.015, y, text, va=va, ha="right" if right else "left", **place
        )


def _emptier_side(rows: pd.DataFrame, *, label: int) -> bool:
    """Tell whether fewer patients of a class stand at the right end, where its name then goes."""
    mine = rows[rows["observed"] == label]
    at_left, at_right = (
        float(mine.loc[inside, "n"].max()) if inside.any() else 0.0
        for inside in (mine["predicted"] < 0.3, mine["predicted"] > 0.7)  # noqa: PLR2004
    )
    return at_right < at_left


def _write_head(axes: Axes, results: StudyResults, *, entry: StudyModel) -> None:
    lines = [
        f"{name} {number(found.value)} ({interval_text(found)})"
        for name, metric in (("intercept", "calibration_intercept"), ("slope", "calibration_slope"))
        if (found := results.estimate(entry.name, metric)) is not None
    ]
    place: dict[str, Any] = {"textcoords": "offset points", "xycoords": "axes fraction"}
    title = shorten(short_label(entry), limit=28)
    axes.annotate(title, (0, 1), xytext=(0, 26), fontsize=8.5, fontweight="bold", **place)
    for row, line in enumerate(lines):
        axes.annotate(line, (0, 1), xytext=(0, 15 - 9.5 * row), fontsize=7, color=MUTED, **place)


def _columns(rows: pd.DataFrame) -> tuple[np.ndarray[Any, Any], ...]:
    return tuple(rows[name].to_numpy() for name in ("predicted", "observed", "low", "high"))


def _describe(results: StudyResults, entries: list[StudyModel]) -> str:
    parts = []
    for entry in entries:
        slope = results.estimate(entry.name, "calibration_slope")
        told = f"slope {number(slope.value)} ({interval_text(slope)})" if slope else "no slope"
        parts.append(f"{short_label(entry)}: {told}")
    return f"Observed share against predicted risk. {'; '.join(parts)}."
