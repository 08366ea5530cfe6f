"""A page's own script, and the words and facts it is handed over with."""

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui


def script(name: str, *, data: Mapping[str, Any]) -> None:
    """Add assets/NAME.js as a module, its style NAME.css, and `data` as JSON under #NAME-data.

    The script fills the element #NAME, which is made here.
    """
    # "<" could end the element.
    content = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    ui.add_head_html(f'<link rel="stylesheet" href="/assets/{name}.css">')
    ui.element("div").props(f"id={name}").classes(f"{name}")
    ui.add_body_html(f'<script type="application/json" id="{name}-data">{content}</script>')
    ui.add_body_html(f'<script type="module" src="/assets/{name}.js"></script>')
