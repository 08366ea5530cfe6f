"""The leading model's AUC in every subgroup beside its AUC in all patients: a forest plot."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.axes import Axes

from axilla.records.estimate import Estimate
from axilla.report.figures.figure_style import (
    RenderedFigure,
    encode,
    figure_style,
    new_figure,
    write_beside,
)
from axilla.report.figures.forest_figure import frame_auc_axis
from axilla.report.figures.palette import FAMILY_COLOURS, INK, MUTED, PAPER, RULE
from axilla.report.number_format import LEVEL, interval_text, number, pluralise, shorten
from axilla.report.study_results import StudyResults
from axilla.report.tables.subgroup_rows import SubgroupColumn, SubgroupRow, Subgroups, subgroups_of

_WIDTH_IN = 7.0
_ROW_IN = 0.2
_GAP_ROWS = 0.45
_TOP_IN, _BOTTOM_IN = 0.3, 0.42
_PLOT_LEFT, _PLOT_RIGHT = 0.36, 0.73
_TITLE_PT, _INDENT_PT, _COUNT_PT = -170, -162, -10


@dataclass(frozen=True, slots=True)
class _SubgroupLine:
    """One line of the plot at height `y`: all patients, a column's heading, or a level."""

    y: float
    line: SubgroupRow | None = None
    heading: SubgroupColumn | None = None


def draw_subgroups(results: StudyResults) -> RenderedFigure | None:
    """Draw the AUC of each level with its interval, grouped by column; None without subgroups."""
    subgroups = subgroups_of(results)
    if subgroups is None:
        return None
    rows = list(_rows(subgroups))
    span = rows[-1].y + 1
    height_in = _TOP_IN + _BOTTOM_IN + _ROW_IN * span
    with figure_style():
        figure = new_figure(_WIDTH_IN, height_in)
        width = _PLOT_RIGHT - _PLOT_LEFT
        axes = figure.add_axes(
            (_PLOT_LEFT, _BOTTOM_IN / height_in, width, _ROW_IN * span / height_in)
        )
        _frame(axes, subgroups, span=span)
        colour = FAMILY_COLOURS[subgroups.entry.family]
        for row in rows:
            if row.heading is not None:
                _draw_heading(axes, row.heading, y=row.y)
            elif row.line is not None:
                _draw_line(axes, row.line, y=row.y, colour=colour, overall=row is rows[0])
        _head(axes)
        return encode(
            figure,
            name="subgroups",
            title=f"AUC in subgroups, {subgroups.entry.long_label}, with {LEVEL} interval",
            description=_description(subgroups),
        )


def _rows(subgroups: Subgroups) -> Iterator[_SubgroupLine]:
    y = 0.0
    yield _SubgroupLine(y, line=subgroups.overall)
    for block in subgroups.blocks:
        y += 1 + _GAP_ROWS
        yield _SubgroupLine(y, heading=block)
        for line in block.lines:
            y += 1
            yield _SubgroupLine(y, line=line)


def _frame(axes: Axes, subgroups: Subgroups, *, span: float) -> None:
    lines = [subgroups.overall, *(line for block in subgroups.blocks for line in block.lines)]
    known = [auc for line in lines if (auc := line.estimates["auc"]) is not None]
    frame_auc_axis(axes, known, rows=span)
    overall = subgroups.overall.estimates["auc"]
    if overall is not None:
        axes.axvline(overall.value, color=INK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=2)


def _draw_heading(axes: Axes, block: SubgroupColumn, *, y: float) -> None:
    title = shorten(block.title, limit=30)
    write_beside(axes, title, side=0, y=y, x_pt=_TITLE_PT, colour=INK, weight="bold")
    write_beside(axes, f"interaction: {block.told_p('auc')}", side=1, y=y, x_pt=12, colour=MUTED)


def _draw_line(axes: Axes, line: SubgroupRow, *, y: float, colour: str, overall: bool) -> None:
    ink = MUTED if line.small else INK
    indent, weight = (_TITLE_PT, "bold") if overall else (_INDENT_PT, "normal")
    title = shorten(line.title, limit=24)
    write_beside(axes, title, side=0, y=y, x_pt=indent, colour=ink, weight=weight)
    count = f"{line.n:,} ({line.n_positive:,})"
    write_beside(axes, count, side=0, y=y, x_pt=_COUNT_PT, colour=MUTED, align="right")
    auc = line.estimates["auc"]
    if auc is None:
        reason = "one outcome only" if line.one_class else "not defined"
        write_beside(axes, reason, side=1, y=y, x_pt=12, colour=MUTED)
        return
    _draw_estimate(axes, auc, y=y, colour=INK if overall else colour, hollow=line.small)
    write_beside(axes, number(auc.value), side=1, y=y, x_pt=12, colour=ink)
    write_beside(axes, interval_text(auc), side=1, y=y, x_pt=44, colour=MUTED)


def _draw_estimate(axes: Axes, auc: Estimate, *, y: float, colour: str, hollow: bool) -> None:
    if math.isfinite(auc.low + auc.high):
        axes.plot(
            [auc.low, auc.high],
            [y, y],
            color=colour,
            linewidth=0.9 if hollow else 1.4,
            zorder=3,
            clip_on=False,
        )
    axes.plot(
        [auc.value],
        [y],
        marker="D" if colour == INK else "o",
        markersize=5.2,
        markerfacecolor=PAPER if hollow else colour,
        markeredgecolor=colour if hollow else PAPER,
        markeredgewidth=1.1 if hollow else 0.7,
        zorder=4,
        clip_on=False,
    )


def _head(axes: Axes) -> None:
    heads = (
        ("Subgroup", 0, _TITLE_PT, "left"),
        ("Patients (positive)", 0, _COUNT_PT, "right"),
        ("AUC", 1, 12, "left"),
        (f"{LEVEL} interval", 1, 44, "left"),
    )
    for text, side, x_pt, align in heads:
        axes.annotate(
            text,
            (side, 1),
            xycoords="axes fraction",
            xytext=(x_pt, 5),
            textcoords="offset points",
            ha=align,
            fontsize=7.5,
            color=MUTED,
            annotation_clip=False,
        )
    axes.plot([0, 1], [1, 1], transform=axes.transAxes, color=RULE, linewidth=0.4, clip_on=False)


def _description(subgroups: Subgroups) -> str:
    told = [_describe_line(subgroups.overall)]
    for block in subgroups.blocks:
        told += [f"{block.title}, {_describe_line(line)}" for line in block.lines]
    return "; ".join(told)


def _describe_line(line: SubgroupRow) -> str:
    auc = line.estimates["auc"]
    found = f"{number(auc.value)} ({interval_text(auc)})" if auc else "not defined"
    small = ", a small group" if line.small else ""
    return f"{line.title} {found} in {pluralise(line.n, 'patient')}{small}"
