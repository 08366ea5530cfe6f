"""Which files are DICOM, told from their first bytes and without pydicom."""

from pathlib import Path

PREAMBLE_BYTES = 128
MAGIC = b"DICM"

_SUFFIXES = (".dcm", ".dicom", ".dic")
_START_BYTES = PREAMBLE_BYTES + len(MAGIC)
# A file without any header starts with one of the first attributes of group 8, a short one.
_FIRST_ELEMENTS = 0x0018
_FIRST_LENGTH_BYTES = 128


def is_dicom(path: Path) -> bool:
    """Tell by suffix or by the first 132 bytes whether a file is to be read as DICOM.

    A file that does not exist or cannot be opened is DICOM if its suffix says so.
    """
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return opens_like_dicom(stream.read(_START_BYTES))
    except OSError:
        return False


def opens_like_dicom(start: bytes) -> bool:
    """Tell whether a file's first 132 bytes are a DICOM file's, with or without preamble."""
    if start[PREAMBLE_BYTES : PREAMBLE_BYTES + len(MAGIC)] == MAGIC:
        return True
    group, element, kind = start[:2], start[2:4], start[4:6]
    if group not in (b"\x02\x00", b"\x08\x00", b"\x00\x08") or len(start) < len(MAGIC) * 2:
        return False
    if kind in (b"UL", b"OB", b"UI", b"CS", b"DA", b"TM", b"LO", b"SH"):
        return True
    first = int.from_bytes(element, "little")
    length = int.from_bytes(start[4:8], "little")
    return group == b"\x08\x00" and first <= _FIRST_ELEMENTS and length <= _FIRST_LENGTH_BYTES
