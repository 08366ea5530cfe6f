"""Colours that colour-blind readers tell apart, and their names in the page's theme."""

from dataclasses import dataclass
from typing import Literal

INK = "#1b1f24"
MUTED = "#5a6472"
RULE = "#c8ced6"
PAPER = "#ffffff"
BAND = "#eef1f4"

# Three colours of Okabe and Ito (2008), three dark ones found beside them: at least 3 : 1 on white,
# and any two at least 11 apart (CIEDE2000) for normal, protan, deutan and tritan readers (Machado
# et al., 2009). Dark pages use six others, found in the same way; see report.css.
BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
WINE = "#882255"
BROWN = "#6b4a00"
INDIGO = "#332288"

SERIES = (BLUE, VERMILLION, GREEN, WINE, BROWN, INDIGO)

FAMILY_COLOURS = {
    "pathology": WINE,
    "ultrasound": BLUE,
    "fusion": GREEN,
    "clinical": BROWN,
    "reader": INK,
    "single": INDIGO,
    "models": INDIGO,
}

# Inline figures replace each colour by the page's variable, so that dark mode reaches them.
THEME_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
    BAND: "--band",
    BLUE: "--blue",
    VERMILLION: "--vermillion",
    GREEN: "--green",
    WINE: "--wine",
    BROWN: "--brown",
    INDIGO: "--indigo",
}

Dashes = Literal["solid", "dashed", "dotted"]


@dataclass(frozen=True, slots=True)
class SeriesStyle:
    """How one curve is drawn."""

    colour: str
    dashes: Dashes = "solid"
    width_pt: float = 1.5


CHOSEN_STYLE = SeriesStyle(colour=INK, dashes="dashed", width_pt=1.5)
BASELINE_STYLE = SeriesStyle(colour=MUTED, dashes="dotted", width_pt=1.3)


def series_style(index: int) -> SeriesStyle:
    """Return the style of the series number `index`; no two of the first eighteen are alike."""
    dashes: tuple[Dashes, ...] = ("solid", "dashed", "dotted")
    return SeriesStyle(
        colour=SERIES[index % len(SERIES)],
        dashes=dashes[(index // len(SERIES)) % len(dashes)],
    )
