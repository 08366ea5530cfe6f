"""Values of DICOM attributes as plain numbers and words, read from their bytes.

pydicom converts values with checks that quote them in warnings; these are read without.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "US or SS": "H"}
_TEXTS = ("IS", "DS")
# A value of any attribute read here is far shorter; palettes are read as bytes.
_LONGEST_VALUE_BYTES = 4096
_LONGEST_SEQUENCE_BYTES = 1 << 20


def tag_of(keyword: str) -> BaseTag:
    """Return the tag of a keyword of the DICOM dictionary; raise KeyError for any other word."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return BaseTag(tag)


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a data set or of an item in a sequence; what is absent is empty."""

    elements: Mapping[int, RawDataElement]
    sequences: Mapping[str, tuple["Attributes", ...]] = field(default_factory=dict)

    def raw(self, keyword: str) -> bytes:
        """Return the value's bytes, as stored."""
        element = self.elements.get(tag_of(keyword))
        return (element.value or b"") if element else b""

    def little_endian(self, keyword: str) -> bool:
        """Tell the byte order of the value."""
        element = self.elements.get(tag_of(keyword))
        return element is None or element.is_little_endian

    def words(self, keyword: str) -> tuple[str, ...]:
        """Return the text's values, split at backslashes; only ASCII is kept."""
        text = self.raw(keyword)[:_LONGEST_VALUE_BYTES].decode("ascii", "ignore")
        return tuple(word.strip(" \0") for word in text.split("\\")) if text else ()

    def word(self, keyword: str) -> str:
        """Return the first value of the text, or an empty one."""
        return next(iter(self.words(keyword)), "")

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return the values, whole or decimal, binary or text; raise ValueError if not finite."""
        kind = self._representation(keyword)
        if kind in _TEXTS:
            return tuple(_finite(float(word)) for word in self.words(keyword) if word)
        value = self.raw(keyword)[:_LONGEST_VALUE_BYTES]
        code = _NUMBERS[kind]
        count = len(value) // struct.calcsize(f"={code}")
        order = "<" if self.little_endian(keyword) else ">"
        return tuple(map(_finite, struct.unpack_from(f"{order}{count}{code}", value)))

    def number(self, keyword: str) -> float | None:
        """Return the first number, or None."""
        return next(iter(self.numbers(keyword)), None)

    def whole(self, keyword: str, default: int = 0) -> int:
        """Return the first number if it is whole; `default` if the attribute is absent."""
        value = self.number(keyword)
        if value is None:
            return default
        if not value.is_integer():
            raise ValueError(keyword)
        return int(value)

    def items(self, keyword: str) -> tuple["Attributes", ...]:
        """Return the items of a sequence that was kept when the data set was read."""
        return self.sequences.get(keyword, ())

    def _representation(self, keyword: str) -> str:
        element = self.elements.get(tag_of(keyword))
        stored = element.VR if element else None
        return stored if stored in (*_NUMBERS, *_TEXTS) else dictionary_VR(tag_of(keyword))


def attributes_of(dataset: Dataset, *, sequences: tuple[str, ...] = ()) -> Attributes:
    """Return the unconverted attributes of a parsed data set, with the items of `sequences`.

    What cannot be sequences raises what pydicom raises.
    """
    raw = {
        int(element.tag): element
        for element in dataset.elements()
        if isinstance(element, RawDataElement)
    }
    kept = {keyword: _items(dataset, keyword, raw) for keyword in sequences}
    return Attributes(raw, kept)


def _items(
    dataset: Dataset, keyword: str, raw: Mapping[int, RawDataElement]
) -> tuple[Attributes, ...]:
    tag = tag_of(keyword)
    element = raw.get(tag)
    if tag not in dataset or (element and not element.value):
        return ()
    if element and (element.VR not in ("SQ", "UN", None)):
        raise ValueError(keyword)
    if element and element.length > _LONGEST_SEQUENCE_BYTES:
        raise ValueError(keyword)
    sequence = dataset[tag].value
    if not isinstance(sequence, Sequence):
        raise TypeError(keyword)
    return tuple(attributes_of(item) for item in sequence)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return float(value)
