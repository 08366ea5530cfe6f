"""The page: sections in order, one HTML file that needs nothing else."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from axilla import RESEARCH_USE_ONLY, __version__
from axilla.records.estimate import Estimate
from axilla.report.number_format import (
    LEVEL,
    format_signed,
    interval_text,
    number,
    p_value,
    percent,
)


@dataclass(frozen=True, slots=True)
class PageSection:
    """One part of the page: its title, the anchor the table of contents points to, its HTML."""

    title: str
    anchor: str
    html: Markup

    @property
    def anchors(self) -> frozenset[str]:
        """Every place of the section that a link can lead to."""
        return frozenset({self.anchor, *re.findall(r'\sid="([^"]+)"', self.html)})


def render(template: str, **values: Any) -> Markup:
    """Render a template of this room; every value is escaped unless it is Markup already."""
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704


def render_page(sections: Sequence[PageSection], *, title: str, facts: Sequence[str]) -> str:
    """Return the whole page; `facts` are the few words under the title."""
    environment = _environment()
    style, script = (
        # Our own files, written for exactly this place.
        Markup(environment.get_template(name).render())  # noqa: S704
        for name in ("report.css", "report.js")
    )
    return environment.get_template("report.html.j2").render(
        title=title,
        facts=facts,
        sections=sections,
        style=style,
        script=script,
        research_use_only=RESEARCH_USE_ONLY,
        version=__version__,
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("axilla.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "interval": interval_text,
        "place": _place,
        "signed": format_signed,
        "p_value": p_value,
    }
    environment.tests["bounded"] = _has_bounds
    environment.filters["percent"] = percent
    environment.globals["level"] = LEVEL
    return environment


def _place(value: float, low: float, *, high: float) -> float:
    """Where on an axis from `low` to `high` a value stands, in percent."""
    return round(100 * (value - low) / (high - low), 2)


def _has_bounds(estimate: Estimate) -> bool:
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)
