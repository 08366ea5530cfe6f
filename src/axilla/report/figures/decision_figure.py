"""The decision curve: net benefit of acting on each model, at every threshold probability."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from axilla.records.arrays import FloatArray
from axilla.report.figures.figure_style import RenderedFigure, encode, figure_style, new_figure
from axilla.report.figures.palette import INK, MUTED, RULE
from axilla.report.headline_models import colour_of, protagonists, readers, short_label
from axilla.report.number_format import percent, shorten
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults

_WIDTH_IN, _HEIGHT_IN = 7.0, 3.7
_LEFT_IN, _RIGHT_IN, _TOP_IN, _FOOT_IN = 0.62, 1.75, 0.1, 0.46
_LOWEST: Final = -0.12  # of the axis, as a share of the highest net benefit
_HEADROOM: Final = 1.06
_LABEL_PT: Final = 10.5
_SAMPLE: Final = (1.03, 1.075)  # from left to right, in widths of the axes
_TREAT_ALL, _TREAT_NONE = "Treat all", "Treat none"


@dataclass(frozen=True, slots=True)
class _Line:
    """One curve: its name beside it, and how it is drawn."""

    label: str
    x: FloatArray
    y: FloatArray
    colour: str
    style: str = "solid"
    width_pt: float = 1.4


def draw_decision_curve(results: StudyResults) -> RenderedFigure | None:
    """Draw the protagonists and readers between treating all and none, names at the curves' ends.

    The band is the interval of the first of them, the headline fusion where there is one. None
    where decision_curve.csv has none.
    """
    table = results.decision_curve
    known = set(table["model"])
    entries = [e for e in (*protagonists(results), *readers(results)) if e.name in known]
    if not entries:
        return None
    lines = [_line(table, entry, first=entry is entries[0]) for entry in entries]
    with figure_style():
        figure = new_figure(_WIDTH_IN, _HEIGHT_IN)
        width, height = _WIDTH_IN - _LEFT_IN - _RIGHT_IN, _HEIGHT_IN - _TOP_IN - _FOOT_IN
        axes = figure.add_axes(
            (_LEFT_IN / _WIDTH_IN, _FOOT_IN / _HEIGHT_IN, width / _WIDTH_IN, height / _HEIGHT_IN)
        )
        _frame(axes, table, lines)
        _draw_band(axes, table[table["model"] == entries[0].name], colour=lines[0].colour)
        for order, line in enumerate(reversed(lines)):
            _draw_line(axes, line, zorder=4 + order)
        _draw_treat_all(axes, table[table["model"] == entries[0].name])
        none = _Line(_TREAT_NONE, lines[0].x, np.zeros(len(lines[0].x)), MUTED, width_pt=0.9)
        _draw_line(axes, none, zorder=2)
        _write_names(axes, [*lines, none], height_pt=72 * height)
        return encode(
            figure,
            name="decision_curve",
            title="Decision curve: net benefit",
            description=_describe(lines),
        )


def _line(table: pd.DataFrame, entry: StudyModel, *, first: bool) -> _Line:
    rows = table[table["model"] == entry.name]
    reader = entry.family == "reader"
    return _Line(
        label=short_label(entry),
        x=rows["threshold"].to_numpy(),
        y=rows["net_benefit"].to_numpy(),
        colour=INK if reader else colour_of(entry),
        style="dashed" if reader else "solid",
        width_pt=2.2 if first else 1.4,
    )


def _frame(axes: Axes, table: pd.DataFrame, lines: list[_Line]) -> None:
    highest = max(float(table["treat_all"].max()), *(float(line.y.max()) for line in lines))
    top = _HEADROOM * max(highest, 1e-3)
    left, right = float(lines[0].x.min()), float(lines[0].x.max())
    axes.set_xlim(left, right)
    axes.set_ylim(_LOWEST * top, top)
    axes.grid(axis="y")
    ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
    axes.set_xticks(ticks, [percent(tick) for tick in ticks])
    axes.set_xlabel("Threshold probability: the risk from which one would act")
    axes.set_ylabel("Net benefit")


def _draw_band(axes: Axes, rows: pd.DataFrame, *, colour: str) -> None:
    """The interval; where the calls of all draws agree there is none, and the band is a line."""
    low, high = (rows[name].fillna(rows["net_benefit"]) for name in ("low", "high"))
    axes.fill_between(rows["threshold"], low, high, color=colour, alpha=0.16, linewidth=0, zorder=1)


def _draw_line(axes: Axes, line: _Line, *, zorder: float) -> None:
    axes.plot(
        line.x,
        line.y,
        color=line.colour,
        linestyle=line.style,
        linewidth=line.width_pt,
        solid_joinstyle="round",
        zorder=zorder,
    )


def _draw_treat_all(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw it as far as it goes, and write its name where it leaves the plot."""
    x, y = rows["threshold"].to_numpy(), rows["treat_all"].to_numpy()
    _draw_line(axes, _Line(_TREAT_ALL, x, y, MUTED, width_pt=0.9), zorder=2)
    bottom, top = axes.get_ylim()
    inside = np.flatnonzero(y >= bottom + 0.03 * (top - bottom))
    at = inside[-1] if len(inside) else 0
    axes.annotate(
        _TREAT_ALL,
        (x[at], max(y[at], bottom)),
        xytext=(-4, 1),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
        color=MUTED,
    )


def _write_names(axes: Axes, lines: list[_Line], *, height_pt: float) -> None:
    """Write names at the right in the order of the curves' ends, each with a piece of its line.

    A thin line leads there from the end of a curve; one that left the plot has none.
    """
    bottom, top = axes.get_ylim()
    ends = [float(np.clip(line.y[-1], bottom, top)) for line in lines]
    places = apart(ends, least=_LABEL_PT * (top - bottom) / height_pt, low=bottom, high=top)
    place_of: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for line, end, place in zip(lines, ends, places, strict=True):
        if line.y[-1] >= bottom:
            axes.plot([1, _SAMPLE[0]], [end, place], color=RULE, linewidth=0.6, **place_of)
        sample = place_of | {"color": line.colour, "linestyle": line.style}
        axes.plot(_SAMPLE, [place, place], linewidth=line.width_pt, **sample)
        label = shorten(line.label, limit=22)
        text = place_of | {"fontsize": 7.5, "va": "center", "color": line.colour}
        axes.text(_SAMPLE[1] + 0.012, place, label, **text)


def apart(ends: list[float], *, least: float, low: float, high: float) -> list[float]:
    """Return positions in the order of `ends`, at least `least` apart, as near them as can be."""
    order = sorted(range(len(ends)), key=lambda k: ends[k])
    places = [0.0] * len(ends)
    floor = low
    for k in order:
        places[k] = max(ends[k], floor)
        floor = places[k] + least
    ceiling = high
    for k in reversed(order):
        places[k] = min(places[k], ceiling)
        ceiling = places[k] - least
    return places


def _describe(lines: list[_Line]) -> str:
    middle = len(lines[0].x) // 2
    told = "; ".join(f"{line.label} {line.y[middle]:.3f}" for line in lines)
    return f"Net benefit at a threshold probability of {percent(lines[0].x[middle])}: {told}."
