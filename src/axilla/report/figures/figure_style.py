"""One figure style and one deterministic way to PNG and SVG; matplotlib's object interface only."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from axilla.report.figures.palette import INK, MUTED, PAPER, RULE, THEME_VARIABLES

_DOTS_PER_INCH = 200
_PNG_COMPRESSION = 3
"""Half the time of zlib's default, for files that are 8 % larger."""

_EAST_ASIAN = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
)


def _families() -> list[str]:
    """Return DejaVu Sans, and what this machine has for Chinese names, which DejaVu lacks."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _EAST_ASIAN if name in installed)]


# DejaVu Sans travels inside matplotlib, and SVG text becomes paths: every machine draws the same.
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "svg.hashsalt": "axilla",
    "svg.fonttype": "path",
    "font.family": _families(),
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "path.simplify": False,
}


@dataclass(frozen=True, slots=True)
class RenderedFigure:
    """A finished figure: its file name without suffix, what it shows, and its two encodings."""

    name: str
    title: str
    description: str
    png: bytes
    svg: bytes
    width_in: float

    @property
    def inline_svg(self) -> Markup:
        """The SVG element for an HTML page: ids made unique, colours left to the page's theme.

        It is markup that matplotlib wrote, with every text turned into paths or escaped.
        """
        text = self.svg.decode()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
        # matplotlib's only rule would reach the whole page; report.css says it for figures.
        text = re.sub(r"<style\b.*?</style>", "", text, flags=re.DOTALL)
        text = re.sub(r'\bid="', f'id="{self.name}-', text)
        text = re.sub(r'href="#', f'href="#{self.name}-', text)
        text = text.replace("url(#", f"url(#{self.name}-")
        for colour, variable in THEME_VARIABLES.items():
            text = text.replace(colour, f"var({variable})")
        label = f'<svg role="img" aria-label="{escape(self.description)}"'
        return Markup(text.replace("<svg", label, 1))  # noqa: S704


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw everything inside the block in the journal style."""
    # Fonts for Chinese names often have no bold; matplotlib draws regular and warns each time.
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.ERROR)
    try:
        with rc_context(_STYLE):
            yield
    finally:
        fonts.setLevel(level)


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure of this size in inches."""
    return Figure(figsize=(width_in, height_in), dpi=_DOTS_PER_INCH)


def encode(figure: Figure, *, name: str, title: str, description: str) -> RenderedFigure:
    """Return the figure as PNG (200 dpi) and SVG; equal figures give equal bytes."""
    png, svg = io.BytesIO(), io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(
        png,
        format="png",
        dpi=_DOTS_PER_INCH,
        metadata={"Software": None},
        pil_kwargs={"compress_level": _PNG_COMPRESSION},
    )
    FigureCanvasSVG(figure)
    figure.savefig(svg, format="svg", metadata={"Date": None, "Title": title})
    width_in = float(figure.get_size_inches()[0])
    return RenderedFigure(
        name=name,
        title=title,
        description=description,
        png=png.getvalue(),
        svg=svg.getvalue(),
        width_in=width_in,
    )


def bare(axes: Axes) -> None:
    """Take ticks, labels and spines off `axes`."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def write_beside(
    axes: Axes,
    text: str,
    *,
    side: int,
    y: float,
    x_pt: float,
    colour: str,
    weight: str = "normal",
    align: str = "left",
) -> None:
    """Write beside the axes: `x_pt` points from their left (0) or right (1) side, at row `y`."""
    axes.annotate(
        text,
        (side, y),
        xycoords=axes.get_yaxis_transform(),
        xytext=(x_pt, 0),
        textcoords="offset points",
        va="center",
        ha=align,
        color=colour,
        fontweight=weight,
        annotation_clip=False,
    )
