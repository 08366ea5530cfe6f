"""Values of DICOM attributes as plain numbers and words, read from their bytes.

pydicom converts values with checks that quote them in warnings; these are read without.
"""

import math
import struct
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "US or SS": "H"}
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

    dataset: Dataset

    def raw(self, keyword: str) -> bytes:
        """Return the value's bytes, as stored."""
        element = self._element(keyword)
        value = None if element is None else element.value
        return value if isinstance(value, bytes) else b""

    def little_endian(self, keyword: str) -> bool:
        """Tell the byte order of the value."""
        element = self._element(keyword)
        return element.is_little_endian if isinstance(element, RawDataElement) else True

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
        if kind in ("IS", "DS"):
            return tuple(_finite(float(word)) for word in self.words(keyword) if word)
        code = _NUMBERS.get(kind)
        if code is None:
            return ()
        value = self.raw(keyword)[:_LONGEST_VALUE_BYTES]
        count = len(value) // struct.calcsize(code)
        order = "<" if self.little_endian(keyword) else ">"
        size = struct.calcsize(f"{order}{count}{code}")
        return tuple(map(_finite, struct.unpack(f"{order}{count}{code}", value[:size])))

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
        """Return the items of a sequence."""
        element = self._element(keyword)
        if isinstance(element, RawDataElement) and element.length > _LONGEST_SEQUENCE_BYTES:
            raise ValueError(keyword)
        sequence = None if element is None else self.dataset[tag_of(keyword)].value
        if not isinstance(sequence, Sequence):
            return ()
        return tuple(Attributes(item) for item in sequence)

    def _representation(self, keyword: str) -> str:
        element = self._element(keyword)
        stored = None if element is None else element.VR
        known = stored is not None and stored in (*_NUMBERS, "IS", "DS")
        return str(stored) if known else dictionary_VR(tag_of(keyword))

    def _element(self, keyword: str) -> DataElement | RawDataElement | None:
        return self.dataset.get_item(tag_of(keyword))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return float(value)
