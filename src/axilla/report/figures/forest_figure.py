"""Forest plot of every model's AUC, and the AUC axis that figures share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes

from axilla.records.estimate import Estimate
from axilla.report.figures.figure_style import (
    RenderedFigure,
    encode,
    figure_style,
    new_figure,
    write_beside,
)
from axilla.report.figures.palette import BAND, FAMILY_COLOURS, INK, MUTED, PAPER, RULE
from axilla.report.number_format import LEVEL, interval_text, number, shorten
from axilla.report.reported_models import FAMILIES, FAMILY_TITLES, StudyModel, of_family
from axilla.report.study_results import StudyResults

CHANCE: Final = 0.5
_WIDE: Final = 0.2  # an axis that begins here or lower has room for every second tick only
_WIDTH_IN = 7.0
_ROW_IN = 0.2
_TOP_IN, _BOTTOM_IN = 0.28, 0.42
_PLOT_LEFT, _PLOT_RIGHT = 0.27, 0.73
_FEWEST = 2


def frame_auc_axis(axes: Axes, known: Sequence[Estimate], *, rows: float) -> None:
    """Scale, tick and rule `axes` for estimates on `rows` rows, the first row on top."""
    lows = [auc.low if math.isfinite(auc.low) else auc.value for auc in known]
    left = min(CHANCE, math.floor(min(lows, default=CHANCE) * 20) / 20)
    axes.set_xlim(left, 1.0)
    axes.set_ylim(rows - 0.5, -0.5)
    step = 0.1 if left > _WIDE else 0.2
    count = math.floor((1.0 - left) / step + 1e-9)
    ticks = [1.0 - step * index for index in range(count, -1, -1)]
    axes.set_xticks(ticks, [f"{tick:.1f}" for tick in ticks])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.axvline(CHANCE, color=MUTED, linewidth=0.8, zorder=1)
    axes.set_xlabel("AUC (0.5 = chance)")


@dataclass(frozen=True, slots=True)
class _ForestRow:
    """One line of the plot: a family's title (no entry), or a model with its AUC."""

    title: str
    entry: StudyModel | None = None
    auc: Estimate | None = None


def draw_forest(results: StudyResults, *, band: Estimate | None = None) -> RenderedFigure | None:
    """Draw all AUCs by family, the highest first; `band` shades the interval to compare with.

    None for fewer than two: there is nothing to compare.
    """
    rows = _rows(results)
    known = [row.auc for row in rows if row.auc is not None]
    if len(known) < _FEWEST:
        return None
    height_in = _TOP_IN + _BOTTOM_IN + _ROW_IN * len(rows)
    with figure_style():
        figure = new_figure(_WIDTH_IN, height_in)
        axes = figure.add_axes(
            (
                _PLOT_LEFT,
                _BOTTOM_IN / height_in,
                _PLOT_RIGHT - _PLOT_LEFT,
                _ROW_IN * len(rows) / height_in,
            )
        )
        frame_auc_axis(axes, known, rows=len(rows))
        if band is not None and math.isfinite(band.low + band.high):
            axes.axvspan(band.low, band.high, color=BAND, linewidth=0, zorder=0)
        for position, row in enumerate(rows):
            _draw_row(axes, row, y=position)
        _head(axes)
        return encode(
            figure,
            name="auc_forest",
            title=f"AUC of every model, with {LEVEL} interval",
            description="; ".join(
                f"{row.title} {number(row.auc.value)} ({interval_text(row.auc)})"
                for row in rows
                if row.auc is not None
            ),
        )


def _rows(results: StudyResults) -> list[_ForestRow]:
    rows: list[_ForestRow] = []
    for family in FAMILIES:
        measured = [
            _ForestRow(shorten(entry.label, limit=22), entry, auc)
            for entry in of_family(results.entries, family)
            if (auc := results.estimate(entry.name, "auc")) is not None
        ]
        if measured:
            rows.append(_ForestRow(FAMILY_TITLES[family]))
            rows += sorted(measured, key=_height)
    return rows


def _height(row: _ForestRow) -> float:
    return -row.auc.value if row.auc is not None else math.inf


def _draw_row(axes: Axes, row: _ForestRow, *, y: int) -> None:
    if row.entry is None or row.auc is None:
        write_beside(axes, row.title, side=0, y=y, x_pt=-125, colour=INK, weight="bold")
        return
    _draw_estimate(axes, row.auc, entry=row.entry, y=y)
    colour = MUTED if row.entry.trivial else INK
    write_beside(axes, row.title, side=0, y=y, x_pt=-117, colour=colour)
    write_beside(axes, number(row.auc.value), side=1, y=y, x_pt=12, colour=INK)
    write_beside(axes, interval_text(row.auc), side=1, y=y, x_pt=44, colour=MUTED)


def _draw_estimate(axes: Axes, auc: Estimate, *, entry: StudyModel, y: int) -> None:
    colour = MUTED if entry.trivial else FAMILY_COLOURS[entry.family]
    if math.isfinite(auc.low + auc.high):
        axes.plot([auc.low, auc.high], [y, y], color=colour, linewidth=1.4, zorder=3, clip_on=False)
    axes.plot(
        [auc.value],
        [y],
        marker=_marker(entry),
        markersize=5.2,
        markerfacecolor=PAPER if entry.trivial else colour,
        markeredgecolor=colour if entry.trivial else PAPER,
        markeredgewidth=1.1 if entry.trivial else 0.7,
        zorder=4,
        clip_on=False,
    )


def _marker(entry: StudyModel) -> str:
    if entry.chosen:
        return "s"
    return "D" if entry.family == "reader" else "o"


def _head(axes: Axes) -> None:
    for text, x_pt in (("AUC", 12), (f"{LEVEL} interval", 44)):
        axes.annotate(
            text,
            (1, 1),
            xycoords="axes fraction",
            xytext=(x_pt, 5),
            textcoords="offset points",
            fontsize=7.5,
            color=MUTED,
            annotation_clip=False,
        )
    axes.plot([0, 1], [1, 1], transform=axes.transAxes, color=RULE, linewidth=0.4, clip_on=False)
