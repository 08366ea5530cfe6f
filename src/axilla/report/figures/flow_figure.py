"""The inclusion flow as a diagram: patients who stay below each other, who leaves beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from axilla.report.figures.figure_style import (
    RenderedFigure,
    bare,
    encode,
    figure_style,
    new_figure,
)
from axilla.report.figures.palette import BAND, INK, MUTED, PAPER
from axilla.report.number_format import wrap_text
from axilla.report.study_results import StudyResults
from axilla.report.tables.inclusion_stages import InclusionStage, Leaving, flow_stages

_WIDTH_IN = 3.9
_BOX_IN, _SIDE_IN = 1.95, 1.7  # widths of the boxes of those who stay, and of those who leave
_LINE_IN, _PAD_IN = 0.145, 0.09
_GAP_IN, _SMALL_GAP_IN = 0.26, 0.12
_EDGE_IN = 0.03
_TEXT_PT = 8.0
_POINTS_PER_INCH = 72
_MOST_LETTERS = 60
_INDENT = "   "


@dataclass(frozen=True, slots=True)
class _TextBox:
    """A box of lines, the first `bold` of them in bold."""

    lines: tuple[str, ...]
    bold: int

    @property
    def height_in(self) -> float:
        return _LINE_IN * len(self.lines) + 2 * _PAD_IN


def draw_flow(results: StudyResults) -> RenderedFigure | None:
    """Draw who was in the table, who was left out and why, and who was evaluated; None without."""
    stages = flow_stages(results)
    if not stages:
        return None
    boxes = [_stay(stage) for stage in stages]
    sides = [_leave(stage.leaving) for stage in stages]
    height_in = 2 * _EDGE_IN + sum(box.height_in for box in boxes)
    height_in += sum(_gap(side) for side in sides[1:])
    with figure_style():
        figure = new_figure(_WIDTH_IN, height_in)
        axes = figure.add_axes((0, 0, 1, 1))
        bare(axes)
        axes.set_xlim(0, _WIDTH_IN)
        axes.set_ylim(height_in, 0)
        top = _EDGE_IN
        for position, (box, side) in enumerate(zip(boxes, sides, strict=True)):
            if position:
                _step(axes, top, side=side)
                top += _gap(side)
            _draw(axes, box, left=_EDGE_IN, top=top, width=_BOX_IN, paper=PAPER)
            top += box.height_in
        return encode(
            figure,
            name="inclusion_flow",
            title="Inclusion of patients",
            description=_describe(stages),
        )


def _stay(stage: InclusionStage) -> _TextBox:
    title = _fit_lines(stage.label, box_in=_BOX_IN, weight="bold")
    lines = [*title, f"n = {stage.count:,}"]
    if stage.positive is not None and stage.negative is not None:
        lines.append(f"{stage.positive:,} positive, {stage.negative:,} negative")
    lines += [line for note in stage.notes for line in _fit_lines(note, box_in=_BOX_IN)]
    return _TextBox(tuple(lines), bold=len(title))


def _leave(leaving: Sequence[Leaving]) -> _TextBox | None:
    if not leaving:
        return None
    lines = []
    if several := len(leaving) > 1:
        lines.append(f"Left out: {sum(one.count for one in leaving):,}")
    for one in leaving:
        first, *rest = _fit_lines(f"{one.count:,} {one.reason}", box_in=_SIDE_IN, indent=_INDENT)
        lines += [first, *(f"{_INDENT}{line}" for line in rest)]
    return _TextBox(tuple(lines), bold=int(several))


def _fit_lines(text: str, *, box_in: float, indent: str = "", weight: str = "normal") -> list[str]:
    """Break a text into lines that fit a box; its letters are measured, not counted."""
    font = FontProperties(family="DejaVu Sans", size=_TEXT_PT, weight=weight)
    room_pt = (box_in - 2 * _PAD_IN) * _POINTS_PER_INCH

    def width_pt(line: str) -> float:
        width, _, _ = text_to_path.get_text_width_height_descent(indent + line, font, ismath=False)
        return float(width)

    lines = wrap_text(text, width=_MOST_LETTERS)
    letters = _MOST_LETTERS
    while letters > 1 and max(map(width_pt, lines)) > room_pt:
        letters -= 1
        lines = wrap_text(text, width=letters)
    return lines


def _gap(side: _TextBox | None) -> float:
    """The room above a box: for its arrow, and for those who leave on the way."""
    return _GAP_IN if side is None else side.height_in + 2 * _SMALL_GAP_IN


def _step(axes: Axes, top: float, *, side: _TextBox | None) -> None:
    """Draw the arrow that ends at the next box, and who leaves on the way."""
    middle = _EDGE_IN + _BOX_IN / 2
    bottom = top + _gap(side)
    _arrow(axes, (middle, top), (middle, bottom))
    if side is not None:
        level = (top + bottom) / 2
        left = _WIDTH_IN - _SIDE_IN - _EDGE_IN
        _arrow(axes, (middle, level), (left, level))
        height = side.height_in
        _draw(axes, side, left=left, top=level - height / 2, width=_SIDE_IN, paper=BAND)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.8, "mutation_scale": 7}
    style |= {"shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=style, annotation_clip=False)


def _draw(axes: Axes, box: _TextBox, *, left: float, top: float, width: float, paper: str) -> None:
    right, bottom = left + width, top + box.height_in
    axes.fill(
        [left, right, right, left],
        [top, top, bottom, bottom],
        facecolor=paper,
        edgecolor=MUTED,
        linewidth=0.8,
        zorder=3,
    )
    for row, line in enumerate(box.lines):
        axes.text(
            left + _PAD_IN,
            top + _PAD_IN + _LINE_IN * (row + 0.5),
            line,
            fontsize=_TEXT_PT,
            fontweight="bold" if row < box.bold else "normal",
            color=INK,
            va="center_baseline",
            zorder=4,
        )


def _describe(stages: Sequence[InclusionStage]) -> str:
    parts = []
    for stage in stages:
        parts += [f"left out {one.count}: {one.reason}" for one in stage.leaving]
        parts.append(f"{stage.label}: {stage.count}")
    return f"Inclusion flow. {'; '.join(parts)}."
