"""Every image decoded once, into a memory-mapped uint8 array that all trials share."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from axilla.imaging.slides import slide_digest
from axilla.preprocessing.prepare import PixelSettings, prepare
from axilla.records.digests import digest_of
from axilla.records.patients import ImageFile, Patient
from axilla.records.progress import Progress
from axilla.records.types import ImageModality
from axilla.training.engine.cache_files import is_whole_array, write_array

_DECODERS = 2
_PLANES = {"ultrasound": 2, "pathology": 3}


@dataclass(frozen=True, slots=True)
class Pixels:
    """Planes (I, C, S, S) uint8 of one modality's images, and the patient each belongs to."""

    modality: ImageModality
    path: Path
    owner: NDArray[np.int64]
    patients: int
    digest: str

    def load(self) -> torch.Tensor:
        """Map the planes into memory; pages are read when they are touched."""
        return torch.from_numpy(np.load(self.path, mmap_mode="c"))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Tell for each patient whether there is an image (N,)."""
        return np.bincount(self.owner, minlength=self.patients) > 0


def store_pixels(
    patients: Sequence[Patient],
    modality: ImageModality,
    *,
    settings: PixelSettings,
    cache: Path,
    progress: Progress,
) -> Pixels:
    """Decode a modality's images unless the cache has them by content and settings."""
    images = [(n, file) for n, patient in enumerate(patients) for file in patient.images(modality)]
    files = [file for _, file in images]
    digest = digest_of("pixels", 2, modality, repr(settings), identities(files))
    path = cache / "pixels" / f"{digest}.npy"
    if not is_whole_array(path):
        _decode_all(files, modality, settings=settings, path=path, progress=progress)
    owner = np.array([n for n, _ in images], dtype=np.int64)
    return Pixels(modality, path, owner, patients=len(patients), digest=digest)


def identities(files: Sequence[ImageFile]) -> list[tuple[str, ...]]:
    """Return what decides each image's pixels; a file of many tiles or frames is read once."""
    paths = dict.fromkeys(path for file in files for path in (file.path, file.mask) if path)
    contents = {path: slide_digest(path) for path in paths}
    return [
        (
            contents[file.path],
            contents[file.mask] if file.mask else "",
            *map(str, (file.roi, file.frame, file.tile, file.mpp)),
        )
        for file in files
    ]


def _decode_all(
    files: Sequence[ImageFile],
    modality: ImageModality,
    *,
    settings: PixelSettings,
    path: Path,
    progress: Progress,
) -> None:
    shape = (len(files), _PLANES[modality], settings.image_size_px, settings.image_size_px)
    with (
        ThreadPoolExecutor(_DECODERS) as pool,
        progress.task(f"Reading {modality} images", total=len(files)) as advance,
    ):

        def planes() -> Iterator[NDArray[np.uint8]]:
            for image in pool.map(lambda file: prepare(file, modality, settings=settings), files):
                yield image.numpy()
                advance(1)

        write_array(path, planes(), shape=shape, dtype=np.uint8)


def per_patient(values: torch.Tensor, owner: NDArray[np.int64], *, patients: int) -> torch.Tensor:
    """Average what images say (I, ...) over each patient's bag (N, ...); no image gives NaN."""
    index = torch.from_numpy(owner)
    total = torch.zeros(patients, *values.shape[1:], dtype=values.dtype).index_add_(
        0, index, values
    )
    count = torch.bincount(index, minlength=patients).to(values.dtype)
    count = count.where(count > 0, torch.nan).view(-1, *[1] * (values.dim() - 1))
    return total / count
