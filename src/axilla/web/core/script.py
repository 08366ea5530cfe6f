"""A page's own script, and the words and facts it is handed over with."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


def script(
    name: str, *, data: Mapping[str, Any], styles: Sequence[str] = (), place: str = ""
) -> None:
    """Add assets/NAME.js as a module, its styles, and `data` as JSON under #NAME-data.

    The script fills the element #NAME of class `place`, which is made here. Without `styles` its
    style is NAME.css, and without `place` its class is NAME.
    """
    # "<" could end the element.
    content = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    for style in styles or (name,):
        ui.add_head_html(f'<link rel="stylesheet" href="/assets/{style}.css">')
    ui.element("div").props(f"id={name}").classes(place or name)
    ui.add_body_html(f'<script type="application/json" id="{name}-data">{content}</script>')
    ui.add_body_html(f'<script type="module" src="/assets/{name}.js"></script>')
