"""Files of the cache: each appears whole or not at all, and carries a digest of its own bytes."""

import errno
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors import SafetensorError, safe_open

from axilla.records.errors import Problem, StudyError
from axilla.records.run_folder import atomic

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DIGEST_BYTES = 16
UNSEALED = "0" * 2 * _DIGEST_BYTES
"""Stands in the header of a result, as its digest, while that is computed."""


@contextmanager
def store_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file that becomes `path`; raise `StudyError` if there is no room for it."""
    name = f"{path.parent.name}/{path.name}"
    if path.is_dir():
        raise StudyError(Problem(name, "a folder", "a file, or nothing yet", "Delete the folder."))
    try:
        with atomic(path) as temporary:
            yield temporary
    except OSError as error:
        if error.errno not in _FULL:
            raise
        remedy = "Make room, or raise the quota, and run again: finished trials are kept."
        reason = (error.strerror or str(error)).lower()
        raise StudyError(Problem(name, reason, "room to write the file", remedy)) from error


def write_array(
    path: Path, blocks: Iterable[NDArray[np.generic]], *, shape: tuple[int, ...], dtype: DTypeLike
) -> None:
    """Write an array of `shape` as .npy, block by block, and after it a digest of all that.

    Readers of .npy stop where the array ends; a plain write tells of a full disk, where one
    through a memory map ends the process.
    """
    start = io.BytesIO()
    kind = np.lib.format.dtype_to_descr(np.dtype(dtype))
    about = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(start, about)
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with store_file(path) as temporary, temporary.open("wb") as stream:
        rows = (np.ascontiguousarray(block, dtype=dtype).tobytes() for block in blocks)
        for content in chain([start.getvalue()], rows):
            digest.update(content)
            stream.write(content)
        stream.write(digest.digest())


def is_whole_array(path: Path) -> bool:
    """Tell whether an array lies there to the last bit; a damaged one is computed again."""
    try:
        content = np.memmap(path, np.uint8, mode="r")
    except (OSError, ValueError):
        return False
    end = max(0, content.size - _DIGEST_BYTES)
    return content[end:].tobytes() == _digest(content[:end].data).digest()


def write_sealed(path: Path, content: bytes) -> None:
    """Write a result, the first `UNSEALED` in it replaced by a digest of everything."""
    with store_file(path) as temporary:
        seal = _digest(content).hexdigest()
        temporary.write_bytes(content.replace(UNSEALED.encode(), seal.encode(), 1))


def is_sealed(path: Path) -> bool:
    """Tell whether a result in safetensors lies there as it was written, to the last bit."""
    try:
        with safe_open(path, framework="pt") as content:
            about = json.loads((content.metadata() or {}).get("about", "{}"))
        seal = about.get("digest") if isinstance(about, dict) else None
        if not isinstance(seal, str) or not seal:
            return False
        unsealed = path.read_bytes().replace(seal.encode(), UNSEALED.encode(), 1)
    except (OSError, SafetensorError, ValueError):
        return False
    return seal == _digest(unsealed).hexdigest()


def _digest(content: bytes | memoryview) -> "hashlib.blake2b":
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES)
