"""Seeds: the DICOM files that pydicom ships, but not those that it fetches elsewhere."""

from collections.abc import Mapping
from importlib.resources import files

_LARGEST_BYTES = 300_000


def dicom_files() -> Mapping[str, bytes]:
    """Return pydicom's files by name."""
    folder = files("pydicom") / "data" / "test_files"
    return {
        entry.name: content
        for entry in folder.iterdir()
        if entry.name.endswith(".dcm") and len(content := entry.read_bytes()) <= _LARGEST_BYTES
    }
