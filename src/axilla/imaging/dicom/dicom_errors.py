"""Why a DICOM file is not read, before anybody knows the file's name."""

import struct

from pydicom.errors import BytesLengthException, InvalidDicomError

# What pydicom, numpy and the decoders raise on damaged files.
DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    struct.error,
    BytesLengthException,
    InvalidDicomError,
)


class DicomError(Exception):
    """A DICOM file cannot be read; holds the parts of a `Problem` without the place."""

    def __init__(self, found: str, *, expected: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.remedy = remedy


def damaged_error(found: str) -> DicomError:
    """Return the refusal of a file whose parts contradict each other."""
    remedy = "Export it again from the archive (PACS)."
    return DicomError(found, expected="an undamaged DICOM file", remedy=remedy)


def unsupported_error(found: str, *, expected: str) -> DicomError:
    """Return the refusal of a file that is valid but of a kind that axilla does not read."""
    remedy = "Export it uncompressed (Explicit VR Little Endian) in 8 bits, or as PNG."
    return DicomError(found, expected=expected, remedy=remedy)
