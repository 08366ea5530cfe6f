"""Tables of a manuscript, as texts."""

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ManuscriptTable:
    """A table as it is printed; a first cell that begins with blanks is indented below another.

    Raises `ValueError` if a row has another number of cells than the header.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        if not self.header or any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"table {self.title!r}: every row needs {len(self.header)} cells")


def text_width(text: str) -> int:
    """Return the width of a text in Latin letters; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
