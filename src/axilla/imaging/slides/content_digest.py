"""A name for the content of a slide that does not need all of its gigabytes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from axilla.imaging.slides.slide_files import is_dicom_slide
from axilla.records.digests import digest_of, digest_of_files

WHOLE_BYTES = 256 << 20
_BLOCK_BYTES = 1 << 20
_BLOCKS = 64


def slide_digest(path: Path) -> str:
    """Return a digest of an image file or slide, the same on every machine; raise `OSError`.

    Up to 256 MiB it is the content's own digest (`digest_of_files`). Of a larger file it holds
    the size and 64 blocks of 1 MiB: the first, the last and evenly between. Files that belong to
    the slide count too: the folder beside an MRXS or VMS file, the other files of a DICOM series.
    """
    parts = [path, *_companions(path)]
    if sum(part.stat().st_size for part in parts) <= WHOLE_BYTES:
        return digest_of_files(parts)
    return digest_of("slide", 1, [_sample_bytes(part) for part in parts])


def _sample_bytes(path: Path) -> tuple[int, str]:
    size = path.stat().st_size
    if size <= _BLOCKS * _BLOCK_BYTES:
        return size, digest_of_files([path])
    state = hashlib.blake2b(digest_size=16)
    last = size - _BLOCK_BYTES
    with path.open("rb") as stream:
        for n in range(_BLOCKS):
            stream.seek(last * n // (_BLOCKS - 1))
            state.update(stream.read(_BLOCK_BYTES))
    return size, state.hexdigest()


def _companions(path: Path) -> Sequence[Path]:
    suffix = path.suffix.lower()
    if suffix == ".mrxs":
        return _files_in(path.with_suffix(""))
    if suffix in (".vms", ".vmu"):
        return [file for file in _files_in(path.parent) if file != path]
    if not is_dicom_slide(path):
        return ()
    from axilla.imaging.slides.dicom_series import other_files  # noqa: PLC0415 - pydicom, which is slow

    return other_files(path)


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []
