"""Elements of HTML that hold text, escaped, for what NiceGUI has no element of its own."""

from nicegui.elements.mixins.text_element import TextElement


def text(tag: str, content: str) -> TextElement:
    """Return an element such as `p`, `h1` or `td` with this text in it."""
    return TextElement(tag=tag, text=content)
