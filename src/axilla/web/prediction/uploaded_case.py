"""An uploaded case, and its files while they are read; nothing is kept on disk."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from axilla.records.patients import ClinicalValue
from axilla.records.roi_rectangle import Roi
from axilla.web.prediction.worker.worker_process import Message

_SUFFIX: Final = re.compile(r"\.[a-z0-9]{1,8}")
_HAS_MEMORY_FILES: Final = hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()


def suffix_of(name: str | None) -> str:
    """Return the suffix of a file's name if it is a plain one; nothing else of the name is used."""
    suffix = Path(name or "").suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


class TempFiles:
    """Holds the files of some requests; when the block ends none is left.

    Where the system has files in memory without a name (`memfd_create`), the folder holds links to
    them only: whatever ends the process ends the files.
    """

    def __init__(self, folder: Path) -> None:
        """Hold files in a private folder."""
        self._folder = folder
        self._open: list[int] = []
        self._paths: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)
        for descriptor in self._open:
            os.close(descriptor)

    def put(self, content: bytes, name: str) -> Path:
        """Return a path at which `content` can be read; `name` is ours, for messages.

        Files of different requests may have the same name.
        """
        own = self._folder / str(len(self._paths))
        own.mkdir(mode=0o700, exist_ok=True)
        path = own / name
        self._paths.append(path)
        if not _HAS_MEMORY_FILES:
            path.write_bytes(content)
            return path
        descriptor = os.memfd_create("upload")
        self._open.append(descriptor)
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        path.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
        return path


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request: its bytes, its suffix, and what belongs to this image."""

    content: bytes
    suffix: str
    roi: Roi | None = None
    frame: int | None = None
    mask: "Upload | None" = None
    mpp: float | None = None


@dataclass(frozen=True, slots=True)
class UploadedCase:
    """What somebody asks a prediction for."""

    ultrasound: tuple[Upload, ...]
    pathology: tuple[Upload, ...]
    clinical: Mapping[str, ClinicalValue]
    heatmaps: bool = False

    def message(self) -> Message:
        """Return the case as the worker gets it."""
        blobs: list[bytes] = []

        def describe_upload(upload: Upload) -> dict[str, Any]:
            blobs.append(upload.content)
            said: dict[str, Any] = {"blob": len(blobs) - 1, "suffix": upload.suffix}
            if upload.roi is not None:
                said["roi"] = list(upload.roi.sides)
            if upload.mask is not None:
                said["mask"] = describe_upload(upload.mask)
            return said | {"frame": upload.frame, "mpp": upload.mpp}

        content = {
            "ultrasound": [describe_upload(upload) for upload in self.ultrasound],
            "pathology": [describe_upload(upload) for upload in self.pathology],
            "clinical": dict(self.clinical),
            "heatmaps": self.heatmaps,
        }
        return Message(content, tuple(blobs))


def upload_of(name: str | None, content: bytes) -> Upload:
    """Return an uploaded file; of its name only the suffix is kept."""
    return Upload(content, suffix_of(name))
