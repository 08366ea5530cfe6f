"""How far each modality moves the logit: on average, and patient by patient."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from axilla.records.estimate import Estimate
from axilla.report.figures.figure_style import RenderedFigure, encode, figure_style, new_figure
from axilla.report.figures.palette import BLUE, FAMILY_COLOURS, INK, MUTED, VERMILLION
from axilla.report.number_format import LEVEL, sentence
from axilla.report.tables.explanation_results import ExplanationResults, logit_text

_WIDTH_IN = 7.0
_ROW_IN, _TOP_IN, _BOTTOM_IN = 0.62, 0.3, 0.44
_LEFT, _SPLIT, _GAP, _RIGHT = 0.12, 0.42, 0.05, 0.985
_SPREAD = 0.13  # of a row, around the middle of its half
_OFFSET = 0.19


def draw_shapley(explained: ExplanationResults) -> RenderedFigure | None:
    """Draw mean |phi| with its interval as bars, and every patient's phi as a dot beside them.

    Positive patients lie in the upper half of a row, negative in the lower. None without values.
    """
    sizes = shapley_sizes(explained)
    columns = {m: c for m, c in explained.shapley_columns.items() if m in sizes}
    if explained.shapley.empty or not columns:
        return None
    height_in = _TOP_IN + _BOTTOM_IN + _ROW_IN * len(columns)
    bottom, tall = _BOTTOM_IN / height_in, _ROW_IN * len(columns) / height_in
    with figure_style():
        figure = new_figure(_WIDTH_IN, height_in)
        bars = figure.add_axes((_LEFT, bottom, _SPLIT - _LEFT, tall))
        strip = figure.add_axes((_SPLIT + _GAP, bottom, _RIGHT - _SPLIT - _GAP, tall))
        _draw_bars(bars, {m: sizes[m] for m in columns})
        _draw_strip(strip, explained.shapley, list(columns.values()))
        return encode(
            figure,
            name="shapley",
            title="How far each modality moves the logit",
            description="; ".join(
                f"{m}: mean |phi| {logit_text(sizes[m].value)} ({bounds(sizes[m])})"
                for m in columns
            ),
        )


def shapley_sizes(explained: ExplanationResults) -> Mapping[str, Estimate]:
    """Return mean |phi| by modality, of shapley_summary.csv."""
    return {
        str(row["modality"]): Estimate(
            float(row["mean_abs"]),
            float(row["low"]),
            float(row["high"]),
            int(row["n"]),
            0,
            str(row["method"]),
        )
        for row in explained.shapley_summary.to_dict("records")
        if pd.notna(row["mean_abs"])
    }


def bounds(estimate: Estimate) -> str:
    """Print the interval of a quantity of the logit."""
    if not math.isfinite(estimate.low + estimate.high):
        return "no interval"
    return f"{logit_text(estimate.low)} to {logit_text(estimate.high)}"


def _draw_bars(axes: Axes, sizes: Mapping[str, Estimate]) -> None:
    for row, (modality, size) in enumerate(sizes.items()):
        axes.barh(row, size.value, height=0.42, color=FAMILY_COLOURS[modality], alpha=0.75)
        if math.isfinite(size.low + size.high):
            axes.plot([size.low, size.high], [row, row], color=INK, linewidth=1.1)
        end = size.high if math.isfinite(size.high) else size.value
        axes.annotate(
            logit_text(size.value), (end, row), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=7.5,
        )  # fmt: skip
    ends = [
        max(size.value, size.high if math.isfinite(size.high) else 0) for size in sizes.values()
    ]
    axes.set_xlim(0, max([*ends, 1e-9]) * 1.22)
    axes.set_ylim(len(sizes) - 0.5, -0.5)
    axes.set_yticks(range(len(sizes)), [sentence(modality) for modality in sizes])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(MUTED)
    axes.set_xlabel(f"mean |phi|, logit ({LEVEL} interval)")


def _draw_strip(axes: Axes, table: pd.DataFrame, columns: Sequence[str]) -> None:
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
    for row, column in enumerate(columns):
        for label, colour, side in ((1, VERMILLION, -1), (0, BLUE, 1)):
            values = table.loc[table["label"] == label, column].dropna()
            values = values[values != 0]  # who lacks the modality has exactly 0
            heights = row + side * _OFFSET + _SPREAD * _jitter(len(values))
            axes.plot(
                values, heights, linestyle="none", marker="o", markersize=3.0, color=colour,
                alpha=0.55, markeredgewidth=0, zorder=2,
            )  # fmt: skip
            if len(values):
                middle = float(values.median())
                reach = row + side * _OFFSET
                axes.plot(
                    [middle, middle], [reach - _SPREAD * 1.2, reach + _SPREAD * 1.2], color=INK,
                    linewidth=1.3, zorder=3, solid_capstyle="butt",
                )  # fmt: skip
    axes.set_ylim(len(columns) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("phi of each patient, logit (above 0: for the outcome)")
    for text, colour, x in (("positive", VERMILLION, 0.0), ("negative", BLUE, 0.19)):
        axes.annotate(
            f"\N{BLACK CIRCLE} {text}", (x, 1), xycoords="axes fraction", xytext=(0, 5),
            textcoords="offset points", color=colour, fontsize=7.5,
        )  # fmt: skip


def _jitter(count: int) -> np.ndarray:
    """Spread dots from -1 to 1 by the golden ratio: evenly, and the same each time."""
    return 2 * (np.arange(count) * 0.6180339887498949 % 1) - 1
