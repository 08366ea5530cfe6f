"""Texts of others in files that spreadsheets open."""

from typing import Final

# Spreadsheets compute what begins with one of these.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str, *, mark: str = "'") -> str:
    """Return the text so that a spreadsheet does not compute it: after `mark` if it might."""
    return f"{mark}{text}" if text.startswith(_FORMULA) else text
